//! Why a file system could not be mounted.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;

use super::CheckError;

/// A rung of the ladder that did not hold. Nothing stays behind: no mount, no loop device.
#[derive(Debug)]
pub enum MountError {
    /// The image is not what was signed. No other rung should be tried.
    Unverified(CheckError),
    /// A device node could not be opened: `/dev/fuse`, `/dev/loop-control`, `/dev/loopN`.
    Open {
        /// The node.
        path: PathBuf,
        /// What open(2) said.
        errno: Errno,
    },
    /// The kernel would not name a free loop device.
    NoFreeLoop {
        /// `/dev/loop-control`.
        path: PathBuf,
        /// What ioctl(2) said.
        errno: Errno,
    },
    /// The loop device would not take the file.
    Attach {
        /// `/dev/loopN`.
        path: PathBuf,
        /// What ioctl(2) said.
        errno: Errno,
    },
    /// Others took every free loop device first.
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// mount(2) refused.
    Mount {
        /// File system type.
        kind: &'static str,
        /// The directory.
        target: PathBuf,
        /// What mount(2) said.
        errno: Errno,
    },
}

impl MountError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for MountError {}
