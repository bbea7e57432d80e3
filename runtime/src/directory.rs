//! Directories of the host: what is in them, and whose they are for now.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::Path;

use nix::errno::Errno;

use crate::error::errno;

/// The names in a directory, in no order.
pub(crate) fn names(path: &Path) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| errno(&error))? {
        names.push(entry.map_err(|error| errno(&error))?.file_name());
    }
    Ok(names)
}

/// Locks a directory for as long as what is given back and its copies in forked processes live, flock(2). Closing it unlocks, and nothing
/// else: a copy may come to its end.
///
/// # Errors
/// `EWOULDBLOCK`: somebody else has it. open(2).
pub(crate) fn lock(path: &Path) -> Result<File, Errno> {
    let opened = File::open(path).map_err(|error| errno(&error))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(Errno::EWOULDBLOCK),
        Err(TryLockError::Error(error)) => Err(errno(&error)),
    }
}
