//! Measurements, printed for a person to read: never part of the tests, for a time says as much of the machine as of
//! the code.
//!
//! Contestants take turns, round by round, so that what else the machine does falls on all of them alike. Read the
//! minima (what an idle machine would show) and the differences; medians show how busy the machine was.

pub(crate) mod measure;
mod packing;
mod starts;
mod statistics;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::error::Error;
use crate::{build, programs, rootfs, setup};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each start is measured.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// How often each way of packing is measured.
    #[arg(long, default_value_t = 3)]
    pack_rounds: u32,
    /// Only one half.
    #[arg(long)]
    only: Option<Half>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    Starts,
    Packing,
}

/// What every measurement needs.
struct Bench {
    packer: PathBuf,
    rootfs: PathBuf,
    /// Gone at the end.
    scratch: tempfile::TempDir,
}

/// Measures and prints. Needs root: namespaces of an ordinary user are set up by stepping down from it.
pub(crate) fn bench(options: &Options) -> Result<(), Error> {
    setup::setup()?;
    let scratch = std::env::temp_dir();
    let scratch = tempfile::Builder::new()
        .prefix("polecat-bench-")
        .tempdir_in(&scratch)
        .map_err(Error::file("write to", &scratch))?;
    open_to_all(scratch.path())?;
    let bench = Bench {
        packer: build::packer()?,
        rootfs: rootfs::ensure(rootfs::Rootfs::Tests)?,
        scratch,
    };
    let home = bench.path("home");
    std::fs::create_dir(&home).map_err(Error::file("create", &home))?;
    if options.only != Some(Half::Packing) {
        starts::print(&bench, options.rounds)?;
    }
    if options.only != Some(Half::Starts) {
        packing::print(&bench, options.pack_rounds)?;
    }
    Ok(())
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The packer with a home of its own, so that no key of the person who measures is used.
    fn polecat(&self) -> Command {
        let mut command = Command::new(&self.packer);
        command.env("HOME", self.path("home")).env_remove("XDG_CONFIG_HOME");
        command
    }

    /// Packs `command` out of `root`, quietly.
    fn pack(&self, name: &str, root: &Path, options: &[&str], command: &[&str]) -> Result<PathBuf, Error> {
        let out = self.path(name);
        let mut pack = self.polecat();
        pack.args(["--quiet", "-o"])
            .arg(&out)
            .args(options)
            .arg(root)
            .args(command);
        programs::output(&mut pack)?;
        Ok(out)
    }
}

fn open_to_all(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(Error::file("change", path))
}
