//! What can go wrong with a look-up.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;

use super::RootPath;

/// A root file system that cannot be opened, or a look-up inside it that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootfsError {
    /// There is nothing at the path given as the root file system.
    Missing {
        /// As given.
        rootfs: PathBuf,
    },
    /// The root file system is a file: an archive, an image, …
    NotADirectory {
        /// As given.
        rootfs: PathBuf,
    },
    /// The root file system cannot be opened for another reason.
    Unreadable {
        /// As given.
        rootfs: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A look-up inside the root file system failed.
    Lookup {
        /// Path inside the root file system: the component that the look-up failed at.
        path: RootPath,
        /// What the kernel said, or would have said.
        errno: Errno,
    },
    /// A file inside the root file system could be opened but not read.
    Read {
        /// Path inside the root file system.
        path: RootPath,
        /// What the kernel said.
        errno: Errno,
    },
}

impl RootfsError {
    /// What the kernel said.
    pub fn errno(&self) -> Errno {
        match self {
            Self::Missing { .. } => Errno::ENOENT,
            Self::NotADirectory { .. } => Errno::ENOTDIR,
            Self::Unreadable { errno, .. } | Self::Lookup { errno, .. } | Self::Read { errno, .. } => *errno,
        }
    }

    /// Is there simply nothing at that path (ENOENT, or a file where a directory would have to be)?
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Lookup {
                errno: Errno::ENOENT | Errno::ENOTDIR,
                ..
            }
        )
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("give the directory that holds the unpacked system, such as one made by debootstrap".into())
            }
            Self::NotADirectory { .. } => Some("unpack it into a directory first, then give that directory".into()),
            Self::Unreadable {
                errno: Errno::EACCES, ..
            }
            | Self::Lookup {
                errno: Errno::EACCES, ..
            } => Some("run as a user who may read all of the root file system".into()),
            Self::Lookup {
                errno: Errno::ELOOP, ..
            } => Some("symbolic links there lead in a circle".into()),
            _ => None,
        }
    }
}

impl fmt::Display for RootfsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { rootfs } => write!(f, "root file system: {}: no such directory", rootfs.display()),
            Self::NotADirectory { rootfs } => write!(f, "root file system: {}: not a directory", rootfs.display()),
            Self::Unreadable { rootfs, errno } => {
                write!(
                    f,
                    "root file system: {}: cannot open: {}",
                    rootfs.display(),
                    errno.desc()
                )
            }
            Self::Lookup { path, errno } => write!(f, "{path}: {}", errno.desc()),
            Self::Read { path, errno } => write!(f, "{path}: cannot read: {}", errno.desc()),
        }
    }
}

impl std::error::Error for RootfsError {}
