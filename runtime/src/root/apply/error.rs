//! Why the new root is not what was planned.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::super::tree::{NO_DIRECTORY, NO_FILE, NO_POINT, TreeError};

/// A step that failed.
#[derive(Debug)]
pub enum ApplyError {
    /// An entry could not be made.
    Tree(TreeError),
    /// Something could not be mounted. It is not there.
    Mount {
        /// File system, or what it was.
        what: &'static str,
        /// Where in the new root.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// Something could not be made read-only. It is there and can be written.
    Restrict {
        /// Where in the new root.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
}

/// What is said of what is bound.
pub(super) const PART: &str = "a part of the host";

impl ApplyError {
    pub(super) fn mount(what: &'static str, path: &Path, errno: Errno) -> Self {
        Self::Mount {
            what,
            path: path.to_owned(),
            errno,
        }
    }

    /// Whether the host refuses to mount, and not what was asked for: what it has that was named is to be seen, or nothing is.
    #[must_use]
    pub fn is_of_host(&self) -> bool {
        const REFUSALS: [Errno; 5] = [Errno::EPERM, Errno::EACCES, Errno::ENOSYS, Errno::ENODEV, Errno::ENOSPC];
        match self {
            Self::Tree(_) => false,
            Self::Mount { what, errno, .. } => !what.starts_with(PART) && REFUSALS.contains(errno),
            Self::Restrict { errno, .. } => REFUSALS.contains(errno),
        }
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Mount {
                errno: Errno::ENOSPC, ..
            } => "raise fs.mount-max: the kernel's limit of mounts is reached",
            Self::Mount {
                what: "proc",
                errno: Errno::EPERM,
                ..
            } => "the host's /proc is covered in parts, as container engines do; without --contain it is shared",
            Self::Tree(TreeError {
                action: NO_FILE | NO_DIRECTORY,
                ..
            }) => "another DST: a file is bound on a file, and a directory on a directory",
            Self::Tree(TreeError { action: NO_POINT, .. }) => {
                "make it on the host: nothing is made in a directory of the host's to mount something on"
            }
            Self::Tree(error) => return error.hint(),
            Self::Mount { .. } | Self::Restrict { .. } => return None,
        };
        Some(hint.into())
    }
}

impl From<TreeError> for ApplyError {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(error) => error.fmt(f),
            Self::Mount { what, path, errno } => {
                write!(
                    f,
                    "mount {what} on {} of the new root: {}",
                    path.display(),
                    errno.desc()
                )
            }
            Self::Restrict { path, errno } => {
                write!(f, "make {} of the new root read-only: {}", path.display(), errno.desc())
            }
        }
    }
}

impl std::error::Error for ApplyError {}
