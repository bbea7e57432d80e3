//! Inodes.

use crate::Image;
use crate::blocks::{FileBlocks, WORD_SIZE};
use crate::cursor::Cursor;
use crate::error::{Error, Part};
use crate::fragment::Fragment;
use crate::metadata::{METADATA_SIZE, Position, Region, Stream};
use crate::read_at::ReadAt;

/// The longest target of a symbolic link, in bytes: Linux makes none longer than `PATH_MAX`, and its squashfs reads
/// none longer than a page.
pub(crate) const TARGET_MAX: u16 = 4096;

/// Bytes of the fields that all inodes begin with.
const HEADER_SIZE: usize = 16;

/// Bytes of the longest fixed part behind them, that of an extended file.
const BODY_MAX: usize = 40;

/// The index of a fragment that is not there.
const NO_FRAGMENT: u32 = u32::MAX;

/// What a directory's stored size is above the size of its listing: room the kernel keeps for `.` and `..`.
const LISTING_EXTRA: u32 = 3;

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

    pub(crate) const fn blocks_of_file(&self) -> Result<&FileBlocks, Error> {
        match &self.content {
            Content::File(blocks) => Ok(blocks),
            _ => Err(Error::NotAFile { inode: self.number }),
        }
    }

    pub(crate) const fn listing(&self) -> Result<&Listing, Error> {
        match &self.content {
            Content::Directory(listing) => Ok(listing),
            _ => Err(Error::NotADirectory { inode: self.number }),
        }
    }

    /// What is wrong with the inode's data, at the place where it says that this begins.
    pub(crate) const fn damaged(&self, what: &'static str) -> Error {
        let offset = match self.content {
            Content::File(blocks) => blocks.list.block,
            Content::Directory(Listing { start: at, .. }) | Content::Symlink { target: at, .. } => at.block,
            Content::Other => 0,
        };
        Error::Damaged {
            part: Part::InodeTable,
            offset,
            what,
        }
    }
}

impl<R: ReadAt> Image<R> {
    /// Where inodes may lie.
    pub(crate) const fn inode_region(&self) -> Region {
        Region {
            part: Part::InodeTable,
            start: self.superblock.inode_table,
            end: self.superblock.directory_table,
        }
    }

    /// See [`Image::inode`].
    pub(crate) fn read_inode(&self, at: InodeRef) -> Result<Inode, Error> {
        let region = self.inode_region();
        let block = region.start.saturating_add(at.block());
        let mut stream = Stream::open(
            self,
            region,
            Position {
                block,
                offset: at.offset(),
            },
        )?;
        let mut header = [0; HEADER_SIZE];
        stream.read(&mut header)?;
        let mut fields = Cursor::new(&header);
        let number_of_type = fields.u16();
        let permissions = fields.u16() & 0o7777;
        let (uid, gid) = (fields.u16(), fields.u16());
        let mtime = fields.u32();
        let number = fields.u32();
        if number == 0 {
            return Err(stream.damaged("inode number zero"));
        }
        let (basic, extended) = if number_of_type > 7 {
            (number_of_type - 7, true)
        } else {
            (number_of_type, false)
        };
        let kind = Kind::of_basic(basic).ok_or_else(|| stream.damaged("no such inode type"))?;
        let (uid, gid) = (self.id(uid)?, self.id(gid)?);
        let inode = Inode {
            number,
            kind,
            permissions,
            uid,
            gid,
            mtime,
            nlink: 1,
            size: 0,
            blocks: 0,
            rdev: 0,
            parent: 0,
            content: Content::Other,
        };
        self.read_body(inode, extended, &mut stream)
    }

    /// Reads what comes behind the common fields.
    fn read_body(&self, mut inode: Inode, extended: bool, stream: &mut Stream<'_, R>) -> Result<Inode, Error> {
        let mut body = [0; BODY_MAX];
        // Extended links, devices and the like only add an index of extended attributes at the end.
        let length = match (inode.kind, extended) {
            (Kind::Directory | Kind::File, false) => 16,
            (Kind::Directory, true) => 24,
            (Kind::File, true) => BODY_MAX,
            (Kind::Symlink | Kind::BlockDevice | Kind::CharacterDevice, _) => 8,
            (Kind::Fifo | Kind::Socket, _) => 4,
        };
        stream.read(body.get_mut(..length).unwrap_or_default())?;
        let mut fields = Cursor::new(&body);
        match (inode.kind, extended) {
            (Kind::Directory, false) => self.basic_directory(&mut inode, &mut fields, stream),
            (Kind::Directory, true) => self.extended_directory(&mut inode, &mut fields, stream),
            (Kind::File, false) => self.basic_file(&mut inode, &mut fields, stream)?,
            (Kind::File, true) => self.extended_file(&mut inode, &mut fields, stream)?,
            (Kind::Symlink, _) => {
                inode.nlink = fields.u32();
                let length = u16::try_from(fields.u32())
                    .ok()
                    .filter(|length| (1..=TARGET_MAX).contains(length));
                let length = length.ok_or_else(|| stream.damaged("impossible length of a symbolic link"))?;
                inode.size = u64::from(length);
                inode.content = Content::Symlink {
                    target: stream.position(),
                    length,
                };
            }
            (Kind::BlockDevice | Kind::CharacterDevice, _) => {
                inode.nlink = fields.u32();
                inode.rdev = fields.u32();
            }
            (Kind::Fifo | Kind::Socket, _) => inode.nlink = fields.u32(),
        }
        Ok(inode)
    }

    fn basic_directory(&self, inode: &mut Inode, fields: &mut Cursor<'_>, stream: &Stream<'_, R>) {
        let block = fields.u32();
        inode.nlink = fields.u32();
        let size = u32::from(fields.u16());
        let offset = fields.u16();
        inode.parent = fields.u32();
        self.directory(inode, size, (block, offset), 0, stream);
    }

    fn extended_directory(&self, inode: &mut Inode, fields: &mut Cursor<'_>, stream: &Stream<'_, R>) {
        inode.nlink = fields.u32();
        let size = fields.u32();
        let block = fields.u32();
        inode.parent = fields.u32();
        let index_count = fields.u16();
        let offset = fields.u16();
        self.directory(inode, size, (block, offset), index_count, stream);
    }

    fn directory(
        &self,
        inode: &mut Inode,
        size: u32,
        (block, offset): (u32, u16),
        index_count: u16,
        stream: &Stream<'_, R>,
    ) {
        inode.size = u64::from(size);
        inode.content = Content::Directory(Listing {
            start: Position {
                block: self.superblock.directory_table.saturating_add(u64::from(block)),
                offset,
            },
            length: size.saturating_sub(LISTING_EXTRA),
            index: stream.position(),
            index_count,
        });
    }

    fn basic_file(&self, inode: &mut Inode, fields: &mut Cursor<'_>, stream: &Stream<'_, R>) -> Result<(), Error> {
        let start = u64::from(fields.u32());
        let fragment = Fragment {
            index: fields.u32(),
            offset: fields.u32(),
        };
        inode.size = u64::from(fields.u32());
        inode.blocks = inode.size.div_ceil(512);
        self.file(inode, start, fragment, stream)
    }

    fn extended_file(&self, inode: &mut Inode, fields: &mut Cursor<'_>, stream: &Stream<'_, R>) -> Result<(), Error> {
        let start = fields.u64();
        inode.size = fields.u64();
        let sparse = fields.u64();
        inode.nlink = fields.u32();
        let fragment = Fragment {
            index: fields.u32(),
            offset: fields.u32(),
        };
        inode.blocks = inode.size.saturating_sub(sparse).div_ceil(512);
        self.file(inode, start, fragment, stream)
    }

    fn file(&self, inode: &mut Inode, start: u64, fragment: Fragment, stream: &Stream<'_, R>) -> Result<(), Error> {
        if inode.size > i64::MAX.unsigned_abs() {
            return Err(stream.damaged("impossible size of a file"));
        }
        let block_size = u64::from(self.superblock.block_size);
        let fragment = Some(fragment).filter(|fragment| fragment.index != NO_FRAGMENT);
        let tail = inode.size % block_size;
        let count = match fragment {
            Some(fragment) if u64::from(fragment.offset) + tail > block_size => {
                return Err(stream.damaged("tail end outside its fragment"));
            }
            Some(_) => inode.size / block_size,
            None => inode.size.div_ceil(block_size),
        };
        let list = stream.position();
        if count > self.most_words(list) {
            return Err(stream.damaged("file larger than the inode table can describe"));
        }
        inode.content = Content::File(FileBlocks {
            list,
            count,
            start,
            fragment,
        });
        Ok(())
    }

    /// How many words of a block list can follow `list` in the inode table, if all its blocks were as small as can be
    /// (a header and a byte) and as full as can be.
    const fn most_words(&self, list: Position) -> u64 {
        let blocks = self.superblock.directory_table.saturating_sub(list.block) / 3 + 1;
        blocks.saturating_mul((METADATA_SIZE / WORD_SIZE) as u64)
    }

    /// See [`Image::read_link`].
    pub(crate) fn read_target(&self, link: &Inode) -> Result<Vec<u8>, Error> {
        let Content::Symlink { target, length } = link.content else {
            return Err(Error::NotASymlink { inode: link.number });
        };
        let mut bytes = vec![0; usize::from(length)];
        Stream::open(self, self.inode_region(), target)?.read(&mut bytes)?;
        if bytes.contains(&0) {
            return Err(link.damaged("NUL in the target of a symbolic link"));
        }
        Ok(bytes)
    }
}
