//! Why a tree is not complete.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::image::CheckError;
use crate::limits;

/// Why a tree is not complete. Paths are those of the image.
#[derive(Debug)]
#[non_exhaustive]
pub enum UnpackError {
    /// The bundle is not what was signed, or cannot be read.
    Unverified(CheckError),
    /// The image is no sound squashfs.
    Image {
        /// What was being unpacked.
        path: PathBuf,
        /// What is wrong with it.
        source: squashfs::Error,
    },
    /// The target could not be made, opened or looked at.
    Target {
        /// The target.
        path: PathBuf,
        /// What the system said.
        errno: Errno,
    },
    /// The target has entries already.
    TargetNotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// A system call on an entry failed.
    Entry {
        /// What was to be done.
        step: Step,
        /// The entry.
        path: PathBuf,
        /// What the system said.
        errno: Errno,
    },
    /// A directory has two entries of one name.
    Duplicate {
        /// The second.
        path: PathBuf,
    },
    /// A directory is entered twice: it would contain itself.
    Cycle {
        /// The second time.
        path: PathBuf,
    },
    /// A device, which no bundle may hold.
    Device {
        /// The device.
        path: PathBuf,
    },
    /// Someone moved a directory of the target while it was written to.
    Moved {
        /// The directory.
        path: PathBuf,
    },
}

/// What was to be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make or open it.
    Create,
    /// Write its bytes.
    Write,
    /// Make a hard link of it.
    Link,
    /// Set owner, mode and times.
    SetAttributes,
}

impl UnpackError {
    /// In a box, as everywhere on the way out: moved as it is, it would take kilobytes of the stub.
    pub(super) fn image(path: &Path, source: squashfs::Error) -> Box<Self> {
        Box::new(match CheckError::beneath(&source) {
            Some(error) => Self::Unverified(error),
            None => Self::Image {
                path: path.to_owned(),
                source,
            },
        })
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unverified(error) => return error.hint(),
            Self::Image { source, .. } => return source.hint(),
            Self::Entry {
                errno: Errno::ENOSPC | Errno::EDQUOT,
                ..
            } => "make room where the target lies",
            Self::Entry {
                step: Step::SetAttributes,
                errno: Errno::EPERM,
                ..
            } => "owners are kept by root only",
            Self::TargetNotEmpty { .. } => "name a directory that is empty or does not exist",
            Self::Target {
                errno: Errno::ENOENT, ..
            } => "make the directory above it first",
            Self::Duplicate { .. } | Self::Cycle { .. } | Self::Device { .. } => {
                "the image was not made by polecat; ask its signer"
            }
            Self::Target { errno, .. } | Self::Entry { errno, .. } => limits::hint(*errno)?,
            Self::Moved { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl Step {
    const fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Link => "link",
            Self::SetAttributes => "set owner, mode and times of",
        }
    }
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified(error) => error.fmt(f),
            Self::Image { path, source } => write!(f, "unpack {}: {source}", path.display()),
            Self::Target { path, errno } => write!(f, "unpack to {}: {}", path.display(), errno.desc()),
            Self::TargetNotEmpty { path } => write!(f, "unpack to {}: the directory is not empty", path.display()),
            Self::Entry { step, path, errno } => {
                write!(f, "unpack: {} {}: {}", step.verb(), path.display(), errno.desc())
            }
            Self::Duplicate { path } => write!(f, "unpack {}: the image has it twice", path.display()),
            Self::Cycle { path } => write!(
                f,
                "unpack {}: the image has this directory in two places",
                path.display()
            ),
            Self::Device { path } => write!(f, "unpack {}: devices are refused", path.display()),
            Self::Moved { path } => {
                write!(
                    f,
                    "unpack {}: the directory was moved while it was written to",
                    path.display()
                )
            }
        }
    }
}

impl Error for UnpackError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unverified(error) => Some(error),
            Self::Image { source, .. } => Some(source),
            Self::Target { errno, .. } | Self::Entry { errno, .. } => Some(errno),
            _ => None,
        }
    }
}
