//! Decoding inodes.

use crate::Image;
use crate::blocks::{FileBlocks, WORD_SIZE};
use crate::cursor::Cursor;
use crate::error::{Error, Part};
use crate::fragment::Fragment;
use crate::inode::{Content, Inode, InodeRef, Kind, Listing};
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
    pub(crate) fn read_inode(&self, at: InodeRef) -> Result<Inode, Box<Error>> {
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
    fn read_body(&self, mut inode: Inode, extended: bool, stream: &mut Stream<'_, R>) -> Result<Inode, Box<Error>> {
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

    fn basic_file(&self, inode: &mut Inode, fields: &mut Cursor<'_>, stream: &Stream<'_, R>) -> Result<(), Box<Error>> {
        let start = u64::from(fields.u32());
        let fragment = Fragment {
            index: fields.u32(),
            offset: fields.u32(),
        };
        inode.size = u64::from(fields.u32());
        inode.blocks = inode.size.div_ceil(512);
        self.file(inode, start, fragment, stream)
    }

    fn extended_file(
        &self,
        inode: &mut Inode,
        fields: &mut Cursor<'_>,
        stream: &Stream<'_, R>,
    ) -> Result<(), Box<Error>> {
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

    fn file(
        &self,
        inode: &mut Inode,
        start: u64,
        fragment: Fragment,
        stream: &Stream<'_, R>,
    ) -> Result<(), Box<Error>> {
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
    pub(crate) fn read_target(&self, link: &Inode) -> Result<Vec<u8>, Box<Error>> {
        let Content::Symlink { target, length } = link.content else {
            return Err(Box::new(Error::NotASymlink { inode: link.number }));
        };
        let mut bytes = vec![0; usize::from(length)];
        Stream::open(self, self.inode_region(), target)?.read(&mut bytes)?;
        if bytes.contains(&0) {
            return Err(link.damaged("NUL in the target of a symbolic link"));
        }
        Ok(bytes)
    }
}
