//! Descriptors that no object of ours owns.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// Whether `fd` is open and stays open in a program that is executed: whatever came with execve(2) does, and nothing
/// that this crate or the standard library opens.
#[must_use]
pub fn is_inherited(fd: RawFd) -> bool {
    // SAFETY: F_GETFD only reads the flags of a number in the table; a number that is not open gives EBADF.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags != -1 && flags & libc::FD_CLOEXEC == 0
}

/// Closes `fd` if it [`is_inherited`].
///
/// # Errors
/// What close(2) says. The number is free even then.
pub fn close_inherited(fd: RawFd) -> Result<(), Errno> {
    if !is_inherited(fd) {
        return Ok(());
    }
    // SAFETY: objects of the standard library and of this crate own descriptors with FD_CLOEXEC only, so none owns
    // this one and none will close it again.
    Errno::result(unsafe { libc::close(fd) }).map(drop)
}

/// Takes the descriptors that recvmsg(2) has just put into the table of this process.
#[must_use]
pub fn adopt_received(numbers: &[RawFd]) -> Vec<OwnedFd> {
    // SAFETY: the kernel made these numbers for the receiver of the message; nobody else knows them.
    numbers
        .iter()
        .map(|&number| unsafe { OwnedFd::from_raw_fd(number) })
        .collect()
}
