//! Directory listings: runs of entries, each run behind a header, names in bytewise order.

use crate::Image;
use crate::cursor::Cursor;
use crate::error::{Error, Part};
use crate::inode::{InodeRef, Kind, Listing};
use crate::metadata::{Position, Region, Stream};
use crate::read_at::ReadAt;
use std::fmt;
use std::ops::Deref;

/// The longest name of a directory entry, in bytes (`SQUASHFS_NAME_LEN`).
pub const NAME_MAX: usize = 256;

/// What is wrong with an entry that is called as none may be.
pub(crate) const NO_NAME: &str = "impossible name of a directory entry";

/// Bytes of the header of a run.
const RUN_SIZE: u32 = 12;

/// Entries of a run at most (`SQUASHFS_DIR_COUNT`).
const RUN_MAX: u32 = 256;

/// Bytes of an entry before its name.
const ENTRY_SIZE: u32 = 8;

/// The name of a directory entry: 1 to [`NAME_MAX`] bytes, no `/`, no NUL, neither `.` nor `..`.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; NAME_MAX],
    length: u16,
}

impl Name {
    /// No name, and before all names.
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; NAME_MAX],
        length: 0,
    };

    /// Reads a name of `length` bytes. `None` when that is too long.
    pub(crate) fn read<R: ReadAt>(
        &mut self,
        stream: &mut Stream<'_, R>,
        length: u32,
    ) -> Result<Option<()>, Box<Error>> {
        self.length = 0;
        let Some(bytes) = usize::try_from(length)
            .ok()
            .and_then(|length| self.bytes.get_mut(..length))
        else {
            return Ok(None);
        };
        stream.read(bytes)?;
        // At most NAME_MAX.
        self.length = u16::try_from(length).unwrap_or(0);
        Ok(Some(()))
    }
}

/// Whether an entry of a directory may be called so.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && name.len() <= NAME_MAX && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
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

/// An entry without its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) inode_ref: InodeRef,
    pub(crate) inode_number: u32,
    pub(crate) kind: Kind,
}

/// A place in a listing, with what the header of its run says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Bytes of the listing before it.
    pub(crate) passed: u32,
    pub(crate) at: Position,
    run: Run,
}

impl Place {
    /// The place of a run, before its header.
    pub(crate) fn run(passed: u32, at: Position) -> Self {
        let run = Run::default();
        Self { passed, at, run }
    }

    /// Whether a run begins here.
    pub(crate) const fn is_run(&self) -> bool {
        self.run.left == 0
    }
}

/// What the header of a run says of the entries that follow.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// Entries still to come.
    left: u32,
    /// Where the metadata block of their inodes is, from the start of the inode table.
    block: u32,
    /// What their inode numbers are counted from.
    inode: u32,
}

/// Reads the entries of a listing from some place on.
#[derive(Debug)]
pub(crate) struct Entries<'a, R> {
    stream: Stream<'a, R>,
    /// Bytes of the listing, and of those that were passed.
    length: u32,
    passed: u32,
    run: Run,
}

impl<'a, R: ReadAt> Entries<'a, R> {
    /// The entries from the start of a listing that is not empty.
    pub(crate) fn open(image: &'a Image<R>, listing: &Listing) -> Result<Self, Box<Error>> {
        Self::resume(image, listing, Place::run(0, listing.start))
    }

    /// The entries from a place that [`Entries::place`] gave.
    pub(crate) fn resume(image: &'a Image<R>, listing: &Listing, place: Place) -> Result<Self, Box<Error>> {
        let stream = Stream::open(image, image.directory_region(), place.at)?;
        Ok(Self {
            stream,
            length: listing.length,
            passed: place.passed,
            run: place.run,
        })
    }

    /// Where the next entry is.
    pub(crate) fn place(&self) -> Place {
        Place {
            passed: self.passed,
            at: self.stream.position(),
            run: self.run,
        }
    }

    /// What is wrong here.
    pub(crate) fn damaged(&self, what: &'static str) -> Box<Error> {
        self.stream.damaged(what)
    }

    /// Reads the next entry and its name, which may be [none](is_name); `None` at the end.
    pub(crate) fn next(&mut self, name: &mut Name) -> Result<Option<Entry>, Box<Error>> {
        if self.run.left == 0 {
            if self.passed >= self.length {
                return Ok(None);
            }
            self.read_run()?;
        }
        self.pass(ENTRY_SIZE)?;
        let mut record = [0; ENTRY_SIZE as usize];
        self.stream.read(&mut record)?;
        let mut fields = Cursor::new(&record);
        let offset = fields.u16();
        let inode = self
            .run
            .inode
            .checked_add_signed(i32::from(fields.i16()))
            .filter(|&number| number != 0);
        let kind = Kind::of_basic(fields.u16());
        let length = u32::from(fields.u16()) + 1;
        self.pass(length)?;
        if name.read(&mut self.stream, length)?.is_none() {
            return Err(self.damaged(NO_NAME));
        }
        self.run.left -= 1;
        Ok(Some(Entry {
            inode_ref: InodeRef(u64::from(self.run.block) << 16 | u64::from(offset)),
            inode_number: inode.ok_or_else(|| self.damaged("impossible inode number of a directory entry"))?,
            kind: kind.ok_or_else(|| self.damaged("no such type of a directory entry"))?,
        }))
    }

    fn read_run(&mut self) -> Result<(), Box<Error>> {
        self.pass(RUN_SIZE)?;
        let mut header = [0; RUN_SIZE as usize];
        self.stream.read(&mut header)?;
        let mut fields = Cursor::new(&header);
        let count = fields.u32();
        if count >= RUN_MAX {
            return Err(self.damaged("impossible number of directory entries"));
        }
        self.run = Run {
            left: count + 1,
            block: fields.u32(),
            inode: fields.u32(),
        };
        Ok(())
    }

    /// Counts bytes that are about to be read.
    fn pass(&mut self, bytes: u32) -> Result<(), Box<Error>> {
        if bytes > self.length.saturating_sub(self.passed) {
            return Err(self.damaged("directory entry behind the end of its listing"));
        }
        self.passed += bytes;
        Ok(())
    }
}

impl<R: ReadAt> Image<R> {
    /// Where listings may lie.
    pub(crate) const fn directory_region(&self) -> Region {
        Region {
            part: Part::DirectoryTable,
            start: self.superblock.directory_table,
            end: self.superblock.directory_table_end,
        }
    }
}
