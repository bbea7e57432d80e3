//! A lazy, bounded reader of squashfs 4.0 images compressed with zstd.
//!
//! [`Image::open`] reads the superblock and nothing else; everything more is read when it is asked for, decompressed
//! once, and kept in caches with fixed caps. Extended attributes are passed over.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let image = squashfs::Image::open(std::fs::File::open("image.squashfs")?)?;
//! if let Some(at) = image.find(b"/etc/os-release")? {
//!     let file = image.inode(at)?;
//!     let mut text = vec![0; 1000];
//!     let length = image.read(&file, 0, &mut text)?;
//!     print!("{}", String::from_utf8_lossy(&text[..length]));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Hostile images
//!
//! Every length, index and reference is checked before it is used, so a bad image gives an [`Error`] or other contents
//! than were meant, and never a panic, an endless loop or an allocation larger than a block. Names of entries and
//! targets of links are fit to be used as such: no `/`, NUL, `.` or `..` in a listing, and no name twice.
//!
//! What goes through a whole tree must bound itself: a directory may hold itself, or one of its own ancestors, or stand
//! in many places. No directory of a sound image is met twice, so a set of the [`InodeRef`]s of directories met is
//! enough to refuse the others.
//!
//! # Memory
//!
//! Whatever the image: 2 MiB of metadata, 4 MiB of data blocks, 4 MiB of fragment blocks, four idle decompressors of
//! about 100 KiB and one block each, 300 KiB of positions in long listings and files; and a block for each thread that reads at the moment.
//!
//! The format is that of `doc/format.adoc` in squashfs-tools-ng, the limits those of fs/squashfs in Linux.
#![forbid(unsafe_code)]

mod blocks;
mod cache;
mod cursor;
mod data;
mod decompress;
mod directory;
mod directory_index;
mod error;
mod fragment;
mod id_table;
mod inode;
mod inode_table;
mod lookup_table;
mod metadata;
mod path;
mod read_at;
mod read_dir;
mod superblock;

pub use directory::{NAME_MAX, Name};
pub use error::{Error, Part};
pub use inode::{Inode, InodeRef, Kind};
pub use read_at::ReadAt;
pub use read_dir::{DirEntry, ReadDir};
pub use superblock::Superblock;

use blocks::Waypoints;
use cache::Cache;
use data::{DATA_CACHE_BYTES, DataBlock};
use decompress::Decompressors;
use directory_index::{SIGNPOST_CACHE_BYTES, Signposts};
use fragment::FRAGMENT_CACHE_BYTES;
use lookup_table::LookupTable;
use metadata::{METADATA_CACHE_BYTES, MetadataBlock};
use read_dir::Places;
use superblock::SUPERBLOCK_SIZE;

/// An open image. All methods take `&self`; with a reader that is `Send + Sync`, so is the image.
#[derive(Debug)]
pub struct Image<R> {
    reader: R,
    superblock: Superblock,
    decompressors: Decompressors,
    metadata: Cache<MetadataBlock>,
    data: Cache<DataBlock>,
    fragments: Cache<DataBlock>,
    ids: LookupTable,
    fragment_table: LookupTable,
    waypoints: Waypoints,
    places: Places,
    signposts: Cache<Signposts>,
}

impl<R: ReadAt> Image<R> {
    /// Opens the image whose first byte is the reader's first byte. Reads and checks the superblock only.
    ///
    /// # Errors
    ///
    /// [`Error::NotSquashfs`], [`Error::Version`], [`Error::Compressor`] when it is something else than squashfs 4.0
    /// with zstd, [`Error::Damaged`] when the superblock contradicts itself, [`Error::Io`].
    pub fn open(reader: R) -> Result<Self, Error> {
        let mut record = [0; SUPERBLOCK_SIZE];
        reader.read_exact_at(&mut record, 0).map_err(|source| Error::Io {
            part: Part::Superblock,
            offset: 0,
            source,
        })?;
        let superblock = Superblock::decode(&record)?;
        Ok(Self {
            reader,
            superblock,
            decompressors: Decompressors::new(),
            metadata: Cache::new(METADATA_CACHE_BYTES),
            data: Cache::new(DATA_CACHE_BYTES),
            fragments: Cache::new(FRAGMENT_CACHE_BYTES),
            ids: id_table::id_table(&superblock),
            fragment_table: fragment::fragment_table(&superblock),
            waypoints: Waypoints::new(),
            places: Places::new(),
            signposts: Cache::new(SIGNPOST_CACHE_BYTES),
        })
    }

    /// The superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The reader the image was opened with.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// The root directory.
    pub fn root(&self) -> InodeRef {
        self.superblock.root
    }

    /// Reads an inode.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when there is none at that place or it contradicts the format, [`Error::Io`].
    pub fn inode(&self, at: InodeRef) -> Result<Inode, Error> {
        self.read_inode(at).map_err(|error| *error)
    }

    /// Finds the entry `name` of `directory`; `None` when there is none (which `.` and `..` never are).
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`], [`Error::Damaged`], [`Error::Io`].
    pub fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<InodeRef>, Error> {
        let found = self.find_entry(directory, name).map_err(|error| *error)?;
        Ok(found.map(|entry| entry.inode_ref))
    }

    /// Finds `path` from the root on, following no symbolic link; leading, doubled and trailing slashes and `.`
    /// count for nothing. `None` when it, or a directory on the way, is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`], [`Error::Io`].
    pub fn find(&self, path: &[u8]) -> Result<Option<InodeRef>, Error> {
        self.find_path(path).map_err(|error| *error)
    }

    /// The entries of `directory` in the order of their names, bytewise, without `.` and `..`. `cookie` is 0 for the
    /// start or the [`next`](DirEntry::next) of an entry.
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`], [`Error::Damaged`], [`Error::Io`]; the iterator's items likewise.
    pub fn read_dir(&self, directory: &Inode, cookie: u64) -> Result<ReadDir<'_, R>, Error> {
        ReadDir::open(self, directory, cookie).map_err(|error| *error)
    }

    /// The target of a symbolic link: 1 to 4096 bytes, none of them NUL.
    ///
    /// # Errors
    ///
    /// [`Error::NotASymlink`], [`Error::Damaged`], [`Error::Io`].
    pub fn read_link(&self, link: &Inode) -> Result<Vec<u8>, Error> {
        self.read_target(link).map_err(|error| *error)
    }

    /// Reads bytes of `file` from `offset` on into `buf`, and says how many: as many as fit or the file has, 0 at its
    /// end and behind it. A whole data block that is asked for is decompressed straight into `buf`. After an
    /// error the contents of `buf` are not specified.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFile`], [`Error::Damaged`], [`Error::Io`], [`Error::NoMemory`].
    pub fn read(&self, file: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        self.read_file(file, offset, buf).map_err(|error| *error)
    }

    /// The first position at or behind `offset` that holds data, as lseek(2) with `SEEK_DATA` has it; `None` when
    /// only a hole follows or the file ends.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn seek_data(&self, file: &Inode, offset: u64) -> Result<Option<u64>, Error> {
        self.next_data(file, offset).map_err(|error| *error)
    }

    /// The first position at or behind `offset` that is in a hole, as lseek(2) with `SEEK_HOLE` has it: the file's
    /// end at the latest; `None` when `offset` is not before the end.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn seek_hole(&self, file: &Inode, offset: u64) -> Result<Option<u64>, Error> {
        self.next_hole(file, offset).map_err(|error| *error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_may_share_an_image_and_its_parts() {
        fn shared<T: Send + Sync>() {}
        shared::<Image<std::fs::File>>();
        shared::<ReadDir<'static, std::fs::File>>();
        shared::<Inode>();
        shared::<Error>();
    }
}
