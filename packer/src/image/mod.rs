//! The image: the plan's entries as a squashfs 4.0 file system, compressed with zstd.
//!
//! backhand lays the image out (`writer`) and asks for each block to be compressed when it comes to it. So that this keeps all
//! cores busy, `read_ahead` walks the same files in the same order a few blocks in front of it, worker threads compress what it
//! reads, and `compress` hands the finished blocks over. The image is the same to the byte whatever the number of workers.
//!
//! The same plan over the same files gives the same bytes: entries are sorted, times are the files' own (none later than
//! `SOURCE_DATE_EPOCH` where that is set), and the time of the image itself is `SOURCE_DATE_EPOCH` or 0, never the clock.

mod budget;
mod compress;
mod duplicates;
mod error;
mod metadata;
mod output;
mod read_ahead;
mod startup;
mod writer;

use std::io::{Seek, Write};

use crate::plan::Plan;
use crate::rootfs::Rootfs;

pub use error::ImageError;

/// How the image is written. The values are taken as valid: see [`crate::options`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageOptions {
    /// zstd's compression level, 1 to 22.
    pub level: i32,
    /// Size of a data block in bytes: a power of two from 4096 to 1048576.
    pub block_size: u32,
    /// `SOURCE_DATE_EPOCH`: the image's own time and the latest time that an entry has.
    pub epoch: Option<u32>,
    /// How many bytes of what every start reads are stored uncompressed at most: the program, its interpreter and libraries. 0 compresses
    /// everything.
    pub store_startup: u64,
    /// Threads that compress ahead. With 0 every block is compressed when the writer comes to it.
    pub workers: usize,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageStats {
    /// Entries of every kind, the root directory included.
    pub entries: u64,
    /// Regular files among them.
    pub files: u64,
    /// Sum of the regular files' sizes in bytes.
    pub unpacked_size: u64,
    /// Length of the image in bytes, a multiple of 4096. What lies behind it in the output is not part of it.
    pub length: u64,
    /// Blocks that were compressed ahead.
    pub ahead: u64,
    /// Blocks that were compressed when the writer came to them: the metadata, and all that was not foreseen.
    pub inline: u64,
}

/// Writes the image of `plan` to `out`, from its current end: offset 0 of `out` is the image's first byte. The contents of the files
/// are read from `rootfs`. `progress` is told of the bytes read, as they are taken up.
///
/// # Errors
/// [`ImageError`]; `out` holds a part of the image then.
pub fn write<W: Write + Seek>(
    plan: &Plan,
    rootfs: &Rootfs,
    out: W,
    options: &ImageOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<ImageStats, ImageError> {
    writer::write(plan, rootfs, out, options, progress)
}
