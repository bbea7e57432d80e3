//! A directory of the host that keeps what a program writes to its root, for the next start.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::{dev_t, ino_t};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, fstat, stat};
use nix::unistd::{geteuid, mkdir};

use crate::directory;
use crate::error::errno;
use crate::limits;
use crate::root::apply;
use crate::root::mounting;
use crate::root::overlay::{Layers, overlay};
use crate::root::pivot::HOST;
use crate::root::tree::TreeError;
use crate::session::at_home;

/// The file that says of which image the layer is.
const IMAGE: &str = "image";
/// The directories of the overlay.
const UPPER: &str = "upper";
/// Made last: where there is one, the upper layer has the root's attributes.
const WORK: &str = "work";

/// A directory with the upper layer of an overlay: the caller's, and nobody else's for as long as this and its copies in forked processes
/// live, flock(2).
#[derive(Debug)]
pub(crate) struct Upper {
    /// Where it was when it was locked: no component was a symbolic link.
    directory: PathBuf,
    /// Device and inode: whoever may write to a directory above can put another in its place.
    known: (dev_t, ino_t),
    _lock: File,
}

impl Upper {
    /// Takes `directory` for a layer over `image`, and makes it where it is missing.
    ///
    /// # Errors
    /// See [`PersistError`].
    pub(crate) fn open(directory: &Path, home: Option<&OsStr>, image: &str) -> Result<Self, PersistError> {
        let path = at_home(directory, home).ok_or(Why::System(Errno::ENOENT));
        path.and_then(|path| Self::take(&path, image))
            .map_err(|why| PersistError {
                directory: directory.to_owned(),
                why,
            })
    }

    #[inline(never)]
    fn take(path: &Path, image: &str) -> Result<Self, Why> {
        make(path)?;
        let directory = fs::canonicalize(path).map_err(|error| errno(&error))?;
        let lock = directory::lock(&directory)?;
        let known = fstat(&lock)?;
        if known.st_uid != geteuid().as_raw() || known.st_mode & 0o022 != 0 {
            return Err(Why::Foreign);
        }
        let mut here = PathBuf::from(format!("/proc/self/fd/{}", lock.as_raw_fd()));
        if !here.exists() {
            // Without /proc there is but the name.
            here.clone_from(&directory);
        }
        let note = here.join(IMAGE);
        match fs::read(&note).map_err(|error| errno(&error)) {
            Ok(noted) if noted == image.as_bytes() => {}
            Ok(noted) if !image.as_bytes().starts_with(&noted) => return Err(Why::Other),
            Err(errno) if errno != Errno::ENOENT => return Err(Why::System(errno)),
            // No start has come further than to a part of the note.
            _ if directory::names(&here)?.iter().all(|name| name == IMAGE) => {
                write(&note, image).map_err(|error| errno(&error))?;
            }
            Ok(_) => return Err(Why::Other),
            Err(_) => return Err(Why::Taken),
        }
        Ok(Self {
            directory,
            known: (known.st_dev, known.st_ino),
            _lock: lock,
        })
    }

    /// Mounts it over `layers` on `target`, whose own upper layer lies below it then: what is made for this run is not kept.
    #[inline(never)]
    pub(crate) fn overlay(&self, layers: Layers<'_>, target: &Path, in_user_namespace: bool) -> Result<(), UpperError> {
        // Of a name that an overlay takes, whatever the directory is called.
        let here = layers.work.with_file_name("kept");
        let (upper, work) = (here.join(UPPER), here.join(WORK));
        mkdir(&here, Mode::S_IRWXU).map_err(UpperError::Bind)?;
        let source = Path::new(HOST).join(self.directory.strip_prefix("/").unwrap_or(&self.directory));
        mounting::bind(&source, &here, MsFlags::empty()).map_err(UpperError::Bind)?;
        self.check(&here).map_err(UpperError::Bind)?;
        if !work.exists() {
            make(&upper).map_err(UpperError::Bind)?;
            apply::make_layer(&[], &upper, layers.lower).map_err(UpperError::Layer)?;
            make(&work).map_err(UpperError::Bind)?;
        }
        let layers = Layers {
            lower: layers.lower,
            between: Some(layers.upper),
            upper: &upper,
            work: &work,
        };
        overlay(layers, target, in_user_namespace).map_err(UpperError::Overlay)
    }

    /// `place` is the directory that was locked. What is mounted there nobody can exchange any more.
    fn check(&self, place: &Path) -> Result<(), Errno> {
        let found = stat(place)?;
        match (found.st_dev, found.st_ino) == self.known {
            true => Ok(()),
            false => Err(Errno::ESTALE),
        }
    }
}

/// Why a layer that is kept cannot be mounted.
#[derive(Debug)]
pub(crate) enum UpperError {
    Bind(Errno),
    Layer(TreeError),
    Overlay(Errno),
}

/// Makes a directory for nobody but the caller, unless there is one.
fn make(path: &Path) -> Result<(), Errno> {
    match mkdir(path, Mode::S_IRWXU) {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}

/// Writes a file that is on the disk before anything else is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

impl UpperError {
    /// What to try.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Overlay(Errno::EINVAL | Errno::EOPNOTSUPP)
            | Self::Layer(TreeError {
                errno: Errno::EPERM, ..
            }) => Some(
                "a directory on a file system that can be an upper layer, as ext4, xfs, btrfs and tmpfs can, and NFS, FAT \
                     and overlays, which containers have, cannot: `findmnt -T DIR` says on which it is",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for UpperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(errno) => write!(f, "prepare the directory that keeps what is written: {}", errno.desc()),
            Self::Layer(error) => error.fmt(f),
            Self::Overlay(errno) => write!(f, "mount the layer that is kept on the image: {}", errno.desc()),
        }
    }
}

/// A directory that cannot keep a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersistError {
    /// As it was named.
    pub directory: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a directory cannot keep a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The system says so.
    System(Errno),
    /// It is somebody else's, or others may write to it.
    Foreign,
    /// Another run has it.
    Busy,
    /// It keeps a layer over another image.
    Other,
    /// There are other things in it.
    Taken,
}

impl Why {
    /// In words, and what to try.
    fn told(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::System(errno) => (
                errno.desc(),
                match errno {
                    Errno::ENOENT => Some("make the directory that it is to be in"),
                    Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::ENOTDIR => {
                        Some("take a directory that you may write to")
                    }
                    _ => limits::hint(errno),
                },
            ),
            Self::Foreign => (
                "it is not the caller's alone",
                Some("take a directory of your own that only you may write to"),
            ),
            Self::Busy => (
                "another run has it",
                Some("wait for its end, or take another directory"),
            ),
            Self::Other => (
                "it keeps what was written over another image",
                Some("take another directory: a layer means nothing over another image"),
            ),
            Self::Taken => (
                "there are other things in it",
                Some("take an empty directory, or one that is not there yet"),
            ),
        }
    }
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EWOULDBLOCK => Self::Busy,
            errno => Self::System(errno),
        }
    }
}

impl PersistError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.why.told().1.map(str::to_owned)
    }
}

impl fmt::Display for PersistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (directory, (why, _)) = (self.directory.display(), self.why.told());
        write!(f, "keep what is written in {directory}: {why}")
    }
}

impl std::error::Error for PersistError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_for_one_image_and_one_run() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("kept");
        let open = |image| Upper::open(&directory, None, image).map_err(|error| error.why);
        let first = open("a").unwrap();
        assert_eq!(open("a").unwrap_err(), Why::Busy);
        drop(first);
        assert_eq!(open("b").unwrap_err(), Why::Other);
        open("a").unwrap();
        fs::rename(directory.join(IMAGE), directory.join("mine")).unwrap();
        assert_eq!(open("b").unwrap_err(), Why::Taken);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is changed");
    }

    #[test]
    fn a_note_that_was_cut_short_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let note = scratch.path().join(IMAGE);
        let open = |image| Upper::open(scratch.path(), None, image).map_err(|error| error.why);
        for part in ["", "imag"] {
            fs::write(&note, part).unwrap();
            open("image b").unwrap();
            assert_eq!(fs::read_to_string(&note).unwrap(), "image b");
        }
        assert_eq!(open("image a").unwrap_err(), Why::Other);
        fs::write(&note, "somebody's image").unwrap();
        assert_eq!(open("image a").unwrap_err(), Why::Other);
        fs::write(&note, "imag").unwrap();
        fs::create_dir(scratch.path().join(UPPER)).unwrap();
        assert_eq!(
            open("image b").unwrap_err(),
            Why::Other,
            "nobody knows of which image it is"
        );
    }

    #[test]
    fn another_directory_in_its_place_is_not_taken() {
        let scratch = tempfile::tempdir().unwrap();
        let [directory, moved, other] = ["kept", "moved", "other"].map(|name| scratch.path().join(name));
        let upper = Upper::open(&directory, None, "a").unwrap();
        assert_eq!(upper.check(&directory), Ok(()));
        fs::rename(&directory, &moved).unwrap();
        fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&other, &directory).unwrap();
        assert_eq!(upper.check(&directory), Err(Errno::ESTALE));
        assert_eq!(upper.check(&moved), Ok(()));
    }

    #[test]
    fn others_may_not_write_to_it() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("open");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(Upper::open(&directory, None, "a").unwrap_err().why, Why::Foreign);
        let below = scratch.path().join("no/such");
        assert_eq!(
            Upper::open(&below, None, "a").unwrap_err().why,
            Why::System(Errno::ENOENT)
        );
    }
}
