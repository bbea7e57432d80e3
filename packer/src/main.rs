//! polecat packs a program and all it needs into one signed file that runs everywhere.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use runtime::sys::memory::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator { status: 1 };

fn main() -> ExitCode {
    polecat::cli::run(std::env::args_os())
}
