//! User and group ids.

use crate::Image;
use crate::error::{Error, Part};
use crate::lookup_table::LookupTable;
use crate::read_at::ReadAt;
use crate::superblock::Superblock;

/// Bytes of an id.
pub(crate) const ID_SIZE: u32 = 4;

/// The table of an image's ids.
pub(crate) fn id_table(superblock: &Superblock) -> LookupTable {
    LookupTable::new(
        Part::IdTable,
        superblock.id_table,
        u32::from(superblock.id_count),
        ID_SIZE,
    )
}

impl<R: ReadAt> Image<R> {
    /// The id that inodes call `index`.
    pub(crate) fn id(&self, index: u16) -> Result<u32, Box<Error>> {
        let mut id = [0; ID_SIZE as usize];
        self.ids.read(self, u32::from(index), &mut id)?;
        Ok(u32::from_le_bytes(id))
    }
}
