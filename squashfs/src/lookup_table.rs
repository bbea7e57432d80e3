//! Tables of records of one size, looked up by index: the ids and the fragments.

use crate::Image;
use crate::error::{Error, Part};
use crate::metadata::{METADATA_SIZE, Position, Region, Stream};
use crate::read_at::ReadAt;
use crate::superblock::SUPERBLOCK_SIZE;
use std::sync::OnceLock;

/// Bytes of a position in the list that leads to the table's blocks.
const LOCATION_SIZE: u64 = size_of::<u64>() as u64;

/// The longest list that is read whole and kept: 64 KiB, enough for four million fragments. The positions of a longer
/// one are read one at a time.
const LOCATIONS_KEPT: u64 = 8192;

/// A table whose records lie in metadata blocks, with an uncompressed list of where these are.
#[derive(Debug)]
pub(crate) struct LookupTable {
    part: Part,
    /// Where the list begins in the image; the blocks lie before it.
    list: u64,
    /// How many records there are.
    count: u32,
    record_size: u32,
    locations: OnceLock<Box<[u64]>>,
}

impl LookupTable {
    /// The table of `count` records of `record_size` bytes (a divisor of a metadata block's size) with its list at
    /// `list`. Reads nothing.
    pub(crate) const fn new(part: Part, list: u64, count: u32, record_size: u32) -> Self {
        Self {
            part,
            list,
            count,
            record_size,
            locations: OnceLock::new(),
        }
    }

    /// Bytes of the list, for a table of `count` records.
    pub(crate) fn list_size(count: u32, record_size: u32) -> u64 {
        (u64::from(count) * u64::from(record_size)).div_ceil(METADATA_SIZE as u64) * LOCATION_SIZE
    }

    /// Reads record `index`.
    pub(crate) fn read<R: ReadAt>(&self, image: &Image<R>, index: u32, record: &mut [u8]) -> Result<(), Box<Error>> {
        if index >= self.count {
            return Err(Error::damaged(self.part, self.list, "index outside the table"));
        }
        let byte = u64::from(index) * u64::from(self.record_size);
        let block = self.location(image, byte / METADATA_SIZE as u64)?;
        // The remainder of a division by METADATA_SIZE fits.
        let offset = u16::try_from(byte % METADATA_SIZE as u64).unwrap_or(u16::MAX);
        let region = Region {
            part: self.part,
            start: SUPERBLOCK_SIZE as u64,
            end: self.list,
        };
        Stream::open(image, region, Position { block, offset })?.read(record)
    }

    /// Where block `index` of the table is.
    fn location<R: ReadAt>(&self, image: &Image<R>, index: u64) -> Result<u64, Box<Error>> {
        let count = Self::list_size(self.count, self.record_size) / LOCATION_SIZE;
        if count > LOCATIONS_KEPT {
            let mut location = [0; size_of::<u64>()];
            image.read_image(self.part, &mut location, self.list + index * LOCATION_SIZE)?;
            return Ok(u64::from_le_bytes(location));
        }
        let locations = match self.locations.get() {
            Some(locations) => locations,
            None => {
                let locations = self.read_locations(image, count)?;
                self.locations.get_or_init(|| locations)
            }
        };
        usize::try_from(index)
            .ok()
            .and_then(|index| locations.get(index))
            .copied()
            .ok_or_else(|| Error::damaged(self.part, self.list, "index outside the table"))
    }

    fn read_locations<R: ReadAt>(&self, image: &Image<R>, count: u64) -> Result<Box<[u64]>, Box<Error>> {
        let size = usize::try_from(count * LOCATION_SIZE).unwrap_or(0);
        let mut list = vec![0; size];
        image.read_image(self.part, &mut list, self.list)?;
        let (locations, _) = list.as_chunks();
        Ok(locations.iter().map(|location| u64::from_le_bytes(*location)).collect())
    }
}
