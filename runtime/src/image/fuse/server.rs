//! The requests of the kernel, and their answers.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime};

use bundle::layout::BLOCK_SIZE;
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use squashfs::Error;

use super::files::{Files, errno};
use super::workers::Workers;
use crate::image::CheckError;

/// How long the kernel may believe what it was told: the image never changes, so until it forgets.
const TTL: Duration = Duration::from_secs(0x7fff_ffff);

/// Node ids are never used for a second inode.
const GENERATION: Generation = Generation(0);

/// What is asked of the kernel where it can: listings with attributes, parallel look-ups and listings in a
/// directory, link targets kept in the page cache, and data that only we could declare stale.
const WANTED: InitFlags = InitFlags::FUSE_DO_READDIRPLUS
    .union(InitFlags::FUSE_READDIRPLUS_AUTO)
    .union(InitFlags::FUSE_PARALLEL_DIROPS)
    .union(InitFlags::FUSE_CACHE_SYMLINKS)
    .union(InitFlags::FUSE_EXPLICIT_INVAL_DATA);

/// Is told of the first block that is not what was signed.
pub(super) type Report = Box<dyn Fn(&CheckError) + Send + Sync>;

/// An image as a FUSE file system.
pub(super) struct Server {
    shared: Arc<Shared>,
    workers: Workers,
    /// The kernel does without OPEN once it was told `ENOSYS`, and keeps the cache.
    open_is_optional: bool,
    /// The same for OPENDIR.
    opendir_is_optional: bool,
}

/// What the workers use as well.
struct Shared {
    files: Files,
    report: Report,
    reported: Once,
}

impl Shared {
    /// Tells the one who started the server, once, that a block was not what was signed.
    fn report_failure(&self) {
        if let Some(failure) = self.files.failure() {
            self.reported.call_once(|| (self.report)(failure));
        }
    }

    /// What to answer to a request that failed. The report comes first: whoever gets the answer may end at it.
    fn refuse(&self, error: &Error) -> Errno {
        self.report_failure();
        errno(error)
    }
}

impl Server {
    /// A server for `files`; `connection` is the descriptor that requests come from.
    pub(super) fn new(files: Files, connection: OwnedFd, report: Report) -> Self {
        Self {
            shared: Arc::new(Shared {
                files,
                report,
                reported: Once::new(),
            }),
            workers: Workers::new(connection),
            open_is_optional: false,
            opendir_is_optional: false,
        }
    }

    fn files(&self) -> &Files {
        &self.shared.files
    }
}

impl Filesystem for Server {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let offered = config.capabilities();
        self.open_is_optional = offered.contains(InitFlags::FUSE_NO_OPEN_SUPPORT);
        self.opendir_is_optional = offered.contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT);
        config
            .add_capabilities(offered & WANTED)
            .map_err(|_| io::ErrorKind::Unsupported)?;
        Ok(())
    }

    fn destroy(&mut self) {
        self.workers.finish();
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.files().find(parent, name) {
            Ok(attributes) => reply.entry(&TTL, &attributes, GENERATION),
            Err(error) => reply.error(self.shared.refuse(&error)),
        }
        self.shared.report_failure();
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.files().attributes(ino) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(self.shared.refuse(&error)),
        }
        self.shared.report_failure();
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.files().read_link(ino) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(self.shared.refuse(&error)),
        }
        self.shared.report_failure();
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
        let shared = Arc::clone(&self.shared);
        self.workers.run(move || {
            shared.files.read(ino, offset, size, |data| match data {
                Ok(data) => reply.data(data),
                Err(error) => reply.error(shared.refuse(&error)),
            });
            shared.report_failure();
        });
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.files().list(ino, offset, |entry| {
            let (number, kind) = self.files().identify(&entry);
            Ok(reply.add(number, entry.next, kind, entry.name))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(self.shared.refuse(&error)),
        }
        self.shared.report_failure();
    }

    fn readdirplus(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
        let listed = self.files().list(ino, offset, |entry| {
            let attributes: FileAttr = self.files().describe(&entry)?;
            Ok(reply.add(attributes.ino, entry.next, entry.name, &TTL, &attributes, GENERATION))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(self.shared.refuse(&error)),
        }
        self.shared.report_failure();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let image = self.files().image();
        let blocks = image.reader().length() / BLOCK_SIZE;
        let block_size = 4096;
        let name_max = 255;
        reply.statfs(
            blocks,
            0,
            0,
            image.superblock().inode_count.into(),
            0,
            block_size,
            name_max,
            block_size,
        );
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
