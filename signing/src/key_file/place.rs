//! Putting a file in its place, whole or not at all.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::KeyFileError;
use crate::secret_key::random;

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing fails.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes a file under another name, syncs it and gives it its own. Missing directories are made, for their owner alone.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32, existing: Existing) -> Result<(), KeyFileError> {
    let io = |source| KeyFileError::io(path, source);
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io)?;
    }
    let temporary = temporary_name(path)?;
    let placed = write_new(&temporary, bytes, mode).and_then(|()| place(&temporary, path, existing));
    let removed = match fs::remove_file(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match placed.and(removed) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists { path: path.to_owned() })
        }
        other => other.map_err(io),
    }
}

/// A hidden name beside `path` that nobody else has.
fn temporary_name(path: &Path) -> Result<PathBuf, KeyFileError> {
    let name = path
        .file_name()
        .ok_or_else(|| KeyFileError::NotAFile { path: path.to_owned() })?;
    let random = u64::from_le_bytes(*random().map_err(KeyFileError::Random)?);
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{random:016x}"));
    Ok(path.with_file_name(temporary))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives the file at `from` its name. A link, unlike a rename, fails when there is a file of that name.
fn place(from: &Path, to: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replace => fs::rename(from, to),
        Existing::Keep => match fs::hard_link(from, to) {
            // File systems without hard links: vfat, some network and FUSE ones.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
                ) =>
            {
                if to.try_exists()? {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                fs::rename(from, to)
            }
            other => other,
        },
    }
}
