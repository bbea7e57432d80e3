//! What is at a path of the root, and whether it is of the root file system or of something that is mounted on it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::errno;
use crate::root::mount_table;

/// What is there.
#[derive(Debug)]
pub(super) enum Presence {
    /// Something of the root file system; a link only where it leads to nothing.
    Found(Found),
    /// Nothing.
    Missing(Absence),
    /// Whatever it is, it lies in a file system that is mounted in the root: the host's, the kernel's, or a private one.
    Elsewhere(Option<Found>),
    /// This cannot be known: a directory that may not be searched, a loop of links.
    Unknown,
}

/// Nothing, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absence {
    /// The last directory, or what is in the place of one, on the way that is there: where it really is.
    pub(super) above: PathBuf,
    /// The names behind it, the first of which is not there.
    pub(super) rest: PathBuf,
}

/// Something that is there.
#[derive(Debug)]
pub(super) struct Found {
    /// Open for its place only, `O_PATH`.
    file: File,
    /// `st_mode`.
    pub(super) mode: u32,
}

impl Found {
    fn new(file: File) -> io::Result<Self> {
        let mode = file.metadata()?.mode();
        Ok(Self { file, mode })
    }

    /// Where it really is.
    pub(super) fn path(&self) -> io::Result<PathBuf> {
        fs::read_link(self.magic())
    }

    /// Opens the file for reading; only for regular files, which never make anybody wait.
    pub(super) fn open(&self) -> io::Result<File> {
        File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(self.magic())
    }

    pub(super) fn is_regular(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    pub(super) fn is_link(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFLNK
    }

    fn magic(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }
}

/// The file systems that are mounted in the root.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<PathBuf>);

impl Mounts {
    /// Those that there are now, of which nobody in the box can change any.
    pub(super) fn read() -> Result<Self, Errno> {
        let table = fs::read("/proc/self/mountinfo").map_err(|error| errno(&error))?;
        Ok(Self::parse(&table))
    }

    /// Of the contents of `/proc/PID/mountinfo`, proc_pid_mountinfo(5).
    fn parse(table: &[u8]) -> Self {
        let points = mount_table::points(table);
        Self(points.filter(|point| point != Path::new("/")).collect())
    }

    fn hold(&self, path: &Path) -> bool {
        self.0.iter().any(|mount| path.starts_with(mount))
    }

    /// What is at `path`, absolute.
    pub(super) fn look(&self, path: &Path) -> Presence {
        match open(path, 0) {
            Ok(found) => self.place(found),
            Err(libc::ENOENT | libc::ENOTDIR) => match open(path, libc::O_NOFOLLOW) {
                Ok(link) => self.place(link),
                Err(libc::ENOENT | libc::ENOTDIR) => self.miss(path),
                Err(_) => Presence::Unknown,
            },
            Err(_) => Presence::Unknown,
        }
    }

    fn place(&self, found: Found) -> Presence {
        match found.path() {
            Ok(real) if self.hold(&real) => Presence::Elsewhere(Some(found)),
            Ok(_) => Presence::Found(found),
            Err(_) => Presence::Unknown,
        }
    }

    /// Nothing is there: where would it be?
    fn miss(&self, path: &Path) -> Presence {
        let mut above = path.ancestors().skip(1);
        let above = above.find_map(|above| Some((open(above, 0).ok()?.path().ok()?, path.strip_prefix(above).ok()?)));
        match above {
            Some((above, rest)) if !self.hold(&above) => Presence::Missing(Absence {
                above,
                rest: rest.to_owned(),
            }),
            Some(_) => Presence::Elsewhere(None),
            None => Presence::Unknown,
        }
    }
}

fn open(path: &Path, flags: i32) -> Result<Found, i32> {
    let opened = File::options().read(true).custom_flags(libc::O_PATH | flags).open(path);
    let found = opened.and_then(Found::new);
    found.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
}

/// `name` as it is called from `directory`, without `.` and empty components. What `..` leads to depends on links, so it
/// stays.
pub(super) fn join(directory: &Path, name: &[u8]) -> PathBuf {
    let start = if name.starts_with(b"/") {
        &[][..]
    } else {
        directory.as_os_str().as_bytes()
    };
    let mut joined = Vec::with_capacity(start.len() + name.len() + 2);
    for component in start
        .split(|&byte| byte == b'/')
        .chain(name.split(|&byte| byte == b'/'))
    {
        if !matches!(component, b"" | b".") {
            joined.push(b'/');
            joined.extend_from_slice(component);
        }
    }
    if joined.is_empty() {
        joined.push(b'/');
    }
    PathBuf::from(std::ffi::OsString::from_vec(joined))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_directories() {
        for (directory, name, expected) in [
            ("/usr", "lib", "/usr/lib"),
            ("/usr", "/lib", "/lib"),
            ("/", "lib", "/lib"),
            ("/", ".", "/"),
            ("/usr", "./a//b/.", "/usr/a/b"),
            ("/usr", "../b", "/usr/../b"),
            ("", "//etc/", "/etc"),
        ] {
            assert_eq!(
                join(Path::new(directory), name.as_bytes()),
                Path::new(expected),
                "{directory} {name}"
            );
        }
    }

    #[test]
    fn mounted_in_the_root() {
        let table = b"30 1 0:25 / / rw - overlay overlay rw\n\
            31 30 0:26 / /proc rw - proc proc rw\n\
            32 30 0:27 /a /home/a\\040b rw - ext4 /dev/sda rw\n";
        let mounts = Mounts::parse(table);
        for (path, expected) in [
            ("/", false),
            ("/usr", false),
            ("/process", false),
            ("/proc", true),
            ("/proc/1/maps", true),
            ("/home/a b/c", true),
            ("/home/a", false),
        ] {
            assert_eq!(mounts.hold(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn what_is_there() {
        let directory = std::env::temp_dir().join(format!("polecat-place-{}", std::process::id()));
        fs::create_dir_all(directory.join("mounted")).unwrap();
        fs::write(directory.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("nowhere", directory.join("dangling")).unwrap();
        std::os::unix::fs::symlink("mounted", directory.join("link")).unwrap();
        std::os::unix::fs::symlink("loop", directory.join("loop")).unwrap();
        let real = directory.canonicalize().unwrap();
        let mounts = Mounts(vec![real.join("mounted")]);
        let shown = |name: &str| match mounts.look(&directory.join(name)) {
            Presence::Found(found) if found.is_regular() => "file",
            Presence::Found(_) => "found",
            Presence::Missing(_) => "missing",
            Presence::Elsewhere(Some(_)) => "elsewhere",
            Presence::Elsewhere(None) => "missing elsewhere",
            Presence::Unknown => "unknown",
        };
        for (name, expected) in [
            ("file", "file"),
            (".", "found"),
            ("dangling", "found"),
            ("nothing", "missing"),
            ("nothing/below", "missing"),
            ("file/below", "missing"),
            ("mounted", "elsewhere"),
            ("link", "elsewhere"),
            ("mounted/x/y", "missing elsewhere"),
            ("link/x", "missing elsewhere"),
            ("loop", "unknown"),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
        for (name, above, rest) in [
            ("nothing", "", "nothing"),
            ("nothing/../below", "", "nothing/../below"),
            ("file/below/it", "file", "below/it"),
            ("dangling/x", "", "dangling/x"),
        ] {
            let Presence::Missing(absence) = mounts.look(&directory.join(name)) else {
                panic!("{name}")
            };
            let expected = (real.join(above), Path::new(rest));
            // Without the slash that joining nothing leaves.
            let expected = (expected.0.components().collect::<PathBuf>(), expected.1);
            assert_eq!((absence.above, absence.rest.as_path()), expected, "{name}");
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
