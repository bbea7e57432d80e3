//! Inodes.

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
    /// The device number of a device in the kernel's 32-bit encoding (`new_encode_dev`, also FUSE's), else zero:
    /// minor 0-7, major 8-19, minor 20-31.
    pub rdev: u32,
    /// The inode number of a directory's parent, else zero. The root's is not that of any inode.
    pub parent: u32,
}
