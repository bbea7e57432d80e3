//! What the kernel told the program at its start: getauxval(3).

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The path that was given to execve(2) (`AT_EXECFN`); relative to the working directory at that time.
#[must_use]
pub fn executable_name() -> Option<&'static Path> {
    // SAFETY: getauxval has no preconditions; an entry that is missing gives 0.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if address == 0 {
        return None;
    }
    let pointer = std::ptr::with_exposed_provenance::<libc::c_char>(usize::try_from(address).ok()?);
    // SAFETY: the kernel puts a NUL-terminated string there, above the stack, and it stays for the life of the process.
    let name = unsafe { CStr::from_ptr(pointer) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// Whether the program was started with more rights than its caller has: set-user-id, set-group-id or file
/// capabilities (`AT_SECURE`).
#[must_use]
pub fn is_secure() -> bool {
    // SAFETY: getauxval has no preconditions; an entry that is missing gives 0.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
