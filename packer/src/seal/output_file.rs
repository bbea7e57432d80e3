//! A file that gets its name when it is whole.
//!
//! Until then it has none (`O_TMPFILE`, open(2)): whatever ends the process, nothing is left behind. Where the file system cannot do
//! that, it has a temporary name beside its own, which is removed at every end but a death by signal.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
use tempfile::TempPath;

/// Permissions, before the umask: everyone may start it.
const MODE: u32 = 0o755;

/// Temporary names that are tried before giving up.
const NAMES: u32 = 1000;

/// A file that is written and has no name yet.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    directory: PathBuf,
    file: File,
    temporary: Option<TempPath>,
}

/// Why the output is not written.
#[derive(Debug)]
pub enum OutputError {
    /// There is a directory of that name.
    IsDirectory {
        /// As given.
        path: PathBuf,
    },
    /// There is something of that name that is no regular file, such as a device.
    NotAFile {
        /// As given.
        path: PathBuf,
    },
    /// The directory it is to be in cannot be used.
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written, or not be named.
    Write {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OutputError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::IsDirectory { path } => {
                let inside = path.join("NAME.run");
                Some(format!(
                    "give the name of a file, such as --output {}",
                    inside.display()
                ))
            }
            Self::NotAFile { .. } => Some("give another name with --output".into()),
            Self::Directory { source, .. } | Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Some("make the directory first, or give another one with --output".into()),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("write to a directory that is yours with --output".into())
                }
                io::ErrorKind::StorageFull => Some("make room, or write to another place with --output".into()),
                _ => None,
            },
        }
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsDirectory { path } => write!(f, "output: {}: is a directory", path.display()),
            Self::NotAFile { path } => write!(f, "output: {}: exists and is not a regular file", path.display()),
            Self::Directory { path, source } => {
                write!(f, "output: cannot write in directory {}: {source}", path.display())
            }
            Self::Write { path, source } => write!(f, "output: {}: cannot write: {source}", path.display()),
        }
    }
}

impl std::error::Error for OutputError {}

impl OutputFile {
    /// Begins a file that will be at `path`; a regular file or link that is there is replaced, not written to.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let directory = check_place(path)?;
        let unnamed = open_unnamed(&directory).map_err(|source| OutputError::Directory {
            path: directory.clone(),
            source,
        })?;
        match unnamed {
            Some(file) => Ok(Self {
                path: path.to_owned(),
                file,
                directory,
                temporary: None,
            }),
            None => Self::create_named(path, directory),
        }
    }

    /// Begins a file that has a temporary name.
    fn create_named(path: &Path, directory: PathBuf) -> Result<Self, OutputError> {
        let named = tempfile::Builder::new()
            .prefix(&temporary_prefix(path))
            .permissions(fs::Permissions::from_mode(MODE))
            .tempfile_in(&directory);
        let named = named.map_err(|source| OutputError::Directory {
            path: directory.clone(),
            source,
        })?;
        let (file, temporary) = named.into_parts();
        Ok(Self {
            path: path.to_owned(),
            file,
            directory,
            temporary: Some(temporary),
        })
    }

    /// The file, open for reading and writing.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name, once every byte is on the disk.
    ///
    /// # Errors
    /// [`OutputError::Write`]; what was at the path before is still there.
    pub fn publish(self) -> Result<(), OutputError> {
        let Self {
            path,
            directory,
            file,
            temporary,
        } = self;
        let fault = |source| OutputError::Write {
            path: path.clone(),
            source,
        };
        file.sync_all().map_err(fault)?;
        match temporary {
            Some(temporary) => temporary.persist(&path).map_err(|error| fault(error.error))?,
            None => name(&file, &directory, &path).map_err(|errno| fault(errno.into()))?,
        }
        // Nobody can execute a file that is open for writing.
        drop(file);
        sync_directory(&directory).map_err(fault)
    }
}

/// The directory of `path`, if a file can be there.
fn check_place(path: &Path) -> Result<PathBuf, OutputError> {
    use std::os::unix::ffi::OsStrExt;
    let is_directory = OutputError::IsDirectory { path: path.to_owned() };
    let names_directory = path.as_os_str().as_bytes().ends_with(b"/") || path.file_name().is_none();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(is_directory),
        Ok(metadata) if !metadata.is_file() => return Err(OutputError::NotAFile { path: path.to_owned() }),
        _ if names_directory => return Err(is_directory),
        _ => {}
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(directory.unwrap_or(Path::new(".")).to_owned())
}

/// A file without a name in `directory`; none where that cannot be, or could not be named later.
fn open_unnamed(directory: &Path) -> io::Result<Option<File>> {
    if !Path::new("/proc/self/fd").is_dir() {
        return Ok(None);
    }
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    match open(directory, flags, Mode::from_bits_truncate(MODE)) {
        Ok(descriptor) => Ok(Some(File::from(descriptor))),
        // EISDIR comes from kernels before 3.11, EOPNOTSUPP from file systems.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Links the file to `path`. linkat(2) replaces nothing: what is there is replaced by a rename from a temporary name.
fn name(file: &File, directory: &Path, path: &Path) -> Result<(), Errno> {
    // AT_EMPTY_PATH would need a capability.
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| {
        linkat(
            AT_FDCWD,
            descriptor.as_str(),
            AT_FDCWD,
            name,
            AtFlags::AT_SYMLINK_FOLLOW,
        )
    };
    match link(path) {
        Err(Errno::EEXIST) => {}
        answer => return answer,
    }
    for number in 0..NAMES {
        let mut name = temporary_prefix(path);
        name.push(format!("{}-{number}", std::process::id()));
        let temporary = directory.join(name);
        match link(&temporary) {
            Err(Errno::EEXIST) => continue,
            answer => answer?,
        }
        return renameat(AT_FDCWD, &temporary, AT_FDCWD, path).inspect_err(|_| remove(&temporary));
    }
    Err(Errno::EEXIST)
}

/// Removes a temporary name after a failure. That failure is what the user is told of, whatever becomes of this.
fn remove(temporary: &Path) {
    unlinkat(AT_FDCWD, temporary, UnlinkatFlags::NoRemoveDir).unwrap_or_default();
}

/// `.NAME.`, so that what is left by an accident can be told.
fn temporary_prefix(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or(OsStr::new("polecat")));
    name.push(".");
    name
}

/// Writes the name to the disk. Some network and user-space file systems cannot, and say EINVAL: fsync(2).
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        Err(error) if error.raw_os_error() == Some(nix::libc::EINVAL) => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("a name").file_name()).collect();
        names.sort();
        names
    }

    type Create = fn(&Path) -> Result<OutputFile, OutputError>;

    /// Without a name where the file system can do that, and with a temporary one.
    const WAYS: [Create; 2] = [OutputFile::create, |path| {
        OutputFile::create_named(path, check_place(path)?)
    }];

    #[test]
    fn a_file_appears_whole_and_alone() {
        for create in WAYS {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("out.run");
            for contents in ["first", "second"] {
                let mut output = create(&path).expect("writable");
                let before = fs::read(&path).ok();
                output.file().write_all(contents.as_bytes()).expect("room");
                assert_eq!(fs::read(&path).ok(), before, "not yet");
                let temporary = usize::from(output.temporary.is_some());
                let there = usize::from(before.is_some());
                assert_eq!(names(directory.path()).len(), there + temporary);
                output.publish().expect("room");
                assert_eq!(fs::read(&path).expect("there"), contents.as_bytes());
                assert_eq!(names(directory.path()), ["out.run"]);
            }
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o7700, 0o700);
        }
    }

    #[test]
    fn a_file_that_is_given_up_leaves_what_was_there() {
        for create in WAYS {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("out.run");
            fs::write(&path, "old").expect("room");
            let mut output = create(&path).expect("writable");
            output.file().write_all(b"new").expect("room");
            drop(output);
            assert_eq!(fs::read(&path).expect("there"), b"old");
            assert_eq!(names(directory.path()), ["out.run"]);
        }
    }

    #[test]
    fn a_link_is_replaced_and_its_target_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, target) = (directory.path().join("out.run"), directory.path().join("target"));
        fs::write(&target, "old").expect("room");
        std::os::unix::fs::symlink(&target, &path).expect("room");
        OutputFile::create(&path).expect("writable").publish().expect("room");
        assert_eq!(fs::read(&target).expect("there"), b"old");
        assert!(fs::symlink_metadata(&path).expect("there").is_file());
    }

    #[test]
    fn what_cannot_be_an_output_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let inside = |name: &str| directory.path().join(name);
        fs::create_dir(inside("dir")).expect("room");
        std::os::unix::fs::symlink("dir", inside("link")).expect("room");
        for (path, expected) in [
            (inside("dir"), "is a directory"),
            (inside("link"), "is a directory"),
            (inside("new/"), "is a directory"),
            (inside(".."), "is a directory"),
            (PathBuf::new(), "is a directory"),
            (PathBuf::from("/dev/null"), "exists and is not a regular file"),
            (inside("missing/out"), "No such file or directory"),
        ] {
            let error = OutputFile::create(&path).expect_err("refused");
            assert!(error.to_string().contains(expected), "{path:?}: {error}");
            assert!(error.hint().is_some(), "{error}");
        }
        assert_eq!(names(directory.path()), ["dir", "link"]);
    }
}
