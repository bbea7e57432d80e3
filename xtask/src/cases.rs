//! Real programs, packed and used: runs the end-to-end test of that name with choices that a person makes.

use clap::Args;

use crate::error::Error;
use crate::rootfs::{self, Rootfs};
use crate::{build, paths, programs, setup, suite};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these cases; all by default.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Run them in the whole root file system instead of packing: this checks the cases.
    #[arg(long)]
    baseline: bool,
    /// Pack with a trace of the first use.
    #[arg(long, conflicts_with_all = ["baseline", "arm64"])]
    traced: bool,
    /// Take the cases of another architecture.
    #[arg(long)]
    arm64: bool,
    /// More options for every `polecat pack`, separated by blanks.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    packed_options: Option<String>,
    /// For each use that fails, name the files that it looked for in vain, or used in the whole root file system only.
    #[arg(long)]
    missing: bool,
    /// Keep each extracted tree, as DIR/NAME.
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

/// Sets up, builds and runs the test.
pub(crate) fn cases(options: &Options) -> Result<(), Error> {
    setup::setup()?;
    let rootfs = rootfs::ensure(Rootfs::Cases)?;
    let rootfs_arm64 = rootfs::ensure(Rootfs::CasesArm64)?;
    let packer = build::packer()?;
    let temporary = suite::make_temporary()?;
    // In `tests/cases.rs`.
    let test = match (options.arm64, options.baseline) {
        _ if options.traced => "programs_work_when_packed_with_a_trace",
        (false, false) => "programs_work_when_packed",
        (false, true) => "programs_work_in_their_root_file_system",
        (true, false) => "programs_of_another_architecture_work_when_packed",
        (true, true) => "programs_of_another_architecture_work_in_their_root_file_system",
    };
    let mut command = programs::cargo();
    command
        .current_dir(paths::workspace())
        .args(["test", "--package", "polecat-tests", "--test", "cases", "--"])
        .args(["--nocapture", "--exact", test])
        .env("POLECAT_BIN", packer)
        .env("POLECAT_TEST_CASES_ROOTFS", rootfs)
        .env("POLECAT_TEST_CASES_ROOTFS_ARM64", rootfs_arm64)
        .env("POLECAT_TEST_CASES", options.names.join(","))
        .env("TMPDIR", temporary.path());
    if let Some(more) = &options.packed_options {
        command.env("POLECAT_TEST_CASES_OPTIONS", more);
    }
    if let Some(directory) = &options.keep {
        let directory = std::path::absolute(directory).map_err(Error::file("find", directory))?;
        command.env("POLECAT_TEST_CASES_KEEP", directory);
    }
    if options.missing {
        command.env("POLECAT_TEST_CASES_MISSING", "1");
    }
    programs::run(&mut command)
}
