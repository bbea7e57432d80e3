//! Instructions of classic BPF as seccomp(2) runs them over `struct seccomp_data`: `linux/bpf_common.h`, `linux/seccomp.h`.

use libc::sock_filter;

pub(crate) const LOAD: u16 = 0x20;
pub(crate) const JUMP: u16 = 0x05;
pub(crate) const JUMP_IF_EQUAL: u16 = 0x15;
pub(crate) const JUMP_IF_GREATER: u16 = 0x25;
pub(crate) const JUMP_IF_NOT_LESS: u16 = 0x35;
pub(crate) const AND: u16 = 0x54;
pub(crate) const RETURN: u16 = 0x06;

/// Offsets into `struct seccomp_data`.
pub(crate) const NUMBER: u32 = 0;
pub(crate) const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What the kernel calls this machine, `linux/audit.h`; none where the table of calls is not known.
pub(crate) const NATIVE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
    Some(0xc000_00b7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xc000_00f3)
} else {
    None
};

/// The same of the programs of 32 bits that this machine runs beside its own.
pub(crate) const OF_32_BITS: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0x4000_0003)
} else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
    Some(0x4000_0028)
} else {
    None
};

/// Offset of the upper half of an argument.
pub(crate) fn high(argument: u8) -> u32 {
    half(argument, cfg!(target_endian = "little"))
}

/// Offset of the lower half of an argument.
pub(crate) fn low(argument: u8) -> u32 {
    half(argument, cfg!(target_endian = "big"))
}

fn half(argument: u8, second: bool) -> u32 {
    ARGUMENTS + 8 * u32::from(argument) + if second { 4 } else { 0 }
}

pub(crate) fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Passes over as many instructions.
pub(crate) fn jump(code: u16, value: u32, if_so: u8, otherwise: u8) -> sock_filter {
    sock_filter {
        code,
        jt: if_so,
        jf: otherwise,
        k: value,
    }
}

#[cfg(test)]
pub(crate) mod machine {
    use super::*;

    /// What the kernel would make of a call.
    pub(crate) fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let load = |offset: u32| match offset {
            NUMBER => number,
            ARCHITECTURE => architecture,
            _ => {
                let argument = arguments[usize::try_from((offset - ARGUMENTS) / 8).unwrap()];
                let upper = offset == high(u8::try_from((offset - ARGUMENTS) / 8).unwrap());
                let half = if upper { argument >> 32 } else { argument & 0xffff_ffff };
                u32::try_from(half).unwrap()
            }
        };
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut choose = |so: bool| at += usize::from(if so { jt } else { jf });
            match code {
                LOAD => loaded = load(k),
                AND => loaded &= k,
                JUMP => at += usize::try_from(k).unwrap(),
                JUMP_IF_EQUAL => choose(loaded == k),
                JUMP_IF_GREATER => choose(loaded > k),
                JUMP_IF_NOT_LESS => choose(loaded >= k),
                RETURN => return k,
                _ => panic!("instruction {code:#x}"),
            }
        }
    }
}
