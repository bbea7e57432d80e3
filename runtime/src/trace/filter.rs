//! The seccomp program: calls that name files are announced, all others pass at once. Pure.
//!
//! seccompiler, the usual crate for this, kills on calls of another architecture and knows no announcements. Here a call of
//! another architecture, of a 32-bit program say, passes: its number would be read as that of another call.

use crate::confine::seccomp::instruction::{
    ARCHITECTURE, JUMP_IF_EQUAL, LOAD, NATIVE, NUMBER, RETURN, jump as jump_if, statement,
};

/// A program that announces the calls with these numbers; none where this machine is not supported, or there are no calls, or
/// more than one jump can pass over.
pub(super) fn program(numbers: impl IntoIterator<Item = libc::c_long>) -> Option<Vec<libc::sock_filter>> {
    let numbers: Vec<u32> = numbers.into_iter().map(u32::try_from).collect::<Result<_, _>>().ok()?;
    let count = u8::try_from(numbers.len()).ok().filter(|&count| count > 0)?;
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

fn jump(value: u32, if_equal: u8, otherwise: u8) -> libc::sock_filter {
    jump_if(JUMP_IF_EQUAL, value, if_equal, otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::seccomp::instruction::machine;

    /// What the kernel would make of it.
    fn run(program: &[libc::sock_filter], architecture: u32, number: u32) -> u32 {
        machine::run(program, architecture, number, [0; 6])
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
        assert!(super::program([]).is_none());
    }
}
