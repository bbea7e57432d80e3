//! Packed programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::exec::{self, Ended};
use crate::place::Place;
use crate::polecat::Polecat;
use crate::requirement::set_path;
use crate::scratch::Scratch;

/// A bundle with a scratch directory, which holds a home and a working directory for its runs.
#[derive(Debug)]
pub struct Bundle {
    scratch: Scratch,
    path: PathBuf,
}

impl Bundle {
    /// Packs `command` out of `root`.
    ///
    /// # Panics
    /// Where the packer refuses.
    #[must_use]
    pub fn pack(options: &[&str], root: &Path, command: &[&str]) -> Self {
        let scratch = Scratch::new();
        let path = scratch.join("program.run");
        let polecat = Polecat::new(&scratch);
        let mut arguments: Vec<&OsStr> = vec!["-o".as_ref(), path.as_ref()];
        arguments.extend(options.iter().map(OsStr::new));
        arguments.push(root.as_ref());
        arguments.extend(command.iter().map(OsStr::new));
        let _summary = polecat.run(arguments).success();
        let _home = scratch.open_directory("home");
        let _work = scratch.open_directory("work");
        Self { scratch, path }
    }

    /// Packs `command` out of the Debian root file system.
    ///
    /// # Panics
    /// Where the packer refuses.
    #[must_use]
    pub fn debian(options: &[&str], command: &[&str]) -> Self {
        Self::pack(options, &debian(), command)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its directory, readable to all.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The home directory its runs get, writable to all.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.scratch.join("home")
    }

    /// The working directory its runs get, writable to all.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.scratch.join("work")
    }

    /// A command that starts it. Arguments can be added.
    #[must_use]
    pub fn start(&self, place: Place) -> Command {
        self.start_behind(place, &[])
    }

    /// The same behind a prefix, see [`Place::command_behind`].
    #[must_use]
    pub fn start_behind(&self, place: Place, prefix: &[&str]) -> Command {
        let mut command = place.command_behind(prefix, &self.path);
        command
            .env("HOME", self.home())
            .env("TERM", "xterm")
            .current_dir(self.work());
        command
    }

    /// Runs it to the end with these arguments.
    pub fn run(&self, place: Place, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
        exec::run(self.start(place).args(arguments))
    }
}

/// The Debian root file system that `cargo xtask test` made.
///
/// # Panics
/// Where there is none: ask for [`crate::Need::Rootfs`] first.
#[must_use]
pub fn debian() -> PathBuf {
    set_path("POLECAT_TEST_ROOTFS").expect("POLECAT_TEST_ROOTFS: ask for Need::Rootfs first")
}

/// A bundle that several tests of a suite use: packed by the first, gone with the last of those that run at the time.
#[derive(Debug)]
pub struct Shared {
    pack: fn() -> Bundle,
    packed: Mutex<Weak<Bundle>>,
}

impl Shared {
    /// Packed by `pack` when it is first wanted.
    #[must_use]
    pub const fn new(pack: fn() -> Bundle) -> Self {
        Self {
            pack,
            packed: Mutex::new(Weak::new()),
        }
    }

    /// The bundle, packed now if no running test has it.
    pub fn get(&self) -> Arc<Bundle> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.upgrade().unwrap_or_else(|| {
            let bundle = Arc::new((self.pack)());
            *packed = Arc::downgrade(&bundle);
            bundle
        })
    }
}
