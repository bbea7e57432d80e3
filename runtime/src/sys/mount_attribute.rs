//! mount_setattr(2), Linux 5.12.

use std::os::fd::{AsFd, AsRawFd};

use nix::NixPath;
use nix::errno::Errno;

/// `MOUNT_ATTR_RDONLY`.
pub const READ_ONLY: u64 = 0x1;
/// `MOUNT_ATTR_NOSUID`.
pub const NO_SET_ID: u64 = 0x2;
/// `MOUNT_ATTR_NODEV`.
pub const NO_DEVICES: u64 = 0x4;
/// `MOUNT_ATTR_NOEXEC`.
pub const NO_EXEC: u64 = 0x8;

/// `struct mount_attr`, `MOUNT_ATTR_SIZE_VER0`.
#[repr(C)]
#[derive(Debug)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Adds `attributes` to the mount at `name` in `directory` and to all mounts below it.
///
/// # Errors
/// `ENOSYS` before Linux 5.12; else what mount_setattr(2) says. Then no mount has changed.
pub fn add_recursively<P: ?Sized + NixPath>(directory: impl AsFd, name: &P, attributes: u64) -> Result<(), Errno> {
    let change = MountAttr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let result = name.with_nix_path(|name| {
        // SAFETY: the descriptor is open for the length of the borrow, `name` is NUL-terminated, and `change` has
        // the layout and the length that are passed; the call only reads them.
        unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                directory.as_fd().as_raw_fd(),
                name.as_ptr(),
                libc::AT_RECURSIVE | libc::AT_SYMLINK_NOFOLLOW,
                &raw const change,
                size_of::<MountAttr>(),
            )
        }
    })?;
    Errno::result(result).map(drop)
}
