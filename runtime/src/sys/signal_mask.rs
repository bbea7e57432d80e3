//! Blocking signals, every one that the kernel has: sets of the C libraries leave out those that they keep for themselves, which
//! are 32 to 34 with musl. With glibc 34 is `SIGRTMIN`, and somebody may send it.

use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::signalfd::SignalFd;

/// A set of signals, as the kernel has it: bit 0 is signal 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask(u64);

/// The size of a set in bytes, which the calls want to be told.
const SIZE: usize = size_of::<u64>();

impl Mask {
    /// Blocks nothing.
    pub const NONE: Self = Self(0);
    /// Blocks whatever can be blocked.
    pub const ALL: Self = Self(u64::MAX);

    /// Makes this the set of blocked signals of the thread, and gives the one that was: rt_sigprocmask(2).
    ///
    /// # Errors
    /// None that is known.
    pub fn swap(self) -> Result<Self, Errno> {
        let mut before = Self::NONE;
        // SAFETY: both sets are valid for the call and of the size that it is told; the old one is written.
        let result = unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                ptr::from_ref(&self.0),
                ptr::from_mut(&mut before.0),
                SIZE,
            )
        };
        Errno::result(result).map(|_| before)
    }
}

/// A descriptor that gives every signal sent to the process that reads it: signalfd(2), not blocking.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOMEM`, `ENODEV`.
pub fn descriptor() -> Result<SignalFd, Errno> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set is valid for the call and of the size that it is told.
    let number = unsafe { libc::syscall(libc::SYS_signalfd4, -1, ptr::from_ref(&Mask::ALL.0), SIZE, flags) };
    let number = i32::try_from(Errno::result(number)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this number, and nobody else knows it; it is a signalfd.
    Ok(unsafe { SignalFd::from_owned_fd(OwnedFd::from_raw_fd(number)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_c_library_keeps_is_blocked_too() {
        let before = Mask::ALL.swap().unwrap();
        let all = before.swap().unwrap();
        // KILL and STOP cannot be.
        let unblockable = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
        assert_eq!(all, Mask(!unblockable));
    }
}
