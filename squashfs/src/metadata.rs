//! Metadata blocks and the streams of records that are cut into them.

use crate::Image;
use crate::cache::Key;
use crate::error::{Error, Part};
use crate::read_at::ReadAt;
use std::sync::Arc;

/// Bytes of a whole metadata block, uncompressed; no block is larger on disk either.
pub(crate) const METADATA_SIZE: usize = 8192;

/// Bytes of decompressed metadata that are kept: 256 blocks hold the inodes and listings of some ten thousand files,
/// which is more than the start of a large program looks up.
pub(crate) const METADATA_CACHE_BYTES: usize = 256 * METADATA_SIZE;

/// Bytes of the header that gives a block's size on disk.
const HEADER_SIZE: usize = 2;

/// Set in the header of a block that is stored as it is.
const STORED: u16 = 1 << 15;

/// The unit in which readers that verify do so. The first read of a block ends where a unit ends, so that nothing
/// is fetched and verified that the block does not lie in.
const READ_UNIT: u64 = 4096;

/// Where the metadata blocks of a table may lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region {
    pub(crate) part: Part,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Region {
    fn damaged(&self, offset: u64, what: &'static str) -> Box<Error> {
        Error::damaged(self.part, offset, what)
    }
}

/// A place in a stream of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Where the block begins in the image.
    pub(crate) block: u64,
    /// The offset in the uncompressed block.
    pub(crate) offset: u16,
}

/// A metadata block, uncompressed.
#[derive(Debug)]
pub(crate) struct MetadataBlock {
    /// 1 to [`METADATA_SIZE`] bytes.
    bytes: Vec<u8>,
    /// Where the next one begins in the image.
    next: u64,
}

/// Reads records from a stream of metadata, from block to block. Ends at the latest at the end of the region: every
/// block begins behind the one before it.
#[derive(Debug)]
pub(crate) struct Stream<'a, R> {
    image: &'a Image<R>,
    region: Region,
    /// Where the current block begins in the image.
    at: u64,
    block: Arc<MetadataBlock>,
    offset: usize,
}

impl<'a, R: ReadAt> Stream<'a, R> {
    /// A stream that begins at `position`.
    pub(crate) fn open(image: &'a Image<R>, region: Region, position: Position) -> Result<Self, Box<Error>> {
        let block = image.metadata_block(region, position.block)?;
        let offset = usize::from(position.offset);
        if offset > block.bytes.len() {
            return Err(region.damaged(position.block, "reference behind the end of a metadata block"));
        }
        Ok(Self {
            image,
            region,
            at: position.block,
            block,
            offset,
        })
    }

    /// Where the next byte is read.
    pub(crate) fn position(&self) -> Position {
        // A block's length fits, METADATA_SIZE being its maximum.
        Position {
            block: self.at,
            offset: u16::try_from(self.offset).unwrap_or(u16::MAX),
        }
    }

    /// Fills `record`.
    pub(crate) fn read(&mut self, record: &mut [u8]) -> Result<(), Box<Error>> {
        let mut rest = record;
        while !rest.is_empty() {
            let here = self.here()?;
            let (now, later) = rest.split_at_mut(here.len().min(rest.len()));
            now.copy_from_slice(here.get(..now.len()).unwrap_or_default());
            self.offset += now.len();
            rest = later;
        }
        Ok(())
    }

    /// What is wrong at the current block.
    pub(crate) fn damaged(&self, what: &'static str) -> Box<Error> {
        self.region.damaged(self.at, what)
    }

    /// The rest of the current block, or the next block when nothing of it is left; never empty.
    fn here(&mut self) -> Result<&[u8], Box<Error>> {
        if self.offset == self.block.bytes.len() {
            let next = self.block.next;
            self.block = self.image.metadata_block(self.region, next)?;
            self.at = next;
            self.offset = 0;
        }
        Ok(self.block.bytes.get(self.offset..).unwrap_or_default())
    }
}

impl<R: ReadAt> Image<R> {
    /// The metadata block that begins at `at`, from the cache if it is there.
    fn metadata_block(&self, region: Region, at: u64) -> Result<Arc<MetadataBlock>, Box<Error>> {
        if at < region.start || at >= region.end {
            return Err(region.damaged(at, "reference to a metadata block outside the table"));
        }
        let load = || Ok((self.read_metadata_block(region, at)?, METADATA_SIZE));
        let block = self.metadata.get_or_load(Key { start: at, size: 0 }, load)?;
        if block.next > region.end {
            return Err(region.damaged(at, "metadata block reaches behind the end of the table"));
        }
        Ok(block)
    }

    fn read_metadata_block(&self, region: Region, at: u64) -> Result<MetadataBlock, Box<Error>> {
        let room = usize::try_from(region.end - at).unwrap_or(usize::MAX);
        if room <= HEADER_SIZE {
            return Err(region.damaged(at, "metadata block reaches behind the end of the table"));
        }
        self.decompressors.lend(|decompressor| {
            let input = decompressor.input(HEADER_SIZE + METADATA_SIZE);
            let in_unit = usize::try_from(READ_UNIT - at % READ_UNIT).unwrap_or(HEADER_SIZE);
            let first = in_unit.max(HEADER_SIZE).min(room);
            let (head, tail) = input.split_at_mut(first);
            self.read_image(region.part, head, at)?;

            let header = head.first_chunk().map_or(0, |header| u16::from_le_bytes(*header));
            let size = usize::from(header & !STORED);
            let end = HEADER_SIZE + size;
            if size == 0 || size > METADATA_SIZE {
                return Err(region.damaged(at, "impossible size of a metadata block"));
            }
            if end > room {
                return Err(region.damaged(at, "metadata block reaches behind the end of the table"));
            }
            if let Some(rest) = end.checked_sub(first).and_then(|rest| tail.get_mut(..rest)) {
                self.read_image(region.part, rest, at + first as u64)?;
            }

            let bytes = if header & STORED != 0 {
                input.get(HEADER_SIZE..end).unwrap_or_default().to_vec()
            } else {
                let mut bytes = Vec::with_capacity(METADATA_SIZE);
                decompressor
                    .decompress(HEADER_SIZE..end, &mut bytes)
                    .filter(|&length| length != 0)
                    .ok_or_else(|| region.damaged(at, "metadata block does not decompress"))?;
                bytes
            };
            Ok(MetadataBlock {
                bytes,
                next: at + end as u64,
            })
        })
    }
}
