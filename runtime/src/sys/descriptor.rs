//! Descriptors that no object of ours owns.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

/// Which of stdin, stdout and stderr the caller had closed. The standard library, or [`prepare`](crate::prepare), opens `/dev/null` in
/// their place, so this is noted before.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

// SAFETY: the C library calls the functions of this section once each, in the only thread, before main; `note_closed`
// asks nothing of the standard library that it would have to have set up.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_CLOSED: extern "C" fn() = note_closed;

extern "C" fn note_closed() {
    for (fd, closed) in (0..).zip(&CLOSED) {
        // SAFETY: F_GETFD only reads the flags of a number in the table, and fails where it is not open.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        closed.store(flags == -1, Ordering::Relaxed);
    }
}

/// The standard streams that the caller had closed.
pub fn closed_at_start() -> impl Iterator<Item = RawFd> {
    (0..)
        .zip(&CLOSED)
        .filter_map(|(fd, closed)| closed.load(Ordering::Relaxed).then_some(fd))
}

/// Forgets that the caller had closed standard streams: they have been opened for the app.
pub fn reopened() {
    CLOSED.iter().for_each(|closed| closed.store(false, Ordering::Relaxed));
}

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

/// Writes `bytes` to `fd`, which came with execve(2), and closes it in this process.
///
/// # Errors
/// write(2): `EPIPE` where nobody reads, which is no reason to be killed here. close(2).
pub fn write_to_inherited(fd: RawFd, mut bytes: &[u8]) -> Result<(), Errno> {
    if !is_inherited(fd) {
        return Err(Errno::EBADF);
    }
    while !bytes.is_empty() {
        // SAFETY: `bytes` is readable for its length; the number is open, as just seen, and no object of ours owns it.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match Errno::result(written) {
            Ok(written) => bytes = bytes.get(usize::try_from(written).unwrap_or(0)..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    close_inherited(fd)
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

/// A second number for what `descriptor` names, `lowest` or higher, closed when another program is executed.
///
/// # Errors
/// fcntl(2): `EINVAL` and `EMFILE` where there is no such number to be had.
pub fn duplicate_above(descriptor: BorrowedFd<'_>, lowest: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number and makes another.
    let number = Errno::result(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) })?;
    // SAFETY: the kernel has just made this number; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
