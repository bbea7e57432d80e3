//! Every look-up inside the root file system.
//!
//! The tree is somebody else's: its links may be absolute, lead in circles or out of it. [`Rootfs::resolve`] walks a path link by
//! link as the kernel does it after `chroot`; each component is opened by [`Confinement`], which cannot leave the root whatever
//! the tree turns into meanwhile. What is known of a path is kept: the tree is taken not to change while it is planned.

mod braces;
mod error;
mod glob;
mod lookup;
mod path;
mod resolve;
mod visit;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

pub use error::RootfsError;
pub use glob::{Pattern, PatternError};
pub use lookup::Confinement;
pub(crate) use lookup::PATH_MAX;
pub(crate) use path::serialize_bytes_lossy;
pub use path::{RootPath, printable};
pub(crate) use resolve::MAX_LINKS;
pub use resolve::{Last, Resolution};
pub use visit::Met;

/// Directories that the kernel fills: what a tree has there is not part of it.
pub(crate) const KERNEL_DIRECTORIES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A root file system, open for look-ups.
#[derive(Debug)]
pub struct Rootfs {
    path: PathBuf,
    root: OwnedFd,
    confinement: Confinement,
    nodes: Mutex<HashMap<RootPath, Result<Arc<Node>, Errno>>>,
}

/// What kind of file a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Block or character device.
    Device,
    /// FIFO.
    Fifo,
    /// Unix socket.
    Socket,
}

/// What `lstat` says, as far as packing needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Kind of file.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: `st_mode & 0o7777`.
    pub mode: u32,
    /// Owner, numeric.
    pub uid: u32,
    /// Group, numeric.
    pub gid: u32,
    /// Modification time, seconds since the epoch.
    pub mtime: i64,
    /// Size in bytes.
    pub size: u64,
    /// Device and inode number: equal for two names of one file.
    pub identity: (u64, u64),
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name, without `.` and `..`.
    pub name: Vec<u8>,
    /// Kind of file, where the file system tells it with the name.
    pub kind: Option<Kind>,
}

/// What is known of a path.
#[derive(Debug)]
struct Node {
    metadata: Metadata,
    /// Target, of a symbolic link.
    target: Option<Vec<u8>>,
    /// A link of procfs, whose text is not where it leads.
    magic: bool,
}

impl Rootfs {
    /// The root file system in the directory that `root` is open for, which need not have a path; it is called `path` for people.
    ///
    /// # Errors
    /// [`RootfsError::Unreadable`] where there are no descriptors left.
    pub fn of_descriptor(root: &OwnedFd, path: &Path) -> Result<Self, RootfsError> {
        let root = root.try_clone().map_err(|error| RootfsError::Unreadable {
            rootfs: path.to_owned(),
            errno: errno_of(&error),
        })?;
        let confinement = Confinement::detect(&root);
        Ok(Self::new(path, root, confinement))
    }

    /// Opens the directory `path` as a root file system.
    ///
    /// # Errors
    /// [`RootfsError::Missing`], [`RootfsError::NotADirectory`], [`RootfsError::Unreadable`].
    pub fn open(path: &Path) -> Result<Self, RootfsError> {
        let root = open_root(path)?;
        let confinement = Confinement::detect(&root);
        Ok(Self::new(path, root, confinement))
    }

    /// Opens `path` with the given confinement, whatever the kernel has.
    ///
    /// # Errors
    /// As [`Rootfs::open`].
    pub fn open_confined(path: &Path, confinement: Confinement) -> Result<Self, RootfsError> {
        Ok(Self::new(path, open_root(path)?, confinement))
    }

    fn new(path: &Path, root: OwnedFd, confinement: Confinement) -> Self {
        Self {
            path: path.to_owned(),
            root,
            confinement,
            nodes: Mutex::new(HashMap::new()),
        }
    }

    /// The path it was opened at, on this machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is at `path`; a link at its end is not followed, links among its directories are.
    ///
    /// # Errors
    /// As [`Rootfs::resolve`].
    pub fn lstat(&self, path: &RootPath) -> Result<Metadata, RootfsError> {
        Ok(self.resolve(path.as_bytes(), Last::Keep)?.metadata)
    }

    /// Target of the symbolic link at `path`, as stored.
    ///
    /// # Errors
    /// As [`Rootfs::resolve`]; EINVAL where it is not a link.
    pub fn read_link(&self, path: &RootPath) -> Result<Vec<u8>, RootfsError> {
        let link = self.resolve(path.as_bytes(), Last::Keep)?.path;
        let node = self.node(&link)?;
        node.target.clone().ok_or(RootfsError::Lookup {
            path: link,
            errno: Errno::EINVAL,
        })
    }

    /// The names in the directory at `path`, sorted bytewise.
    ///
    /// # Errors
    /// As [`Rootfs::resolve`]; ENOTDIR where it is not a directory.
    pub fn read_dir(&self, path: &RootPath) -> Result<Vec<DirectoryEntry>, RootfsError> {
        let real = self.resolve(path.as_bytes(), Last::Follow)?.path;
        let fault = |errno| RootfsError::Read {
            path: real.clone(),
            errno,
        };
        let descriptor = self
            .open_at(&real, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
            .map_err(|errno| RootfsError::Lookup {
                path: real.clone(),
                errno,
            })?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(descriptor).map_err(fault)?.iter() {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(DirectoryEntry {
                    name: name.to_vec(),
                    kind: entry.file_type().map(Kind::from),
                });
            }
        }
        names.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(names)
    }

    /// Opens the regular file that `path` leads to, for reading.
    ///
    /// # Errors
    /// As [`Rootfs::resolve`]; EISDIR for a directory, ENXIO for a device, a FIFO or a socket: none of them is opened.
    pub fn open_file(&self, path: &RootPath) -> Result<File, RootfsError> {
        let Resolution { path, metadata, .. } = self.resolve(path.as_bytes(), Last::Follow)?;
        let fault = |errno| RootfsError::Lookup {
            path: path.clone(),
            errno,
        };
        match metadata.kind {
            Kind::File => {}
            Kind::Directory => return Err(fault(Errno::EISDIR)),
            _ => return Err(fault(Errno::ENXIO)),
        }
        // Should it have become a FIFO meanwhile the open must not wait for a writer.
        let descriptor = self
            .open_at(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
            .map_err(fault)?;
        Ok(File::from(descriptor))
    }

    /// The contents of the regular file that `path` leads to, at most `limit` bytes of it.
    ///
    /// # Errors
    /// As [`Rootfs::open_file`]; EFBIG where there is more.
    pub fn read_file(&self, path: &RootPath, limit: u64) -> Result<Vec<u8>, RootfsError> {
        let fault = |errno| RootfsError::Read {
            path: path.clone(),
            errno,
        };
        let mut contents = Vec::new();
        let mut file = self.open_file(path)?.take(limit + 1);
        file.read_to_end(&mut contents)
            .map_err(|error| fault(errno_of(&error)))?;
        if u64::try_from(contents.len()).is_ok_and(|length| length > limit) {
            return Err(fault(Errno::EFBIG));
        }
        Ok(contents)
    }

    fn open_at(&self, path: &RootPath, flags: OFlag) -> Result<OwnedFd, Errno> {
        self.confinement.open(&self.root, path, flags)
    }

    /// What is at `path`, whose directories are not links; asked of the kernel once.
    fn node(&self, path: &RootPath) -> Result<Arc<Node>, RootfsError> {
        let known = self
            .nodes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned();
        let node = known.unwrap_or_else(|| {
            let node = self.ask(path).map(Arc::new);
            self.nodes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(path.clone(), node.clone());
            node
        });
        node.map_err(|errno| RootfsError::Lookup {
            path: path.clone(),
            errno,
        })
    }

    fn ask(&self, path: &RootPath) -> Result<Node, Errno> {
        let descriptor = self.open_at(path, OFlag::O_PATH)?;
        let metadata = Metadata::from(&fstat(&descriptor)?);
        if metadata.kind != Kind::Symlink {
            return Ok(Node {
                metadata,
                target: None,
                magic: false,
            });
        }
        let target = readlinkat(&descriptor, "")?.into_encoded_bytes();
        let magic = fstatfs(&descriptor)?.filesystem_type() == PROC_SUPER_MAGIC;
        Ok(Node {
            metadata,
            target: Some(target),
            magic,
        })
    }
}

fn open_root(path: &Path) -> Result<OwnedFd, RootfsError> {
    let rootfs = path.to_owned();
    open(
        path,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| match errno {
        Errno::ENOENT => RootfsError::Missing { rootfs },
        Errno::ENOTDIR => RootfsError::NotADirectory { rootfs },
        errno => RootfsError::Unreadable { rootfs, errno },
    })
}

/// The errno in an error of the standard library that came from a system call; EIO where there is none.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

impl From<&FileStat> for Metadata {
    fn from(stat: &FileStat) -> Self {
        let format = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        let kind = match format {
            SFlag::S_IFREG => Kind::File,
            SFlag::S_IFDIR => Kind::Directory,
            SFlag::S_IFLNK => Kind::Symlink,
            SFlag::S_IFIFO => Kind::Fifo,
            SFlag::S_IFSOCK => Kind::Socket,
            _ => Kind::Device,
        };
        Self {
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: stat.st_mtime,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            identity: (stat.st_dev, stat.st_ino),
        }
    }
}

impl From<nix::dir::Type> for Kind {
    fn from(kind: nix::dir::Type) -> Self {
        match kind {
            nix::dir::Type::File => Self::File,
            nix::dir::Type::Directory => Self::Directory,
            nix::dir::Type::Symlink => Self::Symlink,
            nix::dir::Type::Fifo => Self::Fifo,
            nix::dir::Type::Socket => Self::Socket,
            nix::dir::Type::CharacterDevice | nix::dir::Type::BlockDevice => Self::Device,
        }
    }
}

#[cfg(test)]
mod tests;
