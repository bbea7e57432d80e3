//! Mounts that are attached nowhere: open_tree(2) and move_mount(2), Linux 5.2.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;

/// `OPEN_TREE_CLONE`.
const CLONE: libc::c_uint = 1;
/// `OPEN_TREE_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_uint = libc::O_CLOEXEC.cast_unsigned();
/// `MOVE_MOUNT_F_EMPTY_PATH`.
const FROM_DESCRIPTOR: libc::c_uint = 4;

/// A copy of the mount at `path`, an absolute path of this mount namespace. It is gone with its last descriptor, unless it was attached.
///
/// # Errors
/// `ENOSYS` before Linux 5.2, `EINVAL` where nothing is mounted there, `EPERM`, `EMFILE`, `ENOSPC` when there are too many mounts.
pub fn copy_of(path: &Path) -> Result<OwnedFd, Errno> {
    let opened = path.with_nix_path(|path| {
        // SAFETY: `path` is NUL-terminated and is only read.
        unsafe {
            libc::syscall(
                libc::SYS_open_tree,
                libc::AT_FDCWD,
                path.as_ptr(),
                CLONE | CLOSE_ON_EXEC,
            )
        }
    })?;
    let number = RawFd::try_from(Errno::result(opened)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the call has just made this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Attaches `mount` at `target`, a directory. Its descriptor may be closed afterwards.
///
/// # Errors
/// `ENOSYS` before Linux 5.2, `EINVAL` where it is attached already, `EPERM`, `ENOENT`.
pub fn attach(mount: impl AsFd, target: &Path) -> Result<(), Errno> {
    let attached = target.with_nix_path(|target| {
        // SAFETY: the descriptor is open for the length of the borrow; both paths are NUL-terminated and are only read.
        unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                mount.as_fd().as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                target.as_ptr(),
                FROM_DESCRIPTOR,
            )
        }
    })?;
    Errno::result(attached).map(drop)
}
