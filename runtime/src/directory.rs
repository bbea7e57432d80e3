//! Directories of the host: what is in them, and whose they are for now.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
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

/// The names in a directory that are numbers: in `/proc/self/fd` the open descriptors, and one that was open while this looked; none
/// where it cannot be read.
pub(crate) fn numbers(path: &Path) -> Vec<i32> {
    let mut numbers = Vec::new();
    for name in names(path).unwrap_or_default() {
        numbers.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    numbers
}

/// Locks a directory, flock(2). It is unlocked when the last copy of what is given back is closed, those in forked processes too.
///
/// # Errors
/// `EWOULDBLOCK`: somebody else has it. `ENOTDIR`: nobody waits here for who opens the other end of a pipe. open(2).
pub(crate) fn lock(path: &Path) -> Result<File, Errno> {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_DIRECTORY);
    let opened = options.open(path).map_err(|error| errno(&error))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(Errno::EWOULDBLOCK),
        Err(TryLockError::Error(error)) => Err(errno(&error)),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn directories_alone_are_locked() {
        let scratch = tempfile::tempdir().unwrap();
        let pipe = scratch.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        // With this a pipe can be opened at once.
        let _other_end = File::options().read(true).write(true).open(&pipe).unwrap();
        assert_eq!(lock(&pipe).unwrap_err(), Errno::ENOTDIR);
        let first = lock(scratch.path()).unwrap();
        assert_eq!(lock(scratch.path()).unwrap_err(), Errno::EWOULDBLOCK);
        let copy = first.try_clone().unwrap();
        drop(first);
        assert_eq!(lock(scratch.path()).unwrap_err(), Errno::EWOULDBLOCK);
        drop(copy);
        assert!(lock(scratch.path()).is_ok());
    }
}
