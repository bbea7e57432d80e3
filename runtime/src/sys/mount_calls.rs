//! mount(2) and its kin for programs that are small, in place of the C library's.
//!
//! fuser can mount, and unmounts what it mounted by fusermount(1) where umount(2) is refused: with that comes all of the standard library
//! that starts programs, 32 KiB. Here fuser serves a connection that was mounted without it, and never has anything to unmount. With an
//! `umount` that does not return the linker sees that the rest cannot be reached. musl has the three in one object file, so that all are
//! here.

use std::ffi::{c_char, c_int, c_long, c_ulong, c_void};

use super::process;

// SAFETY: the name is the C library's, whose own is not linked where this is; the interface is the same.
#[unsafe(no_mangle)]
extern "C" fn mount(
    source: *const c_char,
    target: *const c_char,
    kind: *const c_char,
    flags: c_ulong,
    data: *const c_void,
) -> c_int {
    // SAFETY: the caller's arguments as they are, which are to be what mount(2) asks for.
    status(unsafe { libc::syscall(libc::SYS_mount, source, target, kind, flags, data) })
}

// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn umount2(target: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    status(unsafe { libc::syscall(libc::SYS_umount2, target, flags) })
}

/// Ends the process: only fuser calls it, for mounts that it made itself, and it makes none.
// SAFETY: as above, but that it does not return.
#[unsafe(no_mangle)]
extern "C" fn umount(_target: *const c_char) -> c_int {
    process::exit(crate::exit::FAILED)
}

/// What these calls return, which set errno.
fn status(result: c_long) -> c_int {
    if result == 0 { 0 } else { -1 }
}
