//! Directory listings.

use crate::Image;
use crate::error::Error;
use crate::inode::{InodeRef, Kind};
use crate::read_at::ReadAt;
use std::fmt;
use std::ops::Deref;

/// The longest name of a directory entry, in bytes (`SQUASHFS_NAME_LEN`).
pub const NAME_MAX: usize = 256;

/// The name of a directory entry: 1 to [`NAME_MAX`] bytes, no `/`, no NUL, neither `.` nor `..`.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; NAME_MAX],
    length: u16,
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self), f)
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy)]
pub struct DirEntry {
    /// Its name; derefs to bytes.
    pub name: Name,
    /// Its inode.
    pub inode_ref: InodeRef,
    /// Its inode's number, as the listing has it.
    pub inode_number: u32,
    /// Its inode's kind, as the listing has it. A hostile image may lie: what acts on the kind takes the inode's.
    pub kind: Kind,
    /// Where [`Image::read_dir`] goes on behind this entry: above 2 and below 2^32.
    pub next: u64,
}

/// The entries of a directory from a cookie on; made by [`Image::read_dir`]. Ends behind the first error.
pub struct ReadDir<'a, R: ReadAt> {
    pub(crate) image: &'a Image<R>,
}

impl<R: ReadAt> fmt::Debug for ReadDir<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").finish_non_exhaustive()
    }
}

impl<R: ReadAt> Iterator for ReadDir<'_, R> {
    type Item = Result<DirEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
