//! The seccomp program: calls that name files are announced, all others pass at once. Pure.
//!
//! seccompiler, the usual crate for this, kills on calls of another architecture and knows no announcements. Here a call of
//! another architecture, of a 32-bit program say, passes: its number would be read as that of another call.

/// What the kernel calls this machine, `linux/audit.h`; none where the table of calls is not known.
const NATIVE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
    Some(0xc000_00b7)
} else {
    None
};

/// Instructions of classic BPF, `linux/bpf_common.h`.
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// A program that announces the calls with these numbers; none where this machine is not supported, or there are more than
/// one jump can pass over.
pub(super) fn program(numbers: impl IntoIterator<Item = libc::c_long>) -> Option<Vec<libc::sock_filter>> {
    let numbers: Vec<u32> = numbers.into_iter().map(u32::try_from).collect::<Result<_, _>>().ok()?;
    let count = u8::try_from(numbers.len()).ok()?;
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        jump(NATIVE?, 1, 0),
        statement(RETURN, libc::SECCOMP_RET_ALLOW),
        statement(LOAD, NUMBER),
    ];
    // Behind them comes what lets pass, and behind that what announces.
    program.extend(
        (1..=count)
            .rev()
            .zip(numbers)
            .map(|(left, number)| jump(number, left, 0)),
    );
    program.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    program.push(statement(RETURN, libc::SECCOMP_RET_USER_NOTIF));
    Some(program)
}

fn statement(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

fn jump(value: u32, if_equal: u8, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: JUMP_IF_EQUAL,
        jt: if_equal,
        jf: otherwise,
        k: value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would make of it.
    fn run(program: &[libc::sock_filter], architecture: u32, number: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let instruction = program[at];
            at += 1;
            match instruction.code {
                LOAD if instruction.k == NUMBER => loaded = number,
                LOAD => loaded = architecture,
                JUMP_IF_EQUAL if loaded == instruction.k => at += usize::from(instruction.jt),
                JUMP_IF_EQUAL => at += usize::from(instruction.jf),
                _ => return instruction.k,
            }
        }
    }

    #[test]
    fn announced_and_passed() {
        let (Some(native), Some(program)) = (NATIVE, program([2, 257, 59])) else {
            return;
        };
        const I386: u32 = 0x4000_0003;
        for (architecture, number, expected) in [
            (native, 2, libc::SECCOMP_RET_USER_NOTIF),
            (native, 257, libc::SECCOMP_RET_USER_NOTIF),
            (native, 59, libc::SECCOMP_RET_USER_NOTIF),
            (native, 0, libc::SECCOMP_RET_ALLOW),
            (native, 258, libc::SECCOMP_RET_ALLOW),
            // The x32 way of calling.
            (native, 0x4000_0002, libc::SECCOMP_RET_ALLOW),
            (I386, 2, libc::SECCOMP_RET_ALLOW),
            (I386, 59, libc::SECCOMP_RET_ALLOW),
        ] {
            assert_eq!(
                run(&program, architecture, number),
                expected,
                "{architecture:#x} {number}"
            );
        }
    }

    #[test]
    fn as_many_as_a_jump_can_pass_over() {
        if NATIVE.is_none() {
            return;
        }
        let program = program(0..255).expect("255 fit");
        assert_eq!(run(&program, NATIVE.unwrap_or(0), 0), libc::SECCOMP_RET_USER_NOTIF);
        assert_eq!(run(&program, NATIVE.unwrap_or(0), 254), libc::SECCOMP_RET_USER_NOTIF);
        assert!(super::program(0..256).is_none());
        assert!(super::program([-1]).is_none());
    }
}
