//! The image served by a process of our own through FUSE.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{CheckError, MountError, OwnerMap, VerifiedImage};

/// Opens `dev/fuse` and mounts it read-only on `target`; the descriptor is for [`serve`], in a process outside of
/// this mount namespace.
///
/// # Errors
/// See [`MountError`]. Nothing stays behind.
pub fn mount(dev: &Path, target: &Path, owner: OwnerMap) -> Result<OwnedFd, MountError> {
    let _ = (dev, target, owner);
    todo!()
}

/// [`serve_reporting`] without a report.
///
/// # Errors
/// See [`serve_reporting`].
pub fn serve(image: VerifiedImage, fd: OwnedFd, owner: OwnerMap) -> Result<(), ServeError> {
    serve_reporting(image, fd, owner, |_| ())
}

/// Answers the kernel until the file system is unmounted. Blocks all signals of the calling process.
///
/// `report` is called once, with the first block that is not what was signed, after the reader got its `EIO`.
///
/// # Errors
/// See [`ServeError`].
pub fn serve_reporting(
    image: VerifiedImage,
    fd: OwnedFd,
    owner: OwnerMap,
    report: impl Fn(&CheckError) + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let _ = (image, fd, owner, report);
    todo!()
}

/// Why the server ended before the mount did.
#[derive(Debug)]
pub enum ServeError {
    /// A block was not what was signed; the server went on, refusing what it could not vouch for, until the end.
    Unverified(CheckError),
    /// The image is no squashfs that can be served.
    Image(String),
    /// The connection to the kernel failed.
    Connection(io::Error),
}

impl ServeError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for ServeError {}
