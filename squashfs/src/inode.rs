//! Inodes.

use crate::blocks::FileBlocks;
use crate::error::{Error, Part};
use crate::metadata::Position;

/// A reference to an inode as squashfs has it: the position of its metadata block in the inode table, times 2^16,
/// plus its offset in the block. Any number may be asked for: a wrong one is an error, or another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeRef(pub u64);

impl InodeRef {
    /// The position of the metadata block, in bytes from the start of the inode table.
    pub(crate) const fn block(self) -> u64 {
        self.0 >> 16
    }

    /// The offset in the uncompressed block, in bytes.
    pub(crate) const fn offset(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharacterDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Kind {
    /// The kind a basic inode type stands for.
    pub(crate) const fn of_basic(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Directory,
            2 => Self::File,
            3 => Self::Symlink,
            4 => Self::BlockDevice,
            5 => Self::CharacterDevice,
            6 => Self::Fifo,
            7 => Self::Socket,
            _ => return None,
        })
    }
}

/// An inode, decoded; a plain value that owns nothing and may be kept or asked for again as suits.
#[derive(Debug, Clone, Copy)]
pub struct Inode {
    /// Its number; unique if the image is sound, never zero.
    pub number: u32,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-user-id, set-group-id and sticky: `0o7777` at most.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When it was last modified, in seconds since 1970, unsigned.
    pub mtime: u32,
    /// Hard links, as stored.
    pub nlink: u32,
    /// Bytes of a file or of a link's target; for a directory the listing's size as stored, as stat(2) shows it
    /// on the kernel's squashfs. Never above `i64::MAX`.
    pub size: u64,
    /// Blocks of 512 bytes that a file's data would take, without its holes: `st_blocks` of stat(2). Else zero.
    pub blocks: u64,
    /// The device number of a device in the kernel's 32-bit encoding (`new_encode_dev`, also FUSE's), else zero:
    /// minor 0-7, major 8-19, minor 20-31.
    pub rdev: u32,
    /// The inode number of a directory's parent, else zero. The root's is not that of any inode.
    pub parent: u32,
    pub(crate) content: Content,
}

/// Where what an inode holds is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Directory(Listing),
    File(FileBlocks),
    Symlink {
        target: Position,
        /// Bytes of the target, at most [`TARGET_MAX`].
        length: u16,
    },
    Other,
}

/// Where the listing of a directory is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing {
    /// Where it begins, if it has any bytes.
    pub(crate) start: Position,
    /// Bytes of it.
    pub(crate) length: u32,
    /// Where the index begins, in the inode table.
    pub(crate) index: Position,
    /// Entries of the index.
    pub(crate) index_count: u16,
}

impl Inode {
    /// The major and minor number of a device.
    #[must_use]
    pub const fn device(&self) -> (u32, u32) {
        (
            (self.rdev & 0xf_ff00) >> 8,
            (self.rdev & 0xff) | ((self.rdev >> 12) & 0xf_ff00),
        )
    }

    pub(crate) fn blocks_of_file(&self) -> Result<&FileBlocks, Box<Error>> {
        match &self.content {
            Content::File(blocks) => Ok(blocks),
            _ => Err(Box::new(Error::NotAFile { inode: self.number })),
        }
    }

    pub(crate) fn listing(&self) -> Result<&Listing, Box<Error>> {
        match &self.content {
            Content::Directory(listing) => Ok(listing),
            _ => Err(Box::new(Error::NotADirectory { inode: self.number })),
        }
    }

    /// What is wrong with the inode's data, at the place where it says that this begins.
    pub(crate) fn damaged(&self, what: &'static str) -> Box<Error> {
        let offset = match self.content {
            Content::File(blocks) => blocks.list.block,
            Content::Directory(Listing { start: at, .. }) | Content::Symlink { target: at, .. } => at.block,
            Content::Other => 0,
        };
        Error::damaged(Part::InodeTable, offset, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_taken_apart_as_the_kernel_does() {
        let inode = Inode {
            number: 1,
            kind: Kind::BlockDevice,
            permissions: 0,
            uid: 0,
            gid: 0,
            mtime: 0,
            nlink: 1,
            size: 0,
            blocks: 0,
            rdev: 0,
            parent: 0,
            content: Content::Other,
        };
        for (rdev, device) in [
            (0, (0, 0)),
            (0x0103, (1, 3)),
            (0x0f_ff00, (0xfff, 0)),
            (0xfff0_00ff, (0, 0xf_ffff)),
            (u32::MAX, (0xfff, 0xf_ffff)),
        ] {
            assert_eq!(Inode { rdev, ..inode }.device(), device, "{rdev:#x}");
        }
    }

    #[test]
    fn references_are_a_block_and_an_offset() {
        let at = InodeRef(0x1234_5678_9abc_def0);
        assert_eq!((at.block(), at.offset()), (0x1234_5678_9abc, 0xdef0));
    }
}
