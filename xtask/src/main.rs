//! Build and test glue: everything that must be done around `cargo build` and `cargo test`, as verbs of `cargo xtask`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

mod bench;
mod build;
mod cases;
mod error;
mod leftovers;
mod paths;
mod programs;
mod rootfs;
mod setup;
mod size;
mod suite;

use error::Error;
use rootfs::Rootfs;

/// Build and test glue of polecat.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    /// Install what the tests need, make the test root file system, build, and run every test.
    Test(suite::Options),
    /// Install (Debian, root) or name what the tests and the build need.
    Setup,
    /// Make a root file system of the tests where it is missing, and print its path.
    Rootfs {
        /// Which.
        #[arg(value_enum, default_value_t = Rootfs::Tests)]
        which: Rootfs,
    },
    /// Pack real programs and see that they work; prints a table, and all about what failed.
    Cases(cases::Options),
    /// Print the sizes of the stub and the packer.
    Size,
    /// Measure start times of packed programs, and the time and memory of packing.
    Bench(bench::Options),
    /// One end of a measurement; started by `bench`.
    #[command(hide = true)]
    Measure(bench::measure::Options),
}

fn main() -> ExitCode {
    match run(Verb::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<(), Error> {
    match verb {
        Verb::Test(options) => suite::test(&options),
        Verb::Setup => setup::setup(),
        Verb::Rootfs { which } => {
            setup::setup()?;
            println!("{}", rootfs::ensure(which)?.display());
            Ok(())
        }
        Verb::Cases(options) => cases::cases(&options),
        Verb::Size => size::print(),
        Verb::Bench(options) => bench::bench(&options),
        Verb::Measure(options) => bench::measure::measure(&options),
    }
}
