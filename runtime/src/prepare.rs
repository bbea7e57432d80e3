//! What a program whose `main` is the C library's does first, as the standard library does before a `main` of Rust's.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::IntoRawFd;

use crate::error::Error;
use crate::sys::{descriptor, disposition};

/// Ignores `SIGPIPE`, so that writing where nobody reads is an error and not the end, and occupies the standard streams that the caller had
/// closed, so that no file of ours gets their numbers.
///
/// The app gets both as the caller left them.
///
/// # Errors
/// open(2), of the last place that was tried.
pub fn prepare() -> Result<(), Error> {
    let ignored = disposition::set(libc::SIGPIPE, disposition::Disposition::Ignore);
    let prepared = ignored.and_then(|()| descriptor::closed_at_start().try_for_each(|_| occupy()));
    prepared.map_err(|errno| Error::Monitor {
        step: "occupy the standard streams that are closed",
        errno,
    })
}

/// Opens the lowest number that is free, for as long as the process: for reading nothing and writing nowhere, or, where there is no
/// `/dev/null`, for neither.
fn occupy() -> Result<(), Errno> {
    let null = open("/dev/null", OFlag::O_RDWR, Mode::empty());
    let opened = null.or_else(|_| open("/", OFlag::O_PATH, Mode::empty()))?;
    let _stays_open = opened.into_raw_fd();
    Ok(())
}
