//! What the image holds, in the terms of FUSE.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use fuser::{Errno, FileAttr, FileType, INodeNo};
use squashfs::{Error, Image, Inode, InodeRef};

use super::node;
use crate::image::{CheckError, OwnerMap, VerifiedImage};

/// The offset behind `.` in a listing, and behind `..`. squashfs cookies are larger.
const BEHIND_DOT: u64 = 1;
const BEHIND_DOT_DOT: u64 = 2;

thread_local! {
    /// The data of a reply: as large as the largest read so far, at most 1 MiB.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The files of an image. Holds no state about what the kernel has looked up.
#[derive(Debug)]
pub(super) struct Files {
    image: Image<VerifiedImage>,
    owner: OwnerMap,
}

/// An entry of a listing.
pub(super) struct Listed<'a> {
    pub(super) name: &'a OsStr,
    /// The offset behind it.
    pub(super) next: u64,
    what: What,
}

/// What an entry of a listing names.
enum What {
    This(INodeNo),
    Parent,
    Child { at: InodeRef, kind: FileType },
}

impl Files {
    pub(super) fn new(image: Image<VerifiedImage>, owner: OwnerMap) -> Self {
        Self { image, owner }
    }

    pub(super) fn image(&self) -> &Image<VerifiedImage> {
        &self.image
    }

    /// The block that failed first, if any did.
    pub(super) fn failure(&self) -> Option<&CheckError> {
        self.image.reader().failure()
    }

    fn inode(&self, ino: INodeNo) -> Result<Inode, Error> {
        self.image.inode(node::reference(self.image.root(), ino))
    }

    fn attributes_at(&self, at: InodeRef) -> Result<FileAttr, Error> {
        let inode = self.image.inode(at)?;
        Ok(node::attributes(node::id(self.image.root(), at), &inode, self.owner))
    }

    pub(super) fn attributes(&self, ino: INodeNo) -> Result<FileAttr, Error> {
        self.attributes_at(node::reference(self.image.root(), ino))
    }

    /// The attributes of the entry `name`, or those that say that there is none.
    pub(super) fn find(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Error> {
        let directory = self.inode(parent)?;
        match self.image.lookup(&directory, name.as_bytes())? {
            Some(at) => self.attributes_at(at),
            None => Ok(node::negative()),
        }
    }

    pub(super) fn read_link(&self, ino: INodeNo) -> Result<Vec<u8>, Error> {
        self.image.read_link(&self.inode(ino)?)
    }

    /// Gives `reply` up to `size` bytes of a file, fewer at its end only.
    pub(super) fn read<T>(
        &self,
        ino: INodeNo,
        offset: u64,
        size: u32,
        reply: impl FnOnce(Result<&[u8], Error>) -> T,
    ) -> T {
        BUFFER.with_borrow_mut(|buffer| {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let wanted = buffer.get_mut(..size).unwrap_or_default();
            let read = self.inode(ino).and_then(|file| self.image.read(&file, offset, wanted));
            reply(read.map(|length| wanted.get(..length).unwrap_or_default()))
        })
    }

    /// Goes through the listing of `ino` from `offset` on, until `add` says that the reply is full.
    pub(super) fn list(
        &self,
        ino: INodeNo,
        offset: u64,
        mut add: impl FnMut(Listed<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let directory = self.inode(ino)?;
        let dots = [(".", BEHIND_DOT, What::This(ino)), ("..", BEHIND_DOT_DOT, What::Parent)];
        for (name, next, what) in dots {
            let name = OsStr::new(name);
            if offset < next && add(Listed { name, next, what })? {
                return Ok(());
            }
        }
        let cookie = if offset <= BEHIND_DOT_DOT { 0 } else { offset };
        for entry in self.image.read_dir(&directory, cookie)? {
            let entry = entry?;
            let (name, next) = (OsStr::from_bytes(&entry.name), entry.next);
            let (at, kind) = (entry.inode_ref, node::file_type(entry.kind));
            let what = What::Child { at, kind };
            if add(Listed { name, next, what })? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Node id and type of an entry, without a look at its inode.
    pub(super) fn identify(&self, listed: &Listed<'_>) -> (INodeNo, FileType) {
        match listed.what {
            What::This(ino) => (ino, FileType::Directory),
            What::Parent => (node::UNKNOWN, FileType::Directory),
            What::Child { at, kind } => (node::id(self.image.root(), at), kind),
        }
    }

    /// All attributes of an entry.
    pub(super) fn describe(&self, listed: &Listed<'_>) -> Result<FileAttr, Error> {
        match listed.what {
            What::This(ino) => self.attributes(ino),
            What::Parent => Ok(node::parent()),
            What::Child { at, .. } => self.attributes_at(at),
        }
    }
}

/// What the caller of a system call is told.
pub(super) fn errno(error: &Error) -> Errno {
    match error {
        Error::NotADirectory { .. } => Errno::ENOTDIR,
        Error::NotAFile { .. } | Error::NotASymlink { .. } => Errno::EINVAL,
        Error::NoMemory => Errno::ENOMEM,
        _ => Errno::EIO,
    }
}
