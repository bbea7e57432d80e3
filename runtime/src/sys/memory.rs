//! Memory for a program that says so where it gets none, and ends. The standard library's words would name no limit, and its abort
//! is a signal that nobody sent.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use nix::sys::uio::writev;

use super::process;
use crate::limits;

/// The system's allocator.
#[derive(Debug, Clone, Copy)]
pub struct Allocator {
    /// What the process ends with where there is no memory.
    pub status: u8,
}

// SAFETY: each call is handed on as it came, with the same contract; a pointer that is given back is the system's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.there(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.there(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.there(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

impl Allocator {
    fn there(&self, memory: *mut u8) -> *mut u8 {
        if memory.is_null() {
            end(self.status);
        }
        memory
    }
}

/// Allocates nothing.
#[cold]
#[inline(never)]
fn end(status: u8) -> ! {
    let parts = [
        "polecat: there is no memory to be had (try: ",
        limits::hint_of_refusal(),
        ")\n",
    ];
    match writev(io::stderr().as_fd(), &parts.map(|part| IoSlice::new(part.as_bytes()))) {
        // Who has closed stderr does not want to read it.
        Ok(_) | Err(_) => process::exit(status),
    }
}
