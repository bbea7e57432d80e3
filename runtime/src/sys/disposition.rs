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

/// Runs before `main`: the standard library sets `SIGPIPE` to ignore before it calls ours, and a program that we
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
    // SAFETY: a sigaction of zeros is a valid value: no flags, an empty mask, SIG_DFL.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with a null new action the call only writes the old one, to a value that outlives it.
    Errno::result(unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) })?;
    Ok(if action.sa_sigaction == libc::SIG_IGN {
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
    // SAFETY: a sigaction of zeros is a valid value: no flags, an empty mask, SIG_DFL.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    // SAFETY: `action` names no function, so nothing can be called at a bad moment.
    Errno::result(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) }).map(drop)
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
        let signal = libc::SIGUSR2;
        for disposition in [Disposition::Ignore, Disposition::Default] {
            set(signal, disposition).unwrap();
            assert_eq!(get(signal), Ok(disposition));
        }
        assert_eq!(set(libc::SIGKILL, Disposition::Ignore), Err(Errno::EINVAL));
    }
}
