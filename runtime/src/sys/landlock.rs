//! Rules of files for this process: landlock(7). The crate of that name brings three more with it; these are its three calls.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// `LANDLOCK_CREATE_RULESET_VERSION`, linux/landlock.h.
const VERSION: libc::c_uint = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: libc::c_int = 1;

/// `struct landlock_ruleset_attr`, as far as every kernel with Landlock knows it.
#[repr(C)]
struct RulesetAttribute {
    handled_access_fs: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// The version of the kernel's interface, from 1.
///
/// # Errors
/// `ENOSYS` where the kernel has no Landlock, `EOPNOTSUPP` where it was not switched on at boot.
pub fn version() -> Result<u32, Errno> {
    let none = std::ptr::null::<RulesetAttribute>();
    // SAFETY: with this flag the kernel reads nothing and wants a null pointer and the length 0.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION) };
    u32::try_from(Errno::result(version)?).map_err(|_| Errno::EOVERFLOW)
}

/// Rules that are not in force yet. They refuse the accesses `LANDLOCK_ACCESS_FS_*` of `handled` wherever no rule allows them.
///
/// # Errors
/// See [`version`]; `EINVAL` for an access that this kernel does not know.
pub fn create(handled: u64) -> Result<OwnedFd, Errno> {
    let attribute = RulesetAttribute {
        handled_access_fs: handled,
    };
    let none: libc::c_uint = 0;
    // SAFETY: the kernel reads one such structure, of a value that outlives the call.
    let number = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const attribute,
            size_of::<RulesetAttribute>(),
            none,
        )
    };
    let number = RawFd::try_from(Errno::result(number)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel made this descriptor for the call; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Allows `accesses` to `place`, a file or everything below a directory; `O_PATH` is enough.
///
/// # Errors
/// `EINVAL` for accesses that are not handled, or that no file can have where `place` is a file; `ENOMSG` for none.
pub fn allow(rules: impl AsFd, place: impl AsFd, accesses: u64) -> Result<(), Errno> {
    let rule = PathBeneath {
        allowed_access: accesses,
        parent_fd: place.as_fd().as_raw_fd(),
    };
    let none: libc::c_uint = 0;
    // SAFETY: the kernel reads one such structure, of a value that outlives the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            rules.as_fd().as_raw_fd(),
            PATH_BENEATH,
            &raw const rule,
            none,
        )
    };
    Errno::result(answer).map(drop)
}

/// Puts the rules in force for this thread and all that it starts; they cannot be taken off.
///
/// # Errors
/// `EPERM` without `no_new_privs` and without `CAP_SYS_ADMIN`, `E2BIG` in the seventeenth ruleset.
pub fn restrict_self(rules: impl AsFd) -> Result<(), Errno> {
    let none: libc::c_uint = 0;
    // SAFETY: a number and no pointer.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_fd().as_raw_fd(), none) };
    Errno::result(answer).map(drop)
}
