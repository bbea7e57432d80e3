//! The requests of the kernel, answered from the image.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use bundle::layout::BLOCK_SIZE;
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use squashfs::{Error, Image, Inode, InodeRef};

use super::node;
use crate::image::{CheckError, OwnerMap, VerifiedImage};

/// How long the kernel may believe what it was told: the image never changes, so until it forgets.
const TTL: Duration = Duration::from_secs(0x7fff_ffff);

/// Node ids are never used for a second inode.
const GENERATION: Generation = Generation(0);

/// The offset behind `.` in a listing, and behind `..`. squashfs cookies are larger.
const BEHIND_DOT: u64 = 1;
const BEHIND_DOT_DOT: u64 = 2;

/// What is asked of the kernel where it can: listings with attributes, parallel look-ups and listings in a
/// directory, link targets kept in the page cache, and data that only we could declare stale.
const WANTED: InitFlags = InitFlags::FUSE_DO_READDIRPLUS
    .union(InitFlags::FUSE_READDIRPLUS_AUTO)
    .union(InitFlags::FUSE_PARALLEL_DIROPS)
    .union(InitFlags::FUSE_CACHE_SYMLINKS)
    .union(InitFlags::FUSE_EXPLICIT_INVAL_DATA);

thread_local! {
    /// The data of a reply: as large as the largest read so far, at most 1 MiB.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An image as a FUSE file system. Holds no state about what the kernel has looked up.
pub(super) struct Server<R> {
    image: Image<VerifiedImage>,
    owner: OwnerMap,
    report: R,
    reported: Once,
    /// The kernel does without OPEN once it was told `ENOSYS`, and keeps the cache.
    open_is_optional: bool,
    /// The same for OPENDIR.
    opendir_is_optional: bool,
}

impl<R: Fn(&CheckError) + Send + Sync + 'static> Server<R> {
    pub(super) fn new(image: Image<VerifiedImage>, owner: OwnerMap, report: R) -> Self {
        Self {
            image,
            owner,
            report,
            reported: Once::new(),
            open_is_optional: false,
            opendir_is_optional: false,
        }
    }

    fn reference(&self, ino: INodeNo) -> InodeRef {
        node::reference(self.image.root(), ino)
    }

    fn inode(&self, ino: INodeNo) -> Result<Inode, Error> {
        self.image.inode(self.reference(ino))
    }

    fn attributes_at(&self, at: InodeRef) -> Result<FileAttr, Error> {
        let inode = self.image.inode(at)?;
        Ok(node::attributes(node::id(self.image.root(), at), &inode, self.owner))
    }

    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Error> {
        let directory = self.inode(parent)?;
        match self.image.lookup(&directory, name.as_bytes())? {
            Some(at) => self.attributes_at(at),
            None => Ok(node::negative()),
        }
    }

    /// Goes through the listing of `ino` from `offset` on, until `add` says that the reply is full.
    fn list(
        &self,
        ino: INodeNo,
        offset: u64,
        mut add: impl FnMut(Listed<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let directory = self.inode(ino)?;
        let own = Listed {
            name: b".",
            next: BEHIND_DOT,
            attributes: Attributes::Own,
        };
        if offset < BEHIND_DOT && add(own)? {
            return Ok(());
        }
        let parent = Listed {
            name: b"..",
            next: BEHIND_DOT_DOT,
            attributes: Attributes::Parent,
        };
        if offset < BEHIND_DOT_DOT && add(parent)? {
            return Ok(());
        }
        let cookie = if offset <= BEHIND_DOT_DOT { 0 } else { offset };
        for entry in self.image.read_dir(&directory, cookie)? {
            let entry = entry?;
            let attributes = Attributes::Of {
                at: entry.inode_ref,
                kind: node::file_type(entry.kind),
            };
            if add(Listed {
                name: &entry.name,
                next: entry.next,
                attributes,
            })? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the one who started the server, once, that a block was not what was signed. After the reply, so that the
    /// reader does not wait for whatever comes of it.
    fn report_failure(&self) {
        if let Some(failure) = self.image.reader().failure() {
            self.reported.call_once(|| (self.report)(failure));
        }
    }
}

/// An entry of a listing.
struct Listed<'a> {
    name: &'a [u8],
    next: u64,
    attributes: Attributes,
}

/// Where the attributes of an entry come from.
enum Attributes {
    Own,
    Parent,
    Of { at: InodeRef, kind: fuser::FileType },
}

/// What the caller of a system call is told.
fn errno(error: &Error) -> Errno {
    match error {
        Error::NotADirectory { .. } => Errno::ENOTDIR,
        Error::NotAFile { .. } | Error::NotASymlink { .. } => Errno::EINVAL,
        Error::NoMemory => Errno::ENOMEM,
        _ => Errno::EIO,
    }
}

impl<R: Fn(&CheckError) + Send + Sync + 'static> Filesystem for Server<R> {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let offered = config.capabilities();
        self.open_is_optional = offered.contains(InitFlags::FUSE_NO_OPEN_SUPPORT);
        self.opendir_is_optional = offered.contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT);
        config
            .add_capabilities(offered & WANTED)
            .map_err(|_| io::ErrorKind::Unsupported)?;
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent, name) {
            Ok(attributes) => reply.entry(&TTL, &attributes, GENERATION),
            Err(error) => reply.error(errno(&error)),
        }
        self.report_failure();
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes_at(self.reference(ino)) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(errno(&error)),
        }
        self.report_failure();
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.inode(ino).and_then(|link| self.image.read_link(&link)) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(errno(&error)),
        }
        self.report_failure();
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        if self.open_is_optional {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
        }
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        if self.opendir_is_optional {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(
                FileHandle(0),
                FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_CACHE_DIR,
            );
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        BUFFER.with_borrow_mut(|buffer| {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let wanted = buffer.get_mut(..size).unwrap_or_default();
            match self.inode(ino).and_then(|file| self.image.read(&file, offset, wanted)) {
                Ok(length) => reply.data(wanted.get(..length).unwrap_or_default()),
                Err(error) => reply.error(errno(&error)),
            }
        });
        self.report_failure();
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.list(ino, offset, |entry| {
            let (number, kind) = match entry.attributes {
                Attributes::Own => (ino, fuser::FileType::Directory),
                Attributes::Parent => (node::UNKNOWN, fuser::FileType::Directory),
                Attributes::Of { at, kind } => (node::id(self.image.root(), at), kind),
            };
            Ok(reply.add(number, entry.next, kind, OsStr::from_bytes(entry.name)))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(&error)),
        }
        self.report_failure();
    }

    fn readdirplus(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
        let listed = self.list(ino, offset, |entry| {
            let attributes = match entry.attributes {
                Attributes::Own => self.attributes_at(self.reference(ino))?,
                Attributes::Parent => node::parent(),
                Attributes::Of { at, .. } => self.attributes_at(at)?,
            };
            let name = OsStr::from_bytes(entry.name);
            Ok(reply.add(attributes.ino, entry.next, name, &TTL, &attributes, GENERATION))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(&error)),
        }
        self.report_failure();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let blocks = self.image.reader().length() / BLOCK_SIZE;
        let inodes = self.image.superblock().inode_count.into();
        let block_size = 4096;
        reply.statfs(blocks, 0, 0, inodes, 0, block_size, 256, block_size);
    }

    // The mount is read-only and stays so unless someone remounts it; these answer then.

    fn setattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn rename(&self, _: &Request, _: INodeNo, _: &OsStr, _: INodeNo, _: &OsStr, _: RenameFlags, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }
}
