//! A file that names the process to signal. It is locked by the run that it belongs to, so one that was left behind is seen to be
//! nobody's, and two runs cannot have the same.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat, lstat};

use super::named_file::{fault, open_named};
use crate::error::{Error, errno};

/// A file that is ours as long as a process of the run has it open.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Opens or makes it. Nothing is written.
    ///
    /// # Errors
    /// It cannot be written, or another run has it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        loop {
            let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
            let file = open_named(path, flags, 0o644)?;
            let own = fstat(&file).map_err(|errno| fault("look at", path, errno))?;
            if own.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
                return Err(fault("write a process id to", path, Errno::EINVAL));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::PidFileTaken(path.to_owned())),
                Err(TryLockError::Error(error)) => return Err(fault("lock", path, errno(&error))),
            }
            // Whoever had it may have removed it before the lock was ours.
            if lstat(path).is_ok_and(|named| (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)) {
                let path = path.to_owned();
                return Ok(Self { path, file });
            }
        }
    }

    /// Names this process.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&mut self) -> Result<(), Error> {
        let line = format!("{}\n", std::process::id());
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(line.as_bytes()));
        written.map_err(|error| fault("write", &self.path, errno(&error)))
    }

    /// Takes it away again. It may be gone, or in a directory that this process cannot write to any more; then a lock that nobody
    /// has says the same.
    pub(crate) fn remove(self) {
        match fs::remove_file(&self.path) {
            Ok(()) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, "a stale one, and longer than a process id").unwrap();
        let mut first = PidFile::open(&path).unwrap();
        first.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert!(matches!(PidFile::open(&path), Err(Error::PidFileTaken(_))));
        first.remove();
        assert!(!path.exists());
        PidFile::open(&path).unwrap().remove();
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        for path in [&link, Path::new("/dev/null"), directory.path(), Path::new("/nowhere/x")] {
            assert!(
                matches!(PidFile::open(path), Err(Error::File { .. })),
                "{}",
                path.display()
            );
        }
    }
}
