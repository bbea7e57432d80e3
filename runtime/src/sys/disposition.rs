//! What is done with a signal: sigaction(2) with `SIG_DFL` and `SIG_IGN`. No handler is ever installed.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

/// What happens when the signal arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// `SIG_DFL`, or a handler, which execve(2) would turn into it.
    Default,
    /// `SIG_IGN`.
    Ignore,
}

/// Whether `SIGPIPE` was ignored when the program was started.
static PIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

/// Runs before `main`: the standard library, or [`prepare`](crate::prepare), sets `SIGPIPE` to ignore, and a program that we
/// execute must get what we got.
#[used]
// SAFETY: the C libraries call each function pointer in `.init_array` once, before main, with arguments that a
// function without parameters may leave alone (System V ABI, gABI 5 "Initialization and Termination Functions").
#[unsafe(link_section = ".init_array")]
static RECORD_AT_START: extern "C" fn() = record_at_start;

extern "C" fn record_at_start() {
    let ignored = matches!(get(libc::SIGPIPE), Ok(Disposition::Ignore));
    PIPE_WAS_IGNORED.store(ignored, Ordering::Relaxed);
}

/// What the caller of this program did with `signal`. For `SIGPIPE` the state at the start of the process, for the
/// others the state now.
///
/// # Errors
/// `EINVAL` when there is no such signal.
pub fn of_caller(signal: i32) -> Result<Disposition, Errno> {
    if signal == libc::SIGPIPE {
        let ignored = PIPE_WAS_IGNORED.load(Ordering::Relaxed);
        return Ok(if ignored {
            Disposition::Ignore
        } else {
            Disposition::Default
        });
    }
    get(signal)
}

/// The present disposition of `signal`.
///
/// # Errors
/// `EINVAL` when there is no such signal.
pub fn get(signal: i32) -> Result<Disposition, Errno> {
    let mut action = Action::default();
    change(signal, None, Some(&mut action))?;
    Ok(if action.0[0] == libc::SIG_IGN {
        Disposition::Ignore
    } else {
        Disposition::Default
    })
}

/// Sets the disposition of `signal`.
///
/// # Errors
/// `EINVAL` when there is no such signal, or it is `SIGKILL` or `SIGSTOP`.
pub fn set(signal: i32, disposition: Disposition) -> Result<(), Errno> {
    let mut action = Action::default();
    action.0[0] = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    change(signal, Some(&action), None)
}

/// The kernel's `struct sigaction`: the handler, and behind it flags, a mask and what the C library returns by, all zero here. It
/// is shorter than this everywhere.
#[derive(Debug, Default)]
struct Action([libc::sighandler_t; 8]);

#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
compile_error!("the handler is not the first member of this kernel's sigaction");

/// The system call: sigaction(3) of the C libraries knows nothing of the signals that they keep for themselves.
fn change(signal: i32, new: Option<&Action>, old: Option<&mut Action>) -> Result<(), Errno> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let old = old.map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: both are null or valid for the call and longer than what it reads and writes. A new action names no function, so
    // nothing can be called at a bad moment.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, size_of::<u64>()) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_hides_what_the_recorder_saw() {
        // Test processes are started with the default; the standard library has ignored SIGPIPE since.
        assert_eq!(get(libc::SIGPIPE), Ok(Disposition::Ignore));
        assert_eq!(of_caller(libc::SIGPIPE), Ok(Disposition::Default));
    }

    #[test]
    fn what_is_set_is_read_back() {
        // The C library would not do 34: it is musl's own.
        for signal in [libc::SIGUSR2, 34, 64] {
            for disposition in [Disposition::Ignore, Disposition::Default] {
                set(signal, disposition).unwrap();
                assert_eq!(get(signal), Ok(disposition));
            }
        }
        assert_eq!(set(libc::SIGKILL, Disposition::Ignore), Err(Errno::EINVAL));
    }
}
