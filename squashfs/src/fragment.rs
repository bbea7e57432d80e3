//! Fragment blocks: the tail ends of files, many in a block.

use crate::Image;
use crate::cursor::Cursor;
use crate::data::{DataBlock, Extent};
use crate::error::{Error, Part};
use crate::lookup_table::LookupTable;
use crate::read_at::ReadAt;
use crate::superblock::Superblock;
use std::sync::Arc;

/// Bytes of an entry of the fragment table.
pub(crate) const ENTRY_SIZE: u32 = 16;

/// Bytes of decompressed fragment blocks that are kept, apart from the data blocks so that reading a large file does
/// not drive out the small ones: at least four blocks, 32 of the usual size.
pub(crate) const FRAGMENT_CACHE_BYTES: usize = 4 << 20;

/// Where the tail end of a file is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fragment {
    /// The index of its fragment block in the table.
    pub(crate) index: u32,
    /// Its offset in the uncompressed block.
    pub(crate) offset: u32,
}

/// The table of an image's fragment blocks.
pub(crate) fn fragment_table(superblock: &Superblock) -> LookupTable {
    LookupTable::new(
        Part::FragmentTable,
        superblock.fragment_table,
        superblock.fragment_count,
        ENTRY_SIZE,
    )
}

impl<R: ReadAt> Image<R> {
    /// Reads bytes of a tail end: `out.len()` of them, from `skip` on.
    pub(crate) fn read_fragment(&self, fragment: Fragment, skip: u32, out: &mut [u8]) -> Result<(), Box<Error>> {
        let mut entry = [0; ENTRY_SIZE as usize];
        self.fragment_table.read(self, fragment.index, &mut entry)?;
        let mut fields = Cursor::new(&entry);
        let (start, size) = (fields.u64(), fields.u32());
        let extent = Extent::decode(Part::Fragment, start, size, &self.superblock)?;
        let from = u64::from(fragment.offset) + u64::from(skip);
        let short = || Error::damaged(Part::Fragment, start, "tail end outside its fragment");
        if extent.stored {
            return match from.checked_add(out.len() as u64) {
                Some(end) if end <= u64::from(extent.size) => self.read_image(Part::Fragment, out, start + from),
                _ => Err(short()),
            };
        }
        let block = self.fragment_block(extent)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let tail = block
            .bytes()
            .get(from..)
            .and_then(|tail| tail.get(..out.len()))
            .ok_or_else(short)?;
        out.copy_from_slice(tail);
        Ok(())
    }

    fn fragment_block(&self, extent: Extent) -> Result<Arc<DataBlock>, Box<Error>> {
        self.fragments.get_or_load(extent.key(), || {
            let block = self.load_block(extent, self.superblock.block_size)?;
            let bytes = block.charge();
            Ok((block, bytes))
        })
    }
}
