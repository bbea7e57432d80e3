//! The image served by a process of our own through FUSE: each block is checked whenever it is read.
//!
//! The kernel asks once and remembers: names, absent names, attributes, link targets, listings and data are cached
//! without limit of time, for the image never changes. Starting a dynamic `true` takes some fifty requests.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use fuser::{Config, Session, SessionACL};
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::mount::MsFlags;
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd;

use super::{CheckError, MountError, OwnerMap, VerifiedImage};
use crate::error::UNSERVED;
use crate::limits;

mod files;
mod node;
mod server;
mod workers;

/// File system type, `polecat` being the subtype that /proc/mounts shows.
const KIND: &str = "fuse.polecat";

/// Opens `dev/fuse` and mounts it read-only on `target`; the descriptor is for [`serve`], in a process outside of
/// this mount namespace, which that process would keep alive otherwise. `dev` is where the host's `/dev` is seen.
///
/// In a user namespace the device must be opened by a member, as is done here: the kernel compares.
///
/// # Errors
/// See [`MountError`]. Nothing stays behind.
pub fn mount(dev: &Path, target: &Path, owner: OwnerMap) -> Result<OwnedFd, MountError> {
    let path = dev.join("fuse");
    let fd = fcntl::open(&path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| MountError::Open { path, errno })?;
    let mut flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
    if owner != OwnerMap::AsStored {
        flags |= MsFlags::MS_NOSUID;
    }
    let options = options(fd.as_raw_fd(), unistd::geteuid().as_raw(), unistd::getegid().as_raw());
    nix::mount::mount(Some("polecat"), target, Some(KIND), flags, Some(options.as_str())).map_err(|errno| {
        MountError::Mount {
            kind: KIND,
            target: target.to_owned(),
            errno,
        }
    })?;
    Ok(fd)
}

/// The data argument of mount(2), `Documentation/filesystems/fuse/fuse.rst`. The kernel itself decides who may do
/// what, by the modes it was told (`default_permissions`), and not the mounter alone is served (`allow_other`).
fn options(fd: i32, uid: u32, gid: u32) -> String {
    format!("fd={fd},rootmode=40000,user_id={uid},group_id={gid},default_permissions,allow_other")
}

/// [`serve_reporting`] without a report.
///
/// # Errors
/// See [`ServeError`].
pub fn serve(image: VerifiedImage, fd: OwnedFd, owner: OwnerMap) -> Result<(), ServeError> {
    serve_reporting(image, fd, owner, |_| ())
}

/// Answers the kernel until the file system is unmounted, the namespace that held it is gone, or the connection is
/// aborted. Blocks all signals of the calling process: the mount must outlive a Ctrl-C that the program handles, and
/// a stopped server would stop everything that touches the mount.
///
/// `report` is called at most once, with the first block that is not what was signed, after the reader got its `EIO`.
///
/// # Errors
/// See [`ServeError`].
pub fn serve_reporting(
    image: VerifiedImage,
    fd: OwnedFd,
    owner: OwnerMap,
    report: impl Fn(&CheckError) + Send + Sync + 'static,
) -> Result<(), ServeError> {
    serve_boxed(image, fd, owner, Box::new(report))
}

fn serve_boxed(image: VerifiedImage, fd: OwnedFd, owner: OwnerMap, report: server::Report) -> Result<(), ServeError> {
    SigSet::all().thread_block().map_err(ServeError::Signals)?;
    let squashfs = image.open().map_err(|error| match CheckError::beneath(&error) {
        Some(failure) => {
            report(&failure);
            ServeError::Unverified(failure)
        }
        None => ServeError::Image(error),
    })?;
    let connection = fd.try_clone().map_err(ServeError::Connection)?;
    let server = server::Server::new(files::Files::new(squashfs, owner), connection, report);
    let mut config = Config::default();
    config.acl = SessionACL::All;
    let ended = Session::from_fd(server, fd, config.acl, config).and_then(Session::run);
    match (image.failure(), ended) {
        (Some(failure), _) => Err(ServeError::Unverified(failure.clone())),
        // Unmounted before the first request was read.
        (None, Err(error)) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        (None, Err(error)) => Err(ServeError::Connection(error)),
        (None, Ok(())) => Ok(()),
    }
}

/// Why a mount was not served well to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A block was not what was signed; the server went on, refusing what it could not vouch for, until the end.
    Unverified(CheckError),
    /// The image is no squashfs that can be served.
    Image(squashfs::Error),
    /// Signals could not be blocked.
    Signals(Errno),
    /// The connection to the kernel failed.
    Connection(io::Error),
}

impl ServeError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unverified(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Signals(_) => None,
            Self::Connection(error) => {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
                Some(limits::hint_of_fork(errno).unwrap_or(UNSERVED).to_owned())
            }
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified(error) => error.fmt(f),
            Self::Image(error) => write!(f, "serve the image: {error}"),
            Self::Signals(errno) => write!(f, "block signals in the FUSE server: {}", errno.desc()),
            Self::Connection(error) => write!(f, "serve the image to the kernel: {error}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unverified(error) => Some(error),
            Self::Image(error) => Some(error),
            Self::Signals(errno) => Some(errno),
            Self::Connection(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_options_are_those_of_the_kernel() {
        assert_eq!(
            options(3, 1000, 100),
            "fd=3,rootmode=40000,user_id=1000,group_id=100,default_permissions,allow_other"
        );
    }
}
