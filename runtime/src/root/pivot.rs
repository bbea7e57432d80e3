//! Out of the host's root: pivot_root(2), twice.
//!
//! First into an empty tmpfs, with the host at [`HOST`] inside of it: from there everything of the host can be bound,
//! what lies under the covered mount point too. Then into the new root, and everything else is detached.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, fchdir, mkdir, pivot_root};

/// Where the host is between the two steps.
pub const HOST: &str = "/old";

/// Directories to cover for a moment. Which one does not matter, as long as it is there.
const BASES: [&str; 9] = ["/tmp", "/run", "/mnt", "/var", "/dev", "/proc", "/sys", "/usr", "/etc"];

/// What to try when a process that has the right to mount may not. So it is for root, too, in some containers.
const FORBIDDEN_HINT: &str = "a security module forbids to mount here: see kernel.apparmor_restrict_unprivileged_userns and the \
    profile of the container";

const NONE: Option<&str> = None;

/// Keeps what is mounted here from the host, and what the host mounts later, as below a shared home directory,
/// visible here.
///
/// # Errors
/// See [`PivotError`].
pub fn hide_mounts() -> Result<(), PivotError> {
    match make_slave() {
        Err(Errno::EINVAL) => hide_from_chroot(),
        result => result,
    }
    .map_err(PivotError::Private)
}

fn make_slave() -> Result<(), Errno> {
    mount(NONE, "/", NONE, MsFlags::MS_SLAVE | MsFlags::MS_REC, NONE)
}

/// The root is that of chroot(2), a directory in a mount that cannot be named from here. Joining the mount namespace
/// anew leads to its own root for a moment.
fn hide_from_chroot() -> Result<(), Errno> {
    let root = open(
        "/",
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    // Without /proc the first answer stands: the root is no mount point.
    let namespace = File::open("/proc/self/ns/mnt").map_err(|_| Errno::EINVAL)?;
    setns(namespace, CloneFlags::CLONE_NEWNS)?;
    make_slave()?;
    fchdir(&root)?;
    chroot(".")
}

/// Makes an empty tmpfs of at most `limit` bytes the root, with the host at [`HOST`]. `devices`: nodes of devices work in it,
/// until a mount of a part of it says otherwise.
///
/// # Errors
/// See [`PivotError`].
pub fn into_base(limit: u64, devices: bool) -> Result<(), PivotError> {
    let base = cover_any(limit, devices)?;
    let step = |step, result: Result<(), Errno>| result.map_err(|errno| PivotError::Step { step, errno });
    step("enter the base of the new root", chdir(base))?;
    step(
        "make a place for the host",
        mkdir(&HOST[1..], Mode::from_bits_truncate(0o755)),
    )?;
    match pivot_root(".", &HOST[1..]) {
        // The root is that of chroot(2), or the first file system of all, which cannot be moved: initramfs.
        Err(Errno::EINVAL) => step("move the base of the new root", move_over_root(base))?,
        result => step("pivot_root to the base of the new root", result)?,
    }
    step("enter the base of the new root", chdir("/"))
}

fn cover_any(limit: u64, devices: bool) -> Result<&'static Path, PivotError> {
    let options = format!("mode=755,size={limit}");
    let closed = if devices { MsFlags::empty() } else { MsFlags::MS_NODEV };
    let flags = MsFlags::MS_NOSUID | closed;
    let mut last = Errno::ENOENT;
    let directories = BASES.into_iter().filter(|base| is_directory(base));
    for base in directories {
        match mount(Some("tmpfs"), base, Some("tmpfs"), flags, Some(options.as_str())) {
            Ok(()) => return Ok(Path::new(base)),
            Err(errno) => last = errno,
        }
    }
    Err(PivotError::Base(last))
}

/// A link could not be found again in the host's copy of itself.
fn is_directory(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// What pivot_root does, in the way of switch_root(8). The old root stays beneath the new one, where only chroot(2)
/// could lead; the app never has `CAP_SYS_CHROOT`, and the kernel gives no user namespace to whoever is in a chroot.
fn move_over_root(base: &Path) -> Result<(), Errno> {
    mount(Some("/"), &HOST[1..], NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
    let copy = Path::new(&HOST[1..]).join(base.strip_prefix("/").unwrap_or(base));
    umount2(&copy, MntFlags::MNT_DETACH)?;
    mount(Some("."), "/", NONE, MsFlags::MS_MOVE, NONE)?;
    chroot(".")
}

/// Makes `root`, a mount point, the root, and detaches all that is not below it.
///
/// # Errors
/// See [`PivotError`].
pub fn into_root(root: &Path) -> Result<(), PivotError> {
    let step = |step, result: Result<(), Errno>| result.map_err(|errno| PivotError::Step { step, errno });
    step("enter the new root", chdir(root))?;
    // With the same directory twice the old root ends up over the new one, and "." is the old one.
    step("pivot_root to the new root", pivot_root(".", "."))?;
    step("detach the old root", umount2(".", MntFlags::MNT_DETACH))?;
    step("enter the new root", chdir("/"))
}

/// Why the root could not be changed.
#[derive(Debug)]
pub enum PivotError {
    /// The mounts of the new namespace could not be parted from the host's.
    Private(Errno),
    /// No directory could be covered by a tmpfs.
    Base(Errno),
    /// One of the steps after that.
    Step {
        /// What was tried, as a verb.
        step: &'static str,
        /// Why not.
        errno: Errno,
    },
}

impl PivotError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Private(Errno::EPERM | Errno::EACCES) | Self::Base(Errno::EPERM | Errno::EACCES) => {
                Some(FORBIDDEN_HINT.into())
            }
            Self::Private(Errno::EINVAL) => {
                Some("mount proc on /proc of the chroot, or before chroot(1), `mount --bind DIR DIR`".into())
            }
            _ => None,
        }
    }
}

impl fmt::Display for PivotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(errno) => write!(f, "part the mounts from the host's: {}", errno.desc()),
            Self::Base(errno) => {
                write!(f, "mount a tmpfs on any of {}: {}", BASES.join(" "), errno.desc())
            }
            Self::Step { step, errno } => write!(f, "{step}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for PivotError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forbidden_need_not_be_a_user_namespace() {
        for error in [PivotError::Base(Errno::EPERM), PivotError::Private(Errno::EACCES)] {
            let hint = error.hint().unwrap();
            assert!(hint.starts_with("a security module forbids"), "{hint}");
        }
        assert_eq!(PivotError::Base(Errno::ENOMEM).hint(), None);
    }
}
