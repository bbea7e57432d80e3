//! Finding an entry by its name: with the index that extended directories have, or with one made at the first look-up.

use crate::Image;
use crate::cache::Key;
use crate::cursor::Cursor;
use crate::directory::{Entries, Entry, Name, Place, is_name};
use crate::error::Error;
use crate::inode::{Inode, Listing};
use crate::metadata::{METADATA_SIZE, Position, Stream};
use crate::read_at::ReadAt;
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of an entry of a stored index before its name.
const RECORD_SIZE: usize = 12;

/// Bytes of listing between two signposts at least: what a metadata block holds.
const LEAST_APART: u32 = 8192;

/// Signposts of a directory at most; their distance grows with the listing.
const SIGNPOSTS: u32 = 256;

/// Bytes of signposts that are kept: enough for tens of thousands of entries in each of a few directories.
pub(crate) const SIGNPOST_CACHE_BYTES: usize = 256 << 10;

/// Some of the runs of a listing that has no index, though it is longer than a metadata block. Not every packer writes
/// indexes, and going through a few thousand entries takes longer than all else that opening a file does.
#[derive(Debug)]
pub(crate) struct Signposts {
    /// The name that a run begins with, and where it is, in the order of the listing.
    runs: Vec<(Box<[u8]>, Place)>,
}

impl Signposts {
    /// Goes through a whole listing.
    fn set<R: ReadAt>(image: &Image<R>, listing: &Listing) -> Result<Self, Box<Error>> {
        let apart = (listing.length / SIGNPOSTS).max(LEAST_APART);
        let mut runs = Vec::new();
        let mut next = apart;
        let mut entries = Entries::open(image, listing)?;
        let mut name = Name::EMPTY;
        loop {
            let place = entries.place();
            if entries.next(&mut name)?.is_none() {
                return Ok(Self { runs });
            }
            if place.is_run() && place.passed >= next {
                runs.push((Box::from(&*name), place));
                next = place.passed.saturating_add(apart);
            }
        }
    }

    /// The last run known to begin at or before `wanted`.
    fn before(&self, wanted: &[u8]) -> Option<Place> {
        let behind = self.runs.partition_point(|(name, _)| **name <= *wanted);
        let (_, place) = self.runs.get(behind.checked_sub(1)?)?;
        Some(*place)
    }

    /// Bytes of memory.
    fn charge(&self) -> usize {
        let names: usize = self.runs.iter().map(|(name, _)| name.len()).sum();
        names + self.runs.capacity() * size_of::<(Box<[u8]>, Place)>()
    }
}

impl<R: ReadAt> Image<R> {
    /// See [`Image::lookup`].
    pub(crate) fn find_entry(&self, directory: &Inode, wanted: &[u8]) -> Result<Option<Entry>, Box<Error>> {
        let listing = directory.listing()?;
        if listing.length == 0 || !is_name(wanted) {
            return Ok(None);
        }
        let place = if listing.index_count > 0 {
            self.indexed_place(listing, wanted)?
        } else if listing.length > LEAST_APART {
            self.signposts(listing)?.before(wanted)
        } else {
            None
        };
        let mut entries = match place {
            Some(place) => Entries::resume(self, listing, place)?,
            None => Entries::open(self, listing)?,
        };
        let mut name = Name::EMPTY;
        while let Some(entry) = entries.next(&mut name)? {
            match (*name).cmp(wanted) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Some(entry)),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    fn signposts(&self, listing: &Listing) -> Result<Arc<Signposts>, Box<Error>> {
        // Two listings may begin in one place, in an image that lies, and then differ in length.
        let start = listing.start.block << 16 | u64::from(listing.start.offset);
        let key = Key {
            start,
            size: listing.length,
        };
        self.signposts.get_or_load(key, || {
            let signposts = Signposts::set(self, listing)?;
            let charge = signposts.charge();
            Ok((signposts, charge))
        })
    }

    /// The last run that the stored index knows to begin at or before `wanted`.
    fn indexed_place(&self, listing: &Listing, wanted: &[u8]) -> Result<Option<Place>, Box<Error>> {
        let mut place = None;
        let mut stream = Stream::open(self, self.inode_region(), listing.index)?;
        let mut name = Name::EMPTY;
        for _ in 0..listing.index_count {
            let mut record = [0; RECORD_SIZE];
            stream.read(&mut record)?;
            let mut fields = Cursor::new(&record);
            let (passed, block, length) = (fields.u32(), fields.u32(), fields.u32().saturating_add(1));
            if name.read(&mut stream, length)?.is_none() {
                return Err(stream.damaged("impossible name in a directory index"));
            }
            if *name > *wanted {
                break;
            }
            let block = self.superblock.directory_table.saturating_add(u64::from(block));
            // The listing as a whole is cut into metadata blocks, so where a byte of it is in its block follows.
            let offset = (u64::from(listing.start.offset) + u64::from(passed)) % METADATA_SIZE as u64;
            // The remainder of a division by METADATA_SIZE fits.
            let offset = u16::try_from(offset).unwrap_or(0);
            place = Some(Place::run(passed, Position { block, offset }));
        }
        Ok(place)
    }
}
