//! Where a rung without a root of its own keeps its files: a directory of ours in one of the host's, with an entry for each image
//! and a lock beside it.
//!
//! `BASE/polecat-UID/` belongs to us and is closed to everybody else. In it are
//!
//! | name | is |
//! |---|---|
//! | `NAME` | complete files, or a mount point |
//! | `NAME.new` | files that are being written; they get their name when they are complete |
//! | `NAME.lock` | held shared while `NAME` is used, and by one alone while it is made or removed: flock(2) |
//!
//! The last one who leaves removes all three. What a killed process left nobody holds, so the next start removes it, and never
//! uses it: whether it ever reached the disk nobody knows.

use std::env;
use std::ffi::{CString, OsStr};
use std::fmt;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{execve, getegid, geteuid, mkdir};

use super::StandError;
use crate::error::errno;

/// What the name of a lock ends with.
const LOCK: &str = ".lock";

/// A script whose interpreter cannot be there: executing it fails, but only where everything else is allowed.
const SCRIPT: &[u8] = b"#!/dev/null/none\n";

/// What an environment says of where files may be put.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Homes {
    pub(crate) runtime: Option<PathBuf>,
    cache: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    /// Directory of the bundle.
    beside: Option<PathBuf>,
}

impl Homes {
    /// Those of this process.
    pub(crate) fn read(bundle: Option<PathBuf>) -> Self {
        let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| can_be_named(path));
        Self {
            runtime: path("XDG_RUNTIME_DIR"),
            cache: path("XDG_CACHE_HOME"),
            home: path("HOME"),
            beside: bundle
                .and_then(|bundle| bundle.parent().map(Path::to_owned))
                .filter(|path| can_be_named(path)),
        }
    }

    /// Where fusermount3 may mount, Ubuntu's profile for it included.
    pub(crate) fn for_mounts(&self) -> Vec<PathBuf> {
        distinct([self.runtime.clone(), self.own_cache(), Some("/tmp".into()), None, None])
    }

    /// Where files may be unpacked to.
    pub(crate) fn for_files(&self) -> Vec<PathBuf> {
        distinct([
            self.runtime.clone(),
            self.cache.clone().or_else(|| self.own_cache()),
            Some("/var/tmp".into()),
            Some("/tmp".into()),
            self.beside.clone(),
        ])
    }

    fn own_cache(&self) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".cache"))
    }
}

fn distinct(paths: [Option<PathBuf>; 5]) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths.into_iter().flatten() {
        if !kept.contains(&path) {
            kept.push(path);
        }
    }
    kept
}

/// Whether a dynamic loader understands the path in a list of directories: colons and semicolons part it, dollars are replaced.
fn can_be_named(path: &Path) -> bool {
    let parts = |byte: &u8| matches!(byte, b':' | b';' | b'$');
    path.is_absolute() && !path.as_os_str().as_bytes().iter().any(parts)
}

/// The directory of ours. Nobody else can put another in its place, so paths in it stay what they are.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
}

/// An entry that is in use, as long as this is open.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: File,
}

/// Why a place is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlaceError {
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
    /// Others come and go too fast.
    Busy(PathBuf),
}

impl Place {
    /// The directory of ours in `base`. With `make` it is made where there is none, and so is `base`, but nothing above it.
    pub(crate) fn open(base: &Path, make: bool) -> Result<Self, PlaceError> {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        if make && !base.exists() {
            make_directory(base)?;
        }
        let above = fs::metadata(base).map_err(|error| failed("look at", base, &error))?;
        if !is_safe_above(above.mode(), (above.uid(), above.gid()), (uid, gid)) {
            return Err(PlaceError::Foreign(base.to_owned()));
        }
        let path = base.join(format!("polecat-{uid}"));
        if make {
            make_directory(&path)?;
        }
        let ours = fs::symlink_metadata(&path).map_err(|error| failed("look at", &path, &error))?;
        // A link has another mode.
        if ours.mode() != libc::S_IFDIR | 0o700 || ours.uid() != uid {
            return Err(PlaceError::Foreign(path));
        }
        Ok(Self { path })
    }

    /// The entry `name`, in use: complete already where somebody uses it, else made by `make`, which is told the path of the entry
    /// to be. It becomes an entry when that succeeds. Waits while somebody else makes it.
    pub(crate) fn hold(
        &self,
        name: &str,
        make: &mut dyn FnMut(&Path) -> Result<(), StandError>,
    ) -> Result<Held, StandError> {
        const TURNS: usize = 100;
        let [entry, fresh, lock] = self.paths(name);
        for _ in 0..TURNS {
            let held = open_lock(&lock)?;
            match held.try_lock() {
                Ok(()) if is_named(&lock, &held) => {
                    remove(&entry)?;
                    remove(&fresh)?;
                    if let Err(error) = make(&fresh) {
                        match remove(&fresh).and_then(|()| unlock(&lock)) {
                            // That is what will be told.
                            Ok(()) | Err(_) => return Err(error),
                        }
                    }
                    fs::rename(&fresh, &entry).map_err(|error| failed("name", &entry, &error))?;
                }
                // Somebody removed it meanwhile.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed("lock", &lock, &error).into()),
            }
            held.lock_shared().map_err(|error| failed("lock", &lock, &error))?;
            // Between two kinds of lock there is a moment without.
            if is_named(&lock, &held) && fs::symlink_metadata(&entry).is_ok() {
                return Ok(Held { _lock: held });
            }
        }
        Err(PlaceError::Busy(entry).into())
    }

    /// Removes what nobody uses, and the directory if nothing is left.
    pub(crate) fn sweep(&self) -> Result<(), PlaceError> {
        let mut swept = Ok(());
        let listing = fs::read_dir(&self.path).map_err(|error| failed("list", &self.path, &error))?;
        for found in listing.flatten() {
            let name = found.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(LOCK)) else {
                continue;
            };
            let [entry, fresh, lock] = self.paths(name);
            let held = open_lock(&lock)?;
            if held.try_lock().is_ok() && is_named(&lock, &held) {
                let removed = remove(&entry)
                    .and_then(|()| remove(&fresh))
                    .and_then(|()| unlock(&lock));
                swept = swept.and(removed);
            }
        }
        // A cache that has nothing in it but ours was made for it.
        let base = self
            .path
            .parent()
            .filter(|base| base.file_name() == Some(OsStr::new(".cache")));
        for directory in [Some(self.path.as_path()), base].into_iter().flatten() {
            match fs::remove_dir(directory) {
                // Others are in it, or were faster.
                Ok(()) | Err(_) => {}
            }
        }
        swept
    }

    /// Whether what is written here can be executed, by trying it. The script comes where `path` is.
    pub(crate) fn try_execute(&self, path: &Path) -> Result<(), PlaceError> {
        let mut script = File::options();
        let script = script.write(true).create_new(true).mode(0o700).open(path);
        let written = script.and_then(|mut script| script.write_all(SCRIPT));
        written.map_err(|error| failed("write", path, &error))?;
        let refused = execute(path);
        fs::remove_file(path).map_err(|error| failed("remove", path, &error))?;
        match refused {
            // It was about to be executed. A kernel without scripts does not know what it is.
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENOEXEC => Ok(()),
            errno => Err(PlaceError::NoExec {
                path: self.path.clone(),
                errno,
            }),
        }
    }

    /// The entry, what is to be it, and its lock.
    fn paths(&self, name: &str) -> [PathBuf; 3] {
        ["", ".new", LOCK].map(|end| self.path.join([name, end].concat()))
    }
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

/// One that is there already is as good.
fn make_directory(path: &Path) -> Result<(), PlaceError> {
    match mkdir(path, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(failed("make", path, &errno.into())),
    }
}

fn open_lock(path: &Path) -> Result<File, PlaceError> {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let opened = options.custom_flags(libc::O_NOFOLLOW).open(path);
    opened.map_err(|error| failed("open", path, &error))
}

/// Only for whoever has the lock alone.
fn unlock(path: &Path) -> Result<(), PlaceError> {
    fs::remove_file(path).map_err(|error| failed("remove", path, &error))
}

/// Whether `lock` is still the one that others find at `path`.
fn is_named(path: &Path, lock: &File) -> bool {
    match (fs::symlink_metadata(path), lock.metadata()) {
        (Ok(named), Ok(held)) => (named.dev(), named.ino()) == (held.dev(), held.ino()),
        _ => false,
    }
}

#[inline(never)]
fn failed(step: &'static str, path: &Path, error: &io::Error) -> PlaceError {
    PlaceError::Step {
        step,
        path: path.to_owned(),
        errno: errno(error),
    }
}

/// Whether nobody else can rename what we make in a directory of this mode and these owners.
fn is_safe_above(mode: u32, (owner, group): (u32, u32), (uid, gid): (u32, u32)) -> bool {
    let by_others = mode & 0o002 != 0 || (mode & 0o020 != 0 && group != gid);
    (owner == 0 || owner == uid) && (!by_others || mode & libc::S_ISVTX != 0)
}

/// Removes whatever is there, if anything. A mount on it, with or without a server, is taken away first.
fn remove(path: &Path) -> Result<(), PlaceError> {
    let removed = remove_tree(path).or_else(|_| {
        super::fusermount::unmount(path);
        remove_tree(path)
    });
    removed.map_err(|error| failed("remove", path, &error))
}

/// A directory may be closed even to its owner.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) if fs::symlink_metadata(path)?.is_dir() => {}
        removed => return removed,
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        remove_tree(&entry?.path())?;
    }
    fs::remove_dir(path)
}

impl PlaceError {
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Step { errno, .. } | Self::NoExec { errno, .. } => Some(*errno),
            Self::Foreign(_) | Self::Busy(_) => None,
        }
    }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, path, after) = match self {
            Self::Foreign(path) => ("", path, " is not this user's alone"),
            Self::Busy(path) => ("", path, " is made and removed all the time"),
            Self::Step { step, path, .. } => (*step, path, ""),
            Self::NoExec { path, .. } => ("nothing in", path, " can be executed"),
        };
        let space = if before.is_empty() { "" } else { " " };
        write!(f, "{before}{space}{}{after}", path.display())?;
        self.errno().map_or(Ok(()), |errno| write!(f, ": {}", errno.desc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_put_something_else_in_our_place() {
        for (mode, owners, safe) in [
            (0o755, (7, 7), true),
            (0o755, (0, 0), true),
            (0o1777, (0, 0), true),
            (0o775, (7, 7), true),
            (0o755, (8, 7), false),
            (0o777, (7, 7), false),
            (0o777, (0, 0), false),
            (0o775, (7, 8), false),
            (0o1775, (7, 8), true),
        ] {
            assert_eq!(is_safe_above(mode, owners, (7, 7)), safe, "{mode:o} {owners:?}");
        }
    }

    #[test]
    fn trees_that_are_closed_are_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(scratch.path(), tree.join("a/link")).unwrap();
        for closed in ["a/b", "a", ""] {
            fs::set_permissions(tree.join(closed), Permissions::from_mode(0o0)).unwrap();
        }
        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(scratch.path().exists() && !tree.exists());
    }
}
