//! Where a rung without a root of its own keeps its files: a directory of ours in one of the host's, with an entry for each start
//! and a lock beside it.
//!
//! `BASE/polecat-UID/` belongs to us and is closed to everybody else. In it are
//!
//! | name | is |
//! |---|---|
//! | `NAME` | the files of one start, or its mount point |
//! | `NAME.notify` | its socket for messages to the service manager |
//! | `NAME.lock` | locked while that start lives: flock(2) |
//!
//! Nobody else uses them: a program may do with its files what it likes, for they are its user's, and so none is started from
//! another's. A start removes its own. What a killed one left nobody locks, so the next start removes it.

use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat};
use nix::unistd::{execve, geteuid, getpid, mkdir};

use super::homes::{can_be_named, is_made};
use super::{fusermount, removal};
use crate::error::errno;
use crate::host::read_short;
use crate::userns;

/// What the name of a lock ends with.
const LOCK: &str = ".lock";

/// What the name of a socket ends with.
pub(super) const NOTIFY: &str = ".notify";

/// What the kernel calls the owner of a file who has no name in this user namespace.
const UNMAPPED: u32 = 65_534;

/// A script whose interpreter cannot be there: executing it fails, but only where everything else is allowed.
const SCRIPT: &[u8] = b"#!/dev/null/none\n";

/// The directory of ours. Nobody else can put another in its place, so paths in it stay what they are; only a program that this
/// user has started may, so nothing is removed by its path.
#[derive(Debug)]
pub(crate) struct OwnDirectory {
    /// No component is a link.
    pub(crate) path: PathBuf,
    directory: OwnedFd,
}

/// The entry of one start, as long as this is open.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    _lock: File,
}

/// Why a place is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnDirectoryError {
    /// Others may put something else in its place.
    Foreign(PathBuf),
    /// A step failed.
    Step {
        step: &'static str,
        path: PathBuf,
        errno: Errno,
    },
    /// Files in it cannot be executed.
    NoExec { path: PathBuf, errno: Errno },
}

impl OwnDirectory {
    /// The directory of ours in `base`. With `make` it is made where there is none, and so is a user's cache, but nothing above it.
    pub(crate) fn open(base: &Path, make: bool) -> Result<Self, OwnDirectoryError> {
        let uid = geteuid().as_raw();
        let missing = make && is_made(base) && fs::symlink_metadata(base).is_err();
        if let (true, Some(above)) = (missing, base.parent()) {
            // What is not to be used is not to be made either.
            judge(
                &fs::canonicalize(above).map_err(|error| failed("look at", above, errno(&error)))?,
                uid,
            )?;
        }
        let made = missing && make_directory(base)?;
        let base = fs::canonicalize(base).map_err(|error| failed("look at", base, errno(&error)))?;
        judge(&base, uid)?;
        let path = base.join(format!("polecat-{uid}"));
        if !can_be_named(&path) {
            return Err(failed("tell a loader of", &path, Errno::EINVAL));
        }
        if make {
            make_directory(&path)?;
        }
        let opened = match open(&path, removal::DIRECTORY, Mode::empty()) {
            // A link, a file, or somebody else's.
            Err(Errno::ELOOP | Errno::ENOTDIR | Errno::EACCES) => return Err(OwnDirectoryError::Foreign(path)),
            opened => opened.and_then(|directory| Ok((fstat(&directory)?, directory))),
        };
        let (ours, directory) = opened.map_err(|errno| failed("look at", &path, errno))?;
        // A directory has the set-group-id bit of the one that it was made in.
        if ours.st_mode & 0o4777 != 0o700 || ours.st_uid != uid {
            return Err(OwnDirectoryError::Foreign(path));
        }
        if made {
            // For whoever is the last to leave: the cache was made for it.
            let mode = Mode::S_IRWXU | Mode::S_ISVTX;
            fchmod(&directory, mode).map_err(|errno| failed("mark", &path, errno))?;
        }
        Ok(Self { path, directory })
    }

    /// A new entry.
    ///
    /// # Errors
    /// `ENOENT`: the last one who was there has just removed the place, or taken the lock for one that was left.
    pub(crate) fn enter(&self) -> Result<Entry, OwnDirectoryError> {
        let name = format!("{}-{}", getpid(), moment());
        let lock = with_end(&name, LOCK);
        let flags = OFlag::O_CREAT | OFlag::O_EXCL;
        let held = self.open_lock(&lock, flags).and_then(|held| {
            let is_ours = held.try_lock().is_ok() && self.is_named(&lock, &held);
            if is_ours { Ok(held) } else { Err(Errno::ENOENT) }
        });
        match held {
            Ok(lock) => Ok(Entry { name, _lock: lock }),
            Err(errno) => Err(self.failed("lock", &lock, errno)),
        }
    }

    /// Removes an entry of ours.
    pub(crate) fn leave(&self, entry: &Entry) -> Result<(), OwnDirectoryError> {
        self.remove(&entry.name)
    }

    /// Removes what nobody uses, and the directory if nothing is left.
    pub(crate) fn sweep(&self) -> Result<(), OwnDirectoryError> {
        let listed = removal::names(&self.directory);
        let names = listed.map_err(|errno| failed("list", &self.path, errno))?;
        let mut swept = Ok(());
        for lock in names {
            let Some(name) = lock.to_str().ok().and_then(|name| name.strip_suffix(LOCK)) else {
                continue;
            };
            let removed = match self.open_lock(&lock, OFlag::empty()) {
                Ok(held) if held.try_lock().is_ok() && self.is_named(&lock, &held) => self.remove(name),
                Ok(_) | Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(self.failed("open", &lock, errno)),
            };
            // The last is what is told.
            swept = removed.and(swept);
        }
        let is_marked = fstat(&self.directory).is_ok_and(|ours| ours.st_mode & libc::S_ISVTX != 0);
        // Others are in it, or were faster.
        if fs::remove_dir(&self.path).is_ok()
            && is_marked
            && let Some(base) = self.path.parent()
        {
            match fs::remove_dir(base) {
                Ok(()) | Err(_) => {}
            }
        }
        swept
    }

    /// For whoever has the lock, which goes last.
    fn remove(&self, name: &str) -> Result<(), OwnDirectoryError> {
        for end in ["", NOTIFY, LOCK] {
            let name = with_end(name, end);
            let mut removed = removal::remove(&self.directory, &name);
            if removed == Err(Errno::EBUSY) {
                // Something is mounted on it, with or without a server.
                fusermount::unmount(self.directory.as_fd(), &name);
                removed = removal::remove(&self.directory, &name);
            }
            removed.map_err(|errno| self.failed("remove", &name, errno))?;
        }
        Ok(())
    }

    fn open_lock(&self, name: &CStr, flags: OFlag) -> Result<File, Errno> {
        let flags = flags | OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let opened = openat(&self.directory, name, flags, Mode::S_IRUSR | Mode::S_IWUSR);
        opened.map(File::from)
    }

    /// Whether `lock` is still the one that others find by this name.
    fn is_named(&self, name: &CStr, lock: &File) -> bool {
        let named = fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        match (named, fstat(lock)) {
            (Ok(named), Ok(held)) => (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino),
            _ => false,
        }
    }

    fn failed(&self, step: &'static str, name: &CStr, errno: Errno) -> OwnDirectoryError {
        failed(step, &self.path.join(OsStr::from_bytes(name.to_bytes())), errno)
    }

    /// Whether what is written here can be executed, by trying it. The script comes where `path` is.
    pub(crate) fn try_execute(&self, path: &Path) -> Result<(), OwnDirectoryError> {
        let mut script = File::options();
        let script = script.write(true).create_new(true).mode(0o700).open(path);
        let written = script.and_then(|mut script| script.write_all(SCRIPT));
        written.map_err(|error| failed("write", path, errno(&error)))?;
        let refused = execute(path);
        fs::remove_file(path).map_err(|error| failed("remove", path, errno(&error)))?;
        match refused {
            // It was about to be executed. A kernel without scripts does not know what it is.
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENOEXEC => Ok(()),
            errno => Err(OwnDirectoryError::NoExec {
                path: self.path.clone(),
                errno,
            }),
        }
    }
}

/// Nanoseconds of the clock: with a process id, a name that nobody else has.
fn moment() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.subsec_nanos())
}

/// A name of an entry; none has a NUL byte.
fn with_end(name: &str, end: &str) -> CString {
    CString::new([name, end].concat()).unwrap_or_default()
}

/// What execve(2) says of a program that is none.
fn execute(path: &Path) -> Errno {
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else {
        return Errno::EINVAL;
    };
    match execve(&name, &[name.as_c_str()], &[c""; 0]) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}

/// One that is there already is as good. Whether it was made.
fn make_directory(path: &Path) -> Result<bool, OwnDirectoryError> {
    match mkdir(path, Mode::S_IRWXU) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(errno) => Err(failed("make", path, errno)),
    }
}

#[inline(never)]
fn failed(step: &'static str, path: &Path, errno: Errno) -> OwnDirectoryError {
    OwnDirectoryError::Step {
        step,
        path: path.to_owned(),
        errno,
    }
}

/// Refuses a base where somebody else could put something in the place of what is made in it, or of itself, or of what it is in.
fn judge(base: &Path, uid: u32) -> Result<(), OwnDirectoryError> {
    let map = read_short(Path::new("/proc/self/uid_map"));
    let has_all = map.is_ok_and(|map| userns::is_whole(&map));
    for above in base.ancestors() {
        let found = fs::metadata(above).map_err(|error| failed("look at", above, errno(&error)))?;
        // Whoever made this user namespace was given what is above by somebody without a name in it.
        let is_unmapped = !has_all && above != base && found.uid() == UNMAPPED;
        if !is_unmapped && !is_safe(found.mode(), found.uid(), uid) {
            return Err(OwnDirectoryError::Foreign(above.to_owned()));
        }
    }
    Ok(())
}

/// Whether nobody but root and `uid` can rename what is in a directory of this mode and owner.
fn is_safe(mode: u32, owner: u32, uid: u32) -> bool {
    (owner == 0 || owner == uid) && (mode & 0o022 == 0 || mode & libc::S_ISVTX != 0)
}

impl OwnDirectoryError {
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Step { errno, .. } | Self::NoExec { errno, .. } => Some(*errno),
            Self::Foreign(_) => None,
        }
    }
}

impl fmt::Display for OwnDirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, path, after) = match self {
            Self::Foreign(path) => ("", path, " is not this user's alone"),
            Self::Step { step, path, .. } => (*step, path, ""),
            Self::NoExec { path, .. } => ("nothing in", path, " can be executed"),
        };
        let space = if before.is_empty() { "" } else { " " };
        write!(f, "{before}{space}{}{after}", path.display())?;
        self.errno().map_or(Ok(()), |errno| write!(f, ": {}", errno.desc()))
    }
}

#[cfg(test)]
mod tests;
