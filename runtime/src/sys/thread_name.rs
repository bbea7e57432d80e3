//! Names of threads, for programs that are small: musl's own pthread_setname_np(3) can name any thread, by a file that it calls by
//! printf's means, and printf with all that it can is 10 KiB. The standard library names only the thread that it is in.

use std::ffi::{c_char, c_int};

/// Names the calling thread.
// SAFETY: the name is the C library's, whose own is not linked where this is; the standard library, the only caller, gives its own
// thread and a NUL-terminated name.
#[unsafe(no_mangle)]
extern "C" fn pthread_setname_np(_thread: libc::pthread_t, name: *const c_char) -> c_int {
    // SAFETY: PR_SET_NAME reads up to 16 bytes of a NUL-terminated string.
    match unsafe { libc::prctl(libc::PR_SET_NAME, name) } {
        0 => 0,
        _ => libc::EINVAL,
    }
}
