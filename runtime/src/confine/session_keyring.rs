//! Keys that the kernel keeps for the caller's session: session-keyring(7). They come along with clone(2) and execve(2), and no
//! namespace stands between.

use nix::errno::Errno;

use crate::sys::keyring;

/// Leaves the caller's for one of this process's own.
///
/// Where the kernel has no keys there is nothing to leave. Where a filter forbids to ask for a new one, as those of container
/// engines do, it forbids the app to read the old one, too.
pub(super) fn leave() -> Result<(), Errno> {
    match keyring::join_new() {
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => Ok(()),
        result => result,
    }
}
