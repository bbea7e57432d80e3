//! keyctl(2).

use nix::errno::Errno;

/// `KEYCTL_JOIN_SESSION_KEYRING`.
const JOIN_SESSION_KEYRING: libc::c_long = 1;

/// Gives this process a new, empty session keyring in the place of the one that it inherited.
///
/// # Errors
/// `ENOSYS` where the kernel has no keys, `EDQUOT` where the user has as many as he may, `EPERM` where a filter forbids it.
pub fn join_new() -> Result<(), Errno> {
    // SAFETY: a null name asks for one without a name; nothing of this process's memory is read or written.
    let keyring = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    Errno::result(keyring).map(drop)
}
