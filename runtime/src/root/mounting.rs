//! mount(2), once for all callers.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{self, MsFlags};

/// Mounts a file system of a `kind`.
///
/// # Errors
/// mount(2).
pub(crate) fn fresh(kind: &str, target: &Path, flags: MsFlags, data: &str) -> Result<(), Errno> {
    mount(Some(Path::new(kind)), target, Some(kind), flags, Some(data))
}

/// Shows what is at `source` at `target` too, `more`: with what is mounted below it.
///
/// # Errors
/// mount(2).
pub(crate) fn bind(source: &Path, target: &Path, more: MsFlags) -> Result<(), Errno> {
    mount(Some(source), target, None, MsFlags::MS_BIND | more, None)
}

/// Changes the flags, and with `data` the options, of the mount at `target`.
///
/// # Errors
/// mount(2).
pub(crate) fn change(target: &Path, flags: MsFlags, data: Option<&str>) -> Result<(), Errno> {
    mount(None, target, None, MsFlags::MS_REMOUNT | flags, data)
}

#[inline(never)]
fn mount(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    data: Option<&str>,
) -> Result<(), Errno> {
    mount::mount(source, target, kind, flags, data)
}
