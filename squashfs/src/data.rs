//! The bytes of files.

use crate::Image;
use crate::blocks::{BlockList, FileBlocks};
use crate::cache::Key;
use crate::error::{Error, Part};
use crate::inode::Inode;
use crate::read_at::ReadAt;
use crate::superblock::{SUPERBLOCK_SIZE, Superblock};
use std::sync::Arc;

/// Bytes of decompressed data blocks that are kept: at least four blocks, 32 of the usual size. Whole blocks that are
/// asked for pass by the cache, and what holds the image mounted has a page cache above this one: it serves those who
/// read a block in pieces, and a few of them at once.
pub(crate) const DATA_CACHE_BYTES: usize = 4 << 20;

/// Set in a size word when the block is stored as it is.
const STORED: u32 = 1 << 24;

/// A data or fragment block as it lies in the image: inside it, and no larger than a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    part: Part,
    pub(crate) start: u64,
    /// Bytes on disk, at least one.
    pub(crate) size: u32,
    pub(crate) stored: bool,
}

impl Extent {
    /// Decodes a size word other than zero.
    pub(crate) fn decode(part: Part, start: u64, word: u32, superblock: &Superblock) -> Result<Self, Box<Error>> {
        let size = Self::size_on_disk(word);
        if word >= STORED << 1 || size == 0 || size > superblock.block_size {
            return Err(Error::damaged(part, start, "impossible size of a block"));
        }
        let end = start.checked_add(u64::from(size));
        if start < SUPERBLOCK_SIZE as u64 || end.is_none_or(|end| end > superblock.bytes_used) {
            return Err(Error::damaged(part, start, "block outside the image"));
        }
        Ok(Self {
            part,
            start,
            size,
            stored: word & STORED != 0,
        })
    }

    /// The bytes on disk that a size word gives, which may be wrong.
    pub(crate) const fn size_on_disk(word: u32) -> u32 {
        word & (STORED - 1)
    }

    /// Where the block behind this one begins.
    pub(crate) const fn end(self) -> u64 {
        self.start + self.size as u64
    }

    pub(crate) const fn key(self) -> Key {
        Key {
            start: self.start,
            size: self.size,
        }
    }

    pub(crate) fn damaged(self, what: &'static str) -> Box<Error> {
        Error::damaged(self.part, self.start, what)
    }
}

/// A data or fragment block, uncompressed.
#[derive(Debug)]
pub(crate) struct DataBlock {
    bytes: Vec<u8>,
}

impl DataBlock {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory.
    pub(crate) const fn charge(&self) -> usize {
        self.bytes.capacity()
    }
}

impl<R: ReadAt> Image<R> {
    /// Fills `out` with bytes of the image.
    pub(crate) fn read_image(&self, part: Part, out: &mut [u8], offset: u64) -> Result<(), Box<Error>> {
        if offset
            .checked_add(out.len() as u64)
            .is_none_or(|end| end > self.superblock.bytes_used)
        {
            return Err(Error::damaged(part, offset, "outside the image"));
        }
        self.reader
            .read_exact_at(out, offset)
            .map_err(|source| Box::new(Error::Io { part, offset, source }))
    }

    /// See [`Image::read`].
    pub(crate) fn read_file(&self, file: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, Box<Error>> {
        let blocks = file.blocks_of_file()?;
        let left = file.size.saturating_sub(offset);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let Some(mut out) = buf.get_mut(..wanted).filter(|out| !out.is_empty()) else {
            return Ok(0);
        };

        let block_size = u64::from(self.superblock.block_size);
        let mut index = offset / block_size;
        // The remainder of a division by a block's size fits, and so does a block's length.
        let mut skip = u32::try_from(offset % block_size).unwrap_or(0);
        let mut list = if index < blocks.count {
            Some(BlockList::seek(self, blocks, index)?)
        } else {
            None
        };
        while !out.is_empty() {
            let length = u32::try_from((file.size - index * block_size).min(block_size)).unwrap_or(0);
            let (now, later) = out.split_at_mut(out.len().min((length - skip) as usize));
            match (&mut list, blocks.fragment) {
                (Some(list), _) if index < blocks.count => match list.next()? {
                    None => now.fill(0),
                    Some(extent) => self.read_block(extent, length, skip, now)?,
                },
                (_, Some(fragment)) => self.read_fragment(fragment, skip, now)?,
                (_, None) => return Err(file.damaged("file longer than its blocks")),
            }
            out = later;
            skip = 0;
            index += 1;
        }
        Ok(wanted)
    }

    /// Reads bytes of a data block that has `length` of them: `out.len()`, from `skip` on. A block of another length is
    /// refused, as fs/squashfs/file_direct.c does; no packer fills one up with zeros.
    fn read_block(&self, extent: Extent, length: u32, skip: u32, out: &mut [u8]) -> Result<(), Box<Error>> {
        let wrong = || extent.damaged("data block of another length than the file needs");
        if extent.stored {
            if extent.size != length {
                return Err(wrong());
            }
            return self.read_image(Part::Data, out, extent.start + u64::from(skip));
        }
        let held = if out.len() == length as usize {
            match self.data.get(extent.key()) {
                Some(block) => block,
                None => {
                    return if self.decompress(extent, out)? == out.len() {
                        Ok(())
                    } else {
                        Err(wrong())
                    };
                }
            }
        } else {
            self.data_block(extent, length)?
        };
        if held.bytes.len() != length as usize {
            return Err(wrong());
        }
        let part = held
            .bytes
            .get(skip as usize..)
            .and_then(|rest| rest.get(..out.len()))
            .ok_or_else(wrong)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn data_block(&self, extent: Extent, length: u32) -> Result<Arc<DataBlock>, Box<Error>> {
        self.data.get_or_load(extent.key(), || {
            let block = self.load_block(extent, length)?;
            let charge = block.charge();
            Ok((block, charge))
        })
    }

    /// Decompresses a block into memory of its own, of at most `capacity` bytes.
    pub(crate) fn load_block(&self, extent: Extent, capacity: u32) -> Result<DataBlock, Box<Error>> {
        let mut bytes = Vec::with_capacity(capacity as usize);
        self.decompress(extent, &mut bytes)?;
        Ok(DataBlock { bytes })
    }

    /// Decompresses a block to the front of `out`, and says how many bytes that gave.
    fn decompress<T: zstd_safe::WriteBuf + ?Sized>(&self, extent: Extent, out: &mut T) -> Result<usize, Box<Error>> {
        self.decompressors.lend(|decompressor| {
            let size = extent.size as usize;
            self.read_image(extent.part, decompressor.input(size), extent.start)?;
            decompressor
                .decompress(0..size, out)
                .ok_or_else(|| extent.damaged("block does not decompress"))
        })
    }

    /// See [`Image::seek_data`].
    pub(crate) fn next_data(&self, file: &Inode, offset: u64) -> Result<Option<u64>, Box<Error>> {
        let blocks = file.blocks_of_file()?;
        let tail = blocks.count * u64::from(self.superblock.block_size);
        let found = match self.scan(file, blocks, offset, |extent| extent.is_some())? {
            Some(found) => found,
            None => tail.max(offset),
        };
        Ok(Some(found).filter(|&found| found < file.size))
    }

    /// See [`Image::seek_hole`].
    pub(crate) fn next_hole(&self, file: &Inode, offset: u64) -> Result<Option<u64>, Box<Error>> {
        let blocks = file.blocks_of_file()?;
        if offset >= file.size {
            return Ok(None);
        }
        Ok(Some(
            self.scan(file, blocks, offset, |extent| extent.is_none())?
                .unwrap_or(file.size),
        ))
    }

    /// The first position at or behind `offset` in a block that `wanted` picks. `None` when none of them is picked.
    fn scan(
        &self,
        file: &Inode,
        blocks: &FileBlocks,
        offset: u64,
        wanted: fn(Option<Extent>) -> bool,
    ) -> Result<Option<u64>, Box<Error>> {
        let block_size = u64::from(self.superblock.block_size);
        let first = offset / block_size;
        if offset >= file.size || first >= blocks.count {
            return Ok(None);
        }
        let mut list = BlockList::seek(self, blocks, first)?;
        for index in first..blocks.count {
            if wanted(list.next()?) {
                return Ok(Some(offset.max(index * block_size)));
            }
        }
        Ok(None)
    }
}
