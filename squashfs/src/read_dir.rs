//! Listing a directory, with a cookie to go on from.

use crate::Image;
use crate::cache::lock;
use crate::directory::{Entries, NO_NAME, Name, Place, is_name};
use crate::error::Error;
use crate::inode::{Inode, InodeRef, Kind, Listing};
use crate::metadata::Position;
use crate::read_at::ReadAt;
use std::fmt;
use std::sync::Mutex;

/// Places that are kept, two for each listing that was left: as many directories may be listed piecemeal at once as
/// half of this, before going on means to go through a listing from its start.
const PLACES_KEPT: usize = 32;

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

/// Places in listings where reading stopped. A reader in pieces goes on behind the last entry it was given, or behind
/// the one before if it had no room for the last.
#[derive(Debug)]
pub(crate) struct Places {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// The start of the listing, which names it, and a place in it.
    places: Vec<(Position, Place)>,
    /// Which one the next takes the room of.
    next: usize,
}

impl Places {
    pub(crate) const fn new() -> Self {
        Self {
            kept: Mutex::new(Kept {
                places: Vec::new(),
                next: 0,
            }),
        }
    }

    fn find(&self, listing: &Listing, passed: u32) -> Option<Place> {
        let kept = lock(&self.kept);
        let wanted = |(start, place): &&(Position, Place)| *start == listing.start && place.passed == passed;
        kept.places.iter().find(wanted).map(|(_, place)| *place)
    }

    fn keep(&self, start: Position, place: Place) {
        let mut kept = lock(&self.kept);
        let at = kept.next;
        kept.next = (at + 1) % PLACES_KEPT;
        match kept.places.get_mut(at) {
            Some(slot) => *slot = (start, place),
            None => kept.places.push((start, place)),
        }
    }
}

/// The entries of a directory from a cookie on; made by [`Image::read_dir`]. Ends behind the first error.
pub struct ReadDir<'a, R: ReadAt> {
    image: &'a Image<R>,
    /// Names the listing.
    start: Position,
    /// `None` at the end.
    entries: Option<Entries<'a, R>>,
    /// The name of the last entry.
    name: Name,
    /// The place before the last entry.
    before: Option<Place>,
}

impl<'a, R: ReadAt> ReadDir<'a, R> {
    pub(crate) fn open(image: &'a Image<R>, directory: &Inode, cookie: u64) -> Result<Self, Box<Error>> {
        let listing = directory.listing()?;
        let entries = match u32::try_from(cookie) {
            Ok(passed) if passed < listing.length => Some(entries_from(image, listing, passed)?),
            _ => None,
        };
        Ok(Self {
            image,
            start: listing.start,
            entries,
            name: Name::EMPTY,
            before: None,
        })
    }

    fn step(&mut self) -> Result<Option<DirEntry>, Box<Error>> {
        let Some(entries) = &mut self.entries else {
            return Ok(None);
        };
        let before = entries.place();
        let mut name = Name::EMPTY;
        let Some(entry) = entries.next(&mut name)? else {
            return Ok(None);
        };
        if !is_name(&name) {
            return Err(entries.damaged(NO_NAME));
        }
        // Also keeps a name from coming twice: what unpacks a tree relies on it.
        if *name <= *self.name {
            return Err(entries.damaged("directory entries out of order"));
        }
        self.before = Some(before);
        self.name = name;
        Ok(Some(DirEntry {
            name,
            inode_ref: entry.inode_ref,
            inode_number: entry.inode_number,
            kind: entry.kind,
            next: u64::from(entries.place().passed),
        }))
    }
}

/// The entries of a listing from the first one at or behind byte `passed` on.
fn entries_from<'a, R: ReadAt>(
    image: &'a Image<R>,
    listing: &Listing,
    passed: u32,
) -> Result<Entries<'a, R>, Box<Error>> {
    if let Some(place) = image.places.find(listing, passed) {
        return Entries::resume(image, listing, place);
    }
    let mut entries = Entries::open(image, listing)?;
    let mut name = Name::EMPTY;
    while entries.place().passed < passed && entries.next(&mut name)?.is_some() {}
    Ok(entries)
}

impl<R: ReadAt> Iterator for ReadDir<'_, R> {
    type Item = Result<DirEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.entries = None;
        }
        step.map_err(|error| *error).transpose()
    }
}

impl<R: ReadAt> Drop for ReadDir<'_, R> {
    fn drop(&mut self) {
        if let (Some(entries), Some(before)) = (&self.entries, self.before) {
            self.image.places.keep(self.start, before);
            self.image.places.keep(self.start, entries.place());
        }
    }
}

impl<R: ReadAt> fmt::Debug for ReadDir<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir")
            .field("start", &self.start)
            .field("behind", &self.name)
            .finish_non_exhaustive()
    }
}
