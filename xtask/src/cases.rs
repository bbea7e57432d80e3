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
    #[arg(long, conflicts_with = "traced")]
    baseline: bool,
    /// Pack with a trace of the first use.
    #[arg(long)]
    traced: bool,
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

/// The test that each choice is, in `tests/cases.rs`.
const PACKED: &str = "programs_work_when_packed";
const BASELINE: &str = "programs_work_in_their_root_file_system";
const TRACED: &str = "programs_work_when_packed_with_a_trace";

/// Sets up, builds and runs the test.
pub(crate) fn cases(options: &Options) -> Result<(), Error> {
    setup::setup()?;
    let rootfs = rootfs::ensure(Rootfs::Cases)?;
    let packer = build::packer()?;
    let temporary = suite::make_temporary()?;
    let test = match options {
        Options { baseline: true, .. } => BASELINE,
        Options { traced: true, .. } => TRACED,
        _ => PACKED,
    };
    let mut command = programs::cargo();
    command
        .current_dir(paths::workspace())
        .args(["test", "--package", "polecat-tests", "--test", "cases", "--"])
        .args(["--nocapture", "--include-ignored", "--exact", test])
        .env("POLECAT_BIN", packer)
        .env("POLECAT_TEST_CASES_ROOTFS", rootfs)
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
