//! Running every test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::error::Error;
use crate::leftovers::{self, Before};
use crate::rootfs::Rootfs;
use crate::{build, paths, programs, rootfs, setup};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Take samples where the tests would otherwise go through every byte and every length.
    #[arg(long)]
    quick: bool,
    /// Only tests whose names contain one of these.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

/// The end-to-end tests. They run after the crates' own, and see only the binaries.
const END_TO_END: &str = "polecat-tests";

/// What the tests are told through the environment.
struct Given {
    packer: PathBuf,
    rootfs: PathBuf,
    cases_rootfs: PathBuf,
    cases_rootfs_arm64: PathBuf,
    /// All temporary files go below this, so that what is left can be seen.
    temporary: PathBuf,
    quick: bool,
}

/// Sets up, builds, runs everything, and looks for leftovers.
pub(crate) fn test(options: &Options) -> Result<(), Error> {
    setup::setup()?;
    let rootfs = rootfs::ensure(Rootfs::Tests)?;
    let cases_rootfs = rootfs::ensure(Rootfs::Cases)?;
    let cases_rootfs_arm64 = rootfs::ensure(Rootfs::CasesArm64)?;
    let packer = build::packer()?;
    let temporary = make_temporary()?;
    let given = Given {
        packer,
        rootfs,
        cases_rootfs,
        cases_rootfs_arm64,
        temporary: temporary.path().to_owned(),
        quick: options.quick,
    };

    // Compilers and their servers are started now, and are not the tests' leftovers.
    programs::run(given.cargo_test().args(["--workspace", "--no-run"]))?;

    let before = Before::take(temporary.path())?;
    let mut failed = Vec::new();
    let crates = ["--workspace", "--exclude", END_TO_END];
    let end_to_end = ["--package", END_TO_END];
    for (name, selection) in [
        ("the crates' tests", &crates[..]),
        ("the end-to-end tests", &end_to_end[..]),
    ] {
        let mut run = given.cargo_test();
        run.arg("--no-fail-fast")
            .args(selection)
            .arg("--")
            .args(&options.filters);
        if programs::succeeds(&mut run)?.is_some() {
            failed.push(name);
        }
    }
    let found = leftovers::since(&before)?;
    if !failed.is_empty() {
        found
            .iter()
            .for_each(|leftover| eprintln!("xtask: left behind: {leftover}"));
        return Err(Error::Tests(failed));
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Error::Leftovers(found))
    }
}

impl Given {
    fn cargo_test(&self) -> Command {
        let mut command = programs::cargo();
        command
            .current_dir(paths::workspace())
            .arg("test")
            .env("POLECAT_BIN", &self.packer)
            .env("POLECAT_TEST_ROOTFS", &self.rootfs)
            .env("POLECAT_TEST_CASES_ROOTFS", &self.cases_rootfs)
            .env("POLECAT_TEST_CASES_ROOTFS_ARM64", &self.cases_rootfs_arm64)
            .env("TMPDIR", &self.temporary);
        if self.quick {
            command.env("POLECAT_TEST_QUICK", "1");
        }
        command
    }
}

/// A directory that ordinary users may pass through: bundles in it are started as one.
pub(crate) fn make_temporary() -> Result<tempfile::TempDir, Error> {
    let base = std::env::temp_dir();
    let directory = tempfile::Builder::new()
        .prefix("polecat-test-")
        .tempdir_in(&base)
        .map_err(Error::file("write to", &base))?;
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).map_err(Error::file("change", directory.path()))?;
    Ok(directory)
}
