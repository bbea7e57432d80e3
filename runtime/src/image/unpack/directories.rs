//! The walk down and up the tree, with one directory open at a time.
//!
//! A descriptor per level would let a deep image use them all up, so the way up goes through `..`, and only to the
//! directory that the way down came from.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::mkdir;
use squashfs::{Image, Inode, InodeRef, Kind};

use super::files::{Entry, Files};
use super::{Step, UnpackError};
use crate::image::{OwnerMap, VerifiedImage};

/// How directories are opened, and made: their own mode comes last.
const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
const PRIVATE: Mode = Mode::S_IRWXU;

/// A walk through the image that makes what it meets.
pub(super) struct Walk<'a> {
    image: &'a Image<VerifiedImage>,
    files: Files<'a>,
    /// The directory of the image's root.
    target: OwnedFd,
    /// The directory that the last of `levels` is, unless it is the target.
    here: Option<OwnedFd>,
    levels: Vec<Level>,
    /// Path of the last of `levels` in the image.
    path: PathBuf,
}

/// A directory on the way from the root to where the walk is.
struct Level {
    at: InodeRef,
    inode: Inode,
    /// Where its listing goes on.
    cookie: u64,
    /// Device and inode number in the target.
    identity: Identity,
}

/// Device and inode number.
type Identity = (libc::dev_t, libc::ino_t);

/// A directory to go down into.
struct Below {
    name: Vec<u8>,
    at: InodeRef,
    inode: Inode,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        image: &'a Image<VerifiedImage>,
        target: &Path,
        owner: OwnerMap,
    ) -> Result<Self, Box<UnpackError>> {
        let at = image.root();
        let inode = image
            .inode(at)
            .map_err(|error| UnpackError::image(Path::new("/"), error))?;
        let directory = open_target(target)?;
        let identity = identity(&directory).map_err(|errno| {
            Box::new(UnpackError::Target {
                path: target.to_owned(),
                errno,
            })
        })?;
        let mut files = Files::new(image, owner);
        files.remember(at, Path::new("/"));
        Ok(Self {
            image,
            files,
            target: directory,
            here: None,
            levels: vec![Level {
                at,
                inode,
                cookie: 0,
                identity,
            }],
            path: PathBuf::from("/"),
        })
    }

    pub(super) fn run(mut self) -> Result<(), Box<UnpackError>> {
        while let Some(mut level) = self.levels.pop() {
            let below = self.fill(&mut level)?;
            match below {
                Some(below) => {
                    self.levels.push(level);
                    self.go_down(&below)?;
                }
                None => self.go_up(&level)?,
            }
        }
        Ok(())
    }

    /// Makes the entries of the directory `level` from its cookie on, up to the next directory.
    fn fill(&mut self, level: &mut Level) -> Result<Option<Below>, Box<UnpackError>> {
        let image = self.image;
        let damaged = |path: &Path, error| UnpackError::image(path, error);
        let listing = image
            .read_dir(&level.inode, level.cookie)
            .map_err(|error| damaged(&self.path, error))?;
        for listed in listing {
            let listed = listed.map_err(|error| damaged(&self.path, error))?;
            level.cookie = listed.next;
            let name = OsStr::from_bytes(&listed.name);
            let path = self.path.join(name);
            let inode = image.inode(listed.inode_ref).map_err(|error| damaged(&path, error))?;
            if inode.kind == Kind::Directory {
                return Ok(Some(Below {
                    name: listed.name.to_vec(),
                    at: listed.inode_ref,
                    inode,
                }));
            }
            let entry = Entry {
                at: listed.inode_ref,
                inode,
                name,
                path: &path,
            };
            let here = self.here.as_ref().unwrap_or(&self.target);
            self.files.create(&self.target, here, &entry)?;
        }
        Ok(None)
    }

    /// Makes and opens a directory in the current one.
    fn go_down(&mut self, below: &Below) -> Result<(), Box<UnpackError>> {
        let name = OsStr::from_bytes(&below.name);
        self.path.push(name);
        if !self.files.remember(below.at, &self.path) {
            return Err(Box::new(UnpackError::Cycle {
                path: self.path.clone(),
            }));
        }
        let entry = Entry {
            at: below.at,
            inode: below.inode,
            name,
            path: &self.path,
        };
        let here = self.here.as_ref().unwrap_or(&self.target);
        mkdirat(here, name, PRIVATE).map_err(|errno| entry.not_created(errno))?;
        let opened = openat(here, name, DIRECTORY, Mode::empty())
            .and_then(|fd| Ok((identity(&fd)?, fd)))
            .map_err(|errno| entry.failed(Step::Create, errno))?;
        let (identity, fd) = opened;
        self.here = Some(fd);
        self.levels.push(Level {
            at: below.at,
            inode: below.inode,
            cookie: 0,
            identity,
        });
        Ok(())
    }

    /// Leaves the directory `level`, whose entries are complete, and sets what making them has changed. The way up is
    /// opened first: the directory's mode may close it.
    fn go_up(&mut self, level: &Level) -> Result<(), Box<UnpackError>> {
        let entry = Entry {
            at: level.at,
            inode: level.inode,
            name: OsStr::new("."),
            path: &self.path,
        };
        let Some(here) = self.here.take() else {
            return self.files.finish(&self.target, &entry);
        };
        // The levels above the root's child end at the target, which is open already.
        let above = match self.levels.as_slice() {
            [] | [_] => None,
            [.., above] => {
                let up = openat(&here, "..", DIRECTORY, Mode::empty())
                    .and_then(|fd| Ok((identity(&fd)?, fd)))
                    .map_err(|errno| entry.failed(Step::Create, errno))?;
                if up.0 != above.identity {
                    return Err(Box::new(UnpackError::Moved {
                        path: self.path.clone(),
                    }));
                }
                Some(up.1)
            }
        };
        self.files.finish(&here, &entry)?;
        self.here = above;
        self.path.pop();
        Ok(())
    }
}

/// Opens `target`, which must be empty; makes it when it is missing.
fn open_target(target: &Path) -> Result<OwnedFd, Box<UnpackError>> {
    let failed = |errno| {
        Box::new(UnpackError::Target {
            path: target.to_owned(),
            errno,
        })
    };
    match mkdir(target, PRIVATE) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    // The target may be a link of the user's own.
    let flags = DIRECTORY.difference(OFlag::O_NOFOLLOW);
    let directory = open(target, flags, Mode::empty()).map_err(failed)?;
    let mut listing = Dir::openat(&directory, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
    for entry in listing.iter() {
        if !matches!(entry.map_err(failed)?.file_name().to_bytes(), b"." | b"..") {
            return Err(Box::new(UnpackError::TargetNotEmpty {
                path: target.to_owned(),
            }));
        }
    }
    Ok(directory)
}

/// Device and inode number.
fn identity(directory: impl AsFd) -> Result<Identity, Errno> {
    let stat = fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}
