//! What can go wrong while the image is written.

use std::fmt;
use std::io;

use backhand::BackhandError;
use nix::errno::Errno;

use crate::rootfs::{RootPath, RootfsError};

/// Longest target of a symbolic link, in bytes, that backhand 0.25 writes. squashfs itself would take 65535.
pub(super) const MAX_LINK_TARGET: usize = 255;

/// Why there is no image.
#[derive(Debug)]
pub enum ImageError {
    /// A file of the plan cannot be opened any more.
    Open(RootfsError),
    /// A file cannot be read.
    Read {
        /// Path inside the root file system.
        path: RootPath,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file is not what it was when the plan was made.
    Changed {
        /// Path inside the root file system.
        path: RootPath,
        /// Size in bytes when planned.
        planned: u64,
        /// Size in bytes now.
        found: u64,
    },
    /// A symbolic link is too long for backhand, which would panic.
    LinkTarget {
        /// Path inside the root file system.
        path: RootPath,
        /// Length of its target in bytes.
        length: usize,
    },
    /// The thread that reads the files cannot be started.
    Thread(Errno),
    /// The image cannot be written.
    Write(io::Error),
    /// zstd refuses to compress.
    Compress(&'static str),
    /// The writer asked for another file than the one that comes next in the order of the image.
    OutOfOrder {
        /// What the writer asked for.
        path: RootPath,
    },
    /// The writer of the image refuses an entry.
    Entry {
        /// Path inside the root file system.
        path: RootPath,
        /// Its reason.
        source: BackhandError,
    },
    /// The writer of the image fails as a whole.
    Layout(BackhandError),
}

impl ImageError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::Changed { .. } => Some("pack again when nothing writes to the root file system".into()),
            Self::Thread(errno) => runtime::limits::hint_of_fork(*errno).map(str::to_owned),
            Self::LinkTarget { .. } => Some("leave it out with --exclude".into()),
            Self::Write(error) if error.kind() == io::ErrorKind::StorageFull => {
                Some("make room, or write to another place with --output".into())
            }
            _ => None,
        }
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Read { path, source } => write!(f, "{path}: cannot read: {source}"),
            Self::Changed { path, planned, found } => {
                write!(
                    f,
                    "{path}: changed while it was packed: {planned} bytes when planned, {found} now"
                )
            }
            Self::LinkTarget { path, length } => write!(
                f,
                "{path}: symbolic link with a target of {length} bytes; an image can hold {MAX_LINK_TARGET}"
            ),
            Self::Thread(errno) => write!(f, "cannot start a thread that reads: {}", errno.desc()),
            Self::Write(error) => write!(f, "cannot write the image: {error}"),
            Self::Compress(reason) => write!(f, "cannot compress: {reason}"),
            Self::OutOfOrder { path } => write!(f, "{path}: taken out of the order of the image"),
            Self::Entry { path, source } => write!(f, "{path}: cannot be part of a squashfs image: {source}"),
            Self::Layout(error) => write!(f, "cannot lay out the image: {error}"),
        }
    }
}

impl std::error::Error for ImageError {}
