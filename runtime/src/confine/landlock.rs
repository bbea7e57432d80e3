//! Landlock: where there is no root of its own, the app at least sees no more files than it is given. landlock(7),
//! `Documentation/userspace-api/landlock.rst`.
//!
//! Best effort by the version of the kernel's interface: what an old kernel cannot refuse stays allowed, and is said.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::status::Degree;
use crate::error::errno;
use crate::sys::landlock;

/// `LANDLOCK_ACCESS_FS_*`, linux/landlock.h.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// Removing and making: from `REMOVE_DIR` to `MAKE_SYM`.
const CHANGE_DIR: u64 = 0x1ff0;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

const READ_EXECUTE: u64 = EXECUTE | READ_FILE | READ_DIR;
const WRITE: u64 = WRITE_FILE | CHANGE_DIR | REFER | TRUNCATE | IOCTL_DEV;
/// What can be allowed of something that is no directory.
const OF_FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// The accesses that a kernel whose interface has this `version` can refuse. Without [`REFER`] it refuses every link and
/// renaming into another directory.
fn known(version: u32) -> u64 {
    match version {
        0 => 0,
        1 => READ_EXECUTE | WRITE_FILE | CHANGE_DIR,
        2 => known(1) | REFER,
        3 | 4 => known(2) | TRUNCATE,
        _ => known(3) | IOCTL_DEV,
    }
}

/// How far rules of this version hold.
fn degree(version: u32) -> Degree {
    let open = match version {
        5.. => return Degree::Full(format!("rules of files, ABI {version}").into()),
        3 | 4 => "ioctl(2) on devices is not refused",
        2 => "neither truncate(2) nor ioctl(2) on devices is refused",
        _ => {
            "truncate(2) and ioctl(2) on devices are not refused, and links and renaming between directories always are"
        }
    };
    Degree::Partial(format!("ABI {version} of this kernel: {open}").into())
}

/// Keeps this process and all that it starts to these paths and what is below them: `read_execute` may be read, listed and
/// executed, `write` also be written, made and removed. One to write that this process cannot open is left out, and so is one to read
/// that is not there. What is open already stays open.
///
/// This thread must have set `no_new_privs` or have `CAP_SYS_ADMIN`. Nobody may call this in a process with several threads: the
/// others would stay free. Without Landlock in the kernel nothing is done, which [`Degree::None`] says.
///
/// # Errors
/// [`LandlockError`]: a path to read cannot be opened, or a call failed though the kernel has Landlock. Nothing is restricted then.
pub fn restrict(read_execute: &[&Path], write: &[&Path]) -> Result<Degree, LandlockError> {
    let version = match landlock::version() {
        Ok(version) => version,
        Err(Errno::ENOSYS) => {
            return Ok(Degree::None(
                "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK)".into(),
            ));
        }
        Err(Errno::EOPNOTSUPP) => return Ok(Degree::None("Landlock is not among the lsm= of this kernel".into())),
        // A filter of a container engine that does not know the call.
        Err(Errno::EPERM) => return Ok(Degree::None("landlock_create_ruleset(2) is forbidden here".into())),
        Err(errno) => return Err(LandlockError::call("ask for its version", errno)),
    };
    let handled = known(version);
    let rules = landlock::create(handled).map_err(|errno| LandlockError::call("create a ruleset", errno))?;
    for (paths, accesses) in [(read_execute, READ_EXECUTE), (write, READ_EXECUTE | WRITE)] {
        for path in paths {
            let opened = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path);
            let failed = |errno| LandlockError::Path {
                path: path.to_path_buf(),
                errno,
            };
            match opened.map_err(|error| errno(&error)) {
                Ok(place) => allow(&rules, &place, accesses & handled).map_err(failed)?,
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                // It is not this process's to write to.
                Err(_) if accesses & WRITE != 0 => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }
    landlock::restrict_self(&rules).map_err(|errno| LandlockError::call("restrict this process", errno))?;
    Ok(degree(version))
}

fn allow(rules: &OwnedFd, place: &File, accesses: u64) -> Result<(), Errno> {
    let is_directory = place.metadata().map_err(|error| errno(&error))?.is_dir();
    let possible = if is_directory { accesses } else { accesses & OF_FILE };
    landlock::allow(rules, place, possible)
}

/// The rules are not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LandlockError {
    /// What is allowed cannot be said.
    Path {
        /// Of which path.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A system call failed.
    Call {
        /// What for, as a verb.
        step: &'static str,
        /// What it said.
        errno: Errno,
    },
}

impl LandlockError {
    fn call(step: &'static str, errno: Errno) -> Self {
        Self::Call { step, errno }
    }
}

impl fmt::Display for LandlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path, errno } => write!(f, "landlock: allow {}: {}", path.display(), errno.desc()),
            Self::Call { step, errno } => write!(f, "landlock: {step}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for LandlockError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::{self, Change, Fork};
    use std::fs;

    #[test]
    fn what_each_version_can_refuse() {
        for (version, handled) in [
            (0, 0),
            (1, 0x1fff),
            (2, 0x3fff),
            (3, 0x7fff),
            (4, 0x7fff),
            (5, 0xffff),
            (7, 0xffff),
        ] {
            assert_eq!(known(version), handled, "{version}");
            let full = matches!(degree(version), Degree::Full(_));
            assert_eq!(full, version >= 5, "{version}");
        }
    }

    /// In a child with a single thread, which is what the app's process has.
    fn restricted(read: &[&Path], write: &[&Path], attempt: impl FnOnce() -> u8) -> Option<u8> {
        match process::fork().unwrap() {
            Fork::Child => {
                let ready = nix::sys::prctl::set_no_new_privs();
                process::exit(match ready.map(|()| restrict(read, write)) {
                    Ok(Ok(Degree::None(_))) => 77,
                    Ok(Ok(_)) => attempt(),
                    _ => 99,
                })
            }
            Fork::Parent(child) => match process::wait(child).unwrap() {
                Change::Exited(77) => None,
                Change::Exited(status) => Some(status),
                change => panic!("{change:?}"),
            },
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let [read, write, other] = ["read", "write", "other"].map(|name| {
            let directory = scratch.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("file"), "x").unwrap();
            directory
        });
        let file = other.join("one");
        fs::write(&file, "y").unwrap();
        let missing = scratch.path().join("missing/below");
        let status = restricted(&[&read, &file, &missing], &[&write], || {
            let checks = [
                fs::read(read.join("file")).is_ok(),
                fs::read_dir(&read).is_ok(),
                fs::write(read.join("file"), "z").is_err(),
                fs::write(read.join("new"), "z").is_err(),
                fs::remove_file(read.join("file")).is_err(),
                fs::read(write.join("file")).is_ok(),
                fs::write(write.join("new"), "z").is_ok(),
                fs::remove_file(write.join("new")).is_ok(),
                fs::read(&file).is_ok(),
                fs::read(other.join("file")).is_err(),
                fs::read_dir(scratch.path()).is_err(),
            ];
            let failed = checks.iter().position(|&held| !held);
            failed.map_or(0, |number| u8::try_from(number + 1).unwrap_or(98))
        });
        // A kernel without Landlock refuses nothing and says so.
        assert!(matches!(status, None | Some(0)), "check {status:?} does not hold");
        assert_eq!(status.is_none(), landlock::version().is_err());
    }
}
