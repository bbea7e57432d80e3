//! A lazy, bounded reader of squashfs 4.0 images compressed with zstd.
//!
//! [`Image::open`] reads the superblock and nothing else; everything more is read when it is asked for, decompressed
//! once, and kept in caches with fixed caps. An image is hostile until shown otherwise: every length, index and
//! reference is checked before it is used, so a bad image gives an [`Error`], and never a panic, an endless loop or an
//! allocation that does not fit its block size.
#![forbid(unsafe_code)]

mod cursor;
mod directory;
mod error;
mod inode;
mod read_at;
mod superblock;

pub use directory::{DirEntry, NAME_MAX, Name, ReadDir};
pub use error::{Error, Part};
pub use inode::{Inode, InodeRef, Kind};
pub use read_at::ReadAt;
pub use superblock::Superblock;

use superblock::SUPERBLOCK_SIZE;

/// An open image. All methods take `&self`; with a reader that is `Send + Sync`, so is the image.
#[derive(Debug)]
pub struct Image<R> {
    reader: R,
    superblock: Superblock,
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
        Ok(Self {
            reader,
            superblock: Superblock::decode(&record)?,
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
        let _ = at;
        todo!()
    }

    /// Finds the entry `name` of `directory`; `None` when there is none (which `.` and `..` never are).
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`], [`Error::Damaged`], [`Error::Io`].
    pub fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<InodeRef>, Error> {
        let _ = (directory, name);
        todo!()
    }

    /// Finds `path` from the root on, following no symbolic link; leading, doubled and trailing slashes and `.`
    /// count for nothing. `None` when it, or a directory on the way, is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`], [`Error::Io`].
    pub fn find(&self, path: &[u8]) -> Result<Option<InodeRef>, Error> {
        let _ = path;
        todo!()
    }

    /// The entries of `directory` in the order of their names, bytewise, without `.` and `..`. `cookie` is 0 for the
    /// start or the [`next`](DirEntry::next) of an entry.
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`], [`Error::Damaged`], [`Error::Io`]; the iterator's items likewise.
    pub fn read_dir(&self, directory: &Inode, cookie: u64) -> Result<ReadDir<'_, R>, Error> {
        let _ = (directory, cookie);
        Ok(ReadDir { image: self })
    }

    /// The target of a symbolic link: 1 to 4096 bytes, none of them NUL.
    ///
    /// # Errors
    ///
    /// [`Error::NotASymlink`], [`Error::Damaged`], [`Error::Io`].
    pub fn read_link(&self, link: &Inode) -> Result<Vec<u8>, Error> {
        let _ = link;
        todo!()
    }

    /// Reads bytes of `file` from `offset` on into `buf`, and says how many: as many as fit or the file has, 0 at its
    /// end and behind it. A whole data block that is asked for is decompressed straight into `buf`.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFile`], [`Error::Damaged`], [`Error::Io`], [`Error::NoMemory`].
    pub fn read(&self, file: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let _ = (file, offset, buf);
        todo!()
    }

    /// The first position at or behind `offset` that holds data, as lseek(2) with `SEEK_DATA` has it; `None` when
    /// only a hole follows or the file ends.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn seek_data(&self, file: &Inode, offset: u64) -> Result<Option<u64>, Error> {
        let _ = (file, offset);
        todo!()
    }

    /// The first position at or behind `offset` that is in a hole, as lseek(2) with `SEEK_HOLE` has it: the file's
    /// end at the latest; `None` when `offset` is not before the end.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn seek_hole(&self, file: &Inode, offset: u64) -> Result<Option<u64>, Error> {
        let _ = (file, offset);
        todo!()
    }
}
