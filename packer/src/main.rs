//! polecat packs a program and all it needs into one signed file that runs everywhere.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    polecat::cli::run(std::env::args_os())
}
