//! The image of a bundle: every block checked before it is used, and the three ways to make a directory of it.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

pub mod fuse;
pub mod kernel_loop;
pub mod unpack;

mod mount_error;

pub use mount_error::MountError;

/// Who owns the files that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerMap {
    /// Owners and modes as the image stores them.
    AsStored,
    /// Everything belongs to one user, whose only id is mapped. Set-user-id and set-group-id bits are left out: they
    /// speak of owners that are not there.
    Caller {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
}

/// A block of the image, or of the hash tree over it, that could not be vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckError {
    /// The file could not be read.
    Read {
        /// Offset in the file, bytes.
        offset: u64,
        /// What pread(2) said.
        errno: i32,
    },
    /// The file ends before the image or its hash tree does.
    Truncated {
        /// Offset in the file, bytes, of what was wanted.
        offset: u64,
    },
    /// A block is not what was signed.
    Damaged {
        /// Data block of the image, counted from 0, that does not lead up to the root digest.
        block: u64,
        /// Where it failed: 0 the block itself, 1 the hash block above it, and so on.
        level: u32,
        /// Offset in the file, bytes, of the data block.
        offset: u64,
    },
}

/// The image of a verified bundle. Cheap to clone.
#[derive(Clone)]
pub struct VerifiedImage {
    file: Arc<File>,
}

impl fmt::Debug for VerifiedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedImage")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl VerifiedImage {
    /// Length of the image in bytes, a multiple of 4096.
    #[must_use]
    pub fn length(&self) -> u64 {
        todo!()
    }

    /// Checks every block; `progress` is told how many bytes of the image are done.
    ///
    /// # Errors
    /// The first block that cannot be read or is not what was signed.
    pub fn check_all(&self, progress: impl FnMut(u64)) -> Result<(), CheckError> {
        drop(progress);
        todo!()
    }

    /// The block that failed first, if any did since the image was opened, through this handle or a clone of it.
    #[must_use]
    pub fn failure(&self) -> Option<&CheckError> {
        todo!()
    }

    /// Reads `buf.len()` bytes at `offset` of the image; nothing is returned that was not checked.
    ///
    /// # Errors
    /// See [`CheckError`].
    pub fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let _ = (buf, offset);
        todo!()
    }
}

impl CheckError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for CheckError {}
