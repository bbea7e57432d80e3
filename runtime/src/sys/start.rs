//! Where the stub begins: the `main` that the C library calls, as a crate of its own.
//!
//! Before a `main` of Rust's the standard library does what [`runtime::prepare`] does, and installs a handler that says that a
//! stack overflowed: 14 KiB.

#![allow(unsafe_code)]
#![no_main]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

#[global_allocator]
static ALLOCATOR: runtime::sys::memory::Allocator = runtime::sys::memory::Allocator {
    status: runtime::exit::FAILED,
};

// SAFETY: the name is the C library's, which calls it once, with a vector of `count` NUL-terminated strings.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    if let Err(error) = runtime::prepare() {
        polecat_stub::fail(error)
    }
    let arguments = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
        // SAFETY: the vector and its strings are as above, and stay for as long as the process.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) };
        OsStr::from_bytes(argument.to_bytes()).to_owned()
    });
    polecat_stub::start(arguments.collect::<Vec<OsString>>())
}
