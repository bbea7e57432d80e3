//! The packer's command line.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::{self, Ended};
use crate::requirement::set_path;
use crate::scratch::Scratch;

/// The packer, with a home directory of its own.
#[derive(Debug)]
pub struct Polecat {
    home: PathBuf,
}

impl Polecat {
    /// The built packer, with an empty home below `scratch`, or the same home again.
    #[must_use]
    pub fn new(scratch: &Scratch) -> Self {
        Self {
            home: scratch.directory("packer-home"),
        }
    }

    /// The executable that `cargo xtask test` built.
    ///
    /// # Panics
    /// Where there is none: ask for [`crate::Need::Polecat`] first.
    #[must_use]
    pub fn executable() -> PathBuf {
        set_path("POLECAT_BIN").expect("POLECAT_BIN: ask for Need::Polecat first")
    }

    /// Its home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A command with these arguments.
    #[must_use]
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(Self::executable());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.home);
        command
    }

    /// Runs it with these arguments.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
        exec::run(&mut self.command(arguments))
    }
}
