//! Making entries below a directory without ever following a symbolic link: the tree may come from an image that
//! somebody else made, and a link in it would lead to the host's files while the root is being built.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{self, FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, Gid, Uid, UnlinkatFlags, fchownat, symlinkat, unlinkat};

use crate::error::errno;
use crate::limits;

/// Directories on the way to something are made with this mode.
const PARENT_MODE: u32 = 0o755;

/// What [`Tree::point`] wants.
pub(super) const NO_POINT: &str = "mount on";
/// The same where a directory is in the place for a file, and the other way round.
pub(super) const NO_FILE: &str = "bind a file on";
pub(super) const NO_DIRECTORY: &str = "bind a directory on";

/// A directory and what is below it.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Rc<OwnedFd>,
    /// What this tree will be mounted over. Directories that are made here take its attributes, as a copy-up would.
    below: Option<OwnedFd>,
    /// Modification times to be set when nothing is made any more; paths are relative to the root.
    times: Vec<(PathBuf, TimeSpec)>,
    /// The directory that was entered last, relative to the root: steps come in families.
    last: Option<(PathBuf, Rc<OwnedFd>)>,
}

/// An entry that may be there or not.
#[derive(Debug)]
pub(crate) struct Place {
    /// The directory that it is in.
    pub(crate) parent: Rc<OwnedFd>,
    /// Its name there, a single component.
    pub(crate) name: OsString,
}

impl Tree {
    /// The tree at `path`, which the builder made itself.
    pub(crate) fn open(path: &Path) -> Result<Self, TreeError> {
        Ok(Self {
            root: Rc::new(open_root(path)?),
            below: None,
            times: Vec::new(),
            last: None,
        })
    }

    /// The empty tree at `path` that will be an overlay's upper directory over the tree at `below`.
    pub(crate) fn open_over(path: &Path, below: &Path) -> Result<Self, TreeError> {
        let below = open_root(below)?;
        let mut tree = Self {
            below: Some(below),
            ..Self::open(path)?
        };
        let here = Place {
            parent: Rc::clone(&tree.root),
            name: ".".into(),
        };
        tree.copy_attributes(Path::new(""), &here)?;
        Ok(tree)
    }

    /// The place called `path`, absolute; directories on the way are made.
    pub(crate) fn place(&mut self, path: &Path) -> Result<Place, TreeError> {
        let name = path
            .file_name()
            .ok_or_else(|| TreeError::new("find", path, Errno::EINVAL))?
            .to_owned();
        let directory = path.parent().map_or(Path::new(""), relative);
        if let Some((last, parent)) = &self.last
            && last == directory
        {
            return Ok(Place {
                parent: Rc::clone(parent),
                name,
            });
        }
        let mut parent = Rc::clone(&self.root);
        let mut walked = PathBuf::new();
        for component in directory.components() {
            let Component::Normal(component) = component else {
                continue;
            };
            walked.push(component);
            parent = Rc::new(self.enter(parent, component, &walked)?);
        }
        self.last = Some((walked, Rc::clone(&parent)));
        Ok(Place { parent, name })
    }

    /// Something was mounted on `path`: what was entered there or below is another directory now.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.last.take_if(|(last, _)| last.starts_with(relative(path)));
    }

    /// Makes the directory `path`; one that is there is left as it is, anything else of that name is replaced.
    pub(crate) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), TreeError> {
        let place = self.place(path)?;
        if place.stat().is_ok_and(|stat| !is_directory(&stat)) {
            place.remove().map_err(|errno| TreeError::new("replace", path, errno))?;
        }
        self.make(&place, mode, relative(path))
    }

    /// Makes a place to mount a directory or a file on, unless there is one. Without `make` there has to be.
    pub(crate) fn point(&mut self, path: &Path, directory: bool, make: bool) -> Result<(), TreeError> {
        let no = |action, errno| TreeError::new(action, path, errno);
        let failed = |errno| no(NO_POINT, errno);
        if !make {
            let parent = path.parent().map_or(Path::new(""), relative);
            let opened = walk(self.root.try_clone().map_err(|error| failed(errno(&error)))?, parent).map_err(failed)?;
            self.last = Some((parent.to_owned(), Rc::new(opened)));
        }
        let place = self.place(path)?;
        match place.stat() {
            Ok(stat) if is_directory(&stat) && !directory => Err(no(NO_FILE, Errno::EISDIR)),
            Ok(stat) if is_link(&stat) => Err(failed(Errno::ELOOP)),
            Ok(stat) if directory && !is_directory(&stat) => Err(no(NO_DIRECTORY, Errno::ENOTDIR)),
            Ok(_) => Ok(()),
            Err(Errno::ENOENT) if make && directory => self.make(&place, PARENT_MODE, relative(path)),
            Err(Errno::ENOENT) if make => place.create(0o644).map(drop).map_err(failed),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Gives the directory `path` to another user.
    pub(crate) fn own(&mut self, path: &Path, uid: u32, gid: u32) -> Result<(), TreeError> {
        let place = self.place(path)?;
        let (user, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        fchownat(&place.parent, place.name.as_os_str(), user, group, flags)
            .map_err(|errno| TreeError::new("give to the program's user", path, errno))
    }

    /// Makes the regular file `path` in place of whatever has that name.
    pub(crate) fn file(&mut self, path: &Path, contents: &[u8]) -> Result<(), TreeError> {
        let place = self.place(path)?;
        self.keep_time(relative(path), &place)?;
        place.remove().map_err(|errno| TreeError::new("replace", path, errno))?;
        let mut file = place
            .create(0o644)
            .map_err(|errno| TreeError::new("create", path, errno))?;
        file.write_all(contents)
            .map_err(|error| TreeError::new("write", path, errno(&error)))
    }

    /// Makes the symbolic link `path`.
    pub(crate) fn link(&mut self, path: &Path, target: &str) -> Result<(), TreeError> {
        let place = self.place(path)?;
        symlinkat(target, &place.parent, place.name.as_os_str()).map_err(|errno| TreeError::new("link", path, errno))
    }

    /// Gives the directories that were made the times of those that they will cover, and those that were there the
    /// times that they had.
    pub(crate) fn finish(self) -> Result<(), TreeError> {
        for (path, time) in self.times.iter().rev() {
            let name = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            stat::utimensat(
                &self.root,
                name,
                &TimeSpec::UTIME_OMIT,
                time,
                UtimensatFlags::NoFollowSymlink,
            )
            .map_err(|errno| TreeError::new("set the time of", path, errno))?;
        }
        Ok(())
    }

    /// The directory `name` in `parent`; made when it is missing. `path` is relative to the root.
    fn enter(&mut self, parent: Rc<OwnedFd>, name: &OsStr, path: &Path) -> Result<OwnedFd, TreeError> {
        let enter = |parent: &OwnedFd| openat(parent, name, place_flags(), Mode::empty());
        match enter(&parent) {
            Err(Errno::ENOENT) => {
                let place = Place {
                    parent,
                    name: name.to_owned(),
                };
                self.make(&place, PARENT_MODE, path)?;
                enter(&place.parent)
            }
            result => result,
        }
        .map_err(|errno| TreeError::new("enter", path, errno))
    }

    /// That something is made or replaced in the directory of `path` is not to be seen in its time.
    fn keep_time(&mut self, path: &Path, place: &Place) -> Result<(), TreeError> {
        let directory = path.parent().unwrap_or(Path::new(""));
        if self.times.iter().any(|(known, _)| known == directory) {
            return Ok(());
        }
        let stat = stat::fstat(&*place.parent).map_err(|errno| TreeError::new("look at", directory, errno))?;
        self.times
            .push((directory.to_owned(), TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec)));
        Ok(())
    }

    fn make(&mut self, place: &Place, mode: u32, path: &Path) -> Result<(), TreeError> {
        self.keep_time(path, place)?;
        match mkdirat(&place.parent, place.name.as_os_str(), permissions(mode)) {
            Ok(()) => self.copy_attributes(path, place),
            Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(TreeError::new("make", path, errno)),
        }
    }

    /// An overlay shows the attributes of the upper directory, so the lower one's are copied to it.
    fn copy_attributes(&mut self, path: &Path, place: &Place) -> Result<(), TreeError> {
        let Some(below) = &self.below else { return Ok(()) };
        let name = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let Ok(lower) = stat::fstatat(below, name, AtFlags::AT_SYMLINK_NOFOLLOW) else {
            return Ok(());
        };
        if !is_directory(&lower) {
            return Ok(());
        }
        own(place, &lower)
            .and_then(|()| {
                let mode = permissions(lower.st_mode & 0o7777);
                stat::fchmodat(
                    &place.parent,
                    place.name.as_os_str(),
                    mode,
                    FchmodatFlags::FollowSymlink,
                )
            })
            .map_err(|errno| TreeError::new("copy the attributes of", path, errno))?;
        self.times
            .push((path.to_owned(), TimeSpec::new(lower.st_mtime, lower.st_mtime_nsec)));
        Ok(())
    }
}

impl Place {
    /// Makes an empty regular file.
    pub(crate) fn create(&self, mode: u32) -> Result<File, Errno> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.parent, self.name.as_os_str(), flags, permissions(mode)).map(File::from)
    }

    /// Takes the entry away, if there is one; a directory only when it is empty.
    pub(crate) fn remove(&self) -> Result<(), Errno> {
        match unlinkat(&self.parent, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) => unlinkat(&self.parent, self.name.as_os_str(), UnlinkatFlags::RemoveDir),
            result => result,
        }
    }

    fn stat(&self) -> Result<FileStat, Errno> {
        stat::fstatat(&self.parent, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
    }
}

/// Gives `place` the owner of `lower`. Where only the caller's ids are mapped, no other can be given: it stays ours.
fn own(place: &Place, lower: &FileStat) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(lower.st_uid), Gid::from_raw(lower.st_gid));
    if (uid, gid) == (unistd::geteuid(), unistd::getegid()) {
        return Ok(());
    }
    match fchownat(
        &place.parent,
        place.name.as_os_str(),
        Some(uid),
        Some(gid),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    ) {
        Err(Errno::EINVAL | Errno::EPERM) => Ok(()),
        result => result,
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// What is at `path` below the directory `root`; a symbolic link on the way, or there, is an error.
pub(crate) fn open_beneath(root: &Path, path: &Path) -> Result<OwnedFd, Errno> {
    walk(open(root, place_flags(), Mode::empty())?, relative(path))
}

fn walk(from: OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let found = path
        .iter()
        .try_fold(from, |parent, name| openat(&parent, name, flags, Mode::empty()))?;
    match is_link(&stat::fstat(&found)?) {
        true => Err(Errno::ELOOP),
        false => Ok(found),
    }
}

fn open_root(path: &Path) -> Result<OwnedFd, TreeError> {
    open(path, place_flags(), Mode::empty()).map_err(|errno| TreeError::new("open", path, errno))
}

/// A directory as a place to start from; its contents need not be readable.
fn place_flags() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

fn permissions(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode)
}

fn is_link(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK
}

fn is_directory(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// An entry that could not be made.
#[derive(Debug)]
pub struct TreeError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// On which path of the new root.
    pub path: PathBuf,
    /// Why.
    pub errno: Errno,
}

impl TreeError {
    fn new(action: &'static str, path: &Path, errno: Errno) -> Self {
        Self {
            action,
            path: path.to_owned(),
            errno,
        }
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        limits::hint(self.errno).map(str::to_owned)
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} in the new root: {}",
            self.action,
            self.path.display(),
            self.errno.desc()
        )
    }
}

impl std::error::Error for TreeError {}

#[cfg(test)]
mod tests;
