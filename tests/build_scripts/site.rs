//! A root file system to build in, and who builds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::place::ORDINARY_USER;
use support::requirement::{is_root, skip, tool};
use support::{Ended, Need, Place, Polecat, Scratch, exec};

/// Who builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builder {
    Root,
    User,
}

impl Builder {
    fn needs(self) -> &'static [Need] {
        match self {
            Self::Root => &[Need::Polecat, Need::Tool("busybox"), Need::Root, Need::Overlay],
            Self::User => &[
                Need::Polecat,
                Need::Tool("busybox"),
                Need::UserNamespaces,
                Need::Overlay,
            ],
        }
    }

    /// Those that the machine has.
    pub(crate) fn there() -> impl Iterator<Item = Self> {
        [Self::Root, Self::User]
            .into_iter()
            .filter(|builder| !skip(builder.needs()))
    }

    /// The user that programs of this builder run as.
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::User if is_root() => ORDINARY_USER,
            Self::User => nix::unistd::geteuid().as_raw(),
        }
    }

    fn steps_down(self) -> bool {
        self == Self::User && is_root()
    }
}

/// A root file system of the builder's own, with busybox and its shell, and a place to work in.
pub(crate) struct Site {
    builder: Builder,
    scratch: Scratch,
}

impl Site {
    pub(crate) fn new(builder: Builder) -> Self {
        let scratch = Scratch::new();
        for directory in ["root/bin", "root/etc", "work", "home"] {
            let _made = scratch.directory(directory);
        }
        exec::copy(&tool("busybox"), &scratch.join("root/bin/busybox"));
        symlink("busybox", scratch.join("root/bin/sh")).expect("a link");
        scratch.file("root/etc/kept", "as it was\n");
        scratch.file("root/etc/gone", "as it was\n");
        let site = Self { builder, scratch };
        if builder.steps_down() {
            give_away(site.scratch.path());
        }
        site
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.join("root")
    }

    /// Where the build puts what it makes.
    pub(crate) fn output(&self) -> PathBuf {
        self.work("out.run")
    }

    /// A path in the directory that builds and runs share.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.scratch.join("work").join(name)
    }

    /// `polecat -s SCRIPT -o OUT [OPTIONS] ROOTFS COMMAND...`
    pub(crate) fn command(&self, script: &str, options: &[&str], words: &[&str]) -> Command {
        let file = self.scratch.file("script.toml", script);
        let mut all: Vec<PathBuf> = Vec::new();
        if self.builder.steps_down() {
            let ids = ["--reuid", "--regid"].map(|option| format!("{option}={ORDINARY_USER}"));
            all.push("setpriv".into());
            all.extend(ids.map(PathBuf::from));
            all.push("--clear-groups".into());
        }
        all.extend([Polecat::executable(), "-s".into(), file, "-o".into(), self.output()]);
        all.extend(options.iter().map(PathBuf::from));
        all.push(self.root());
        all.extend(words.iter().map(PathBuf::from));
        let mut command = Command::new(&all[0]);
        command
            .args(&all[1..])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.scratch.join("home"))
            .env("OF_THE_CALLER", "yes")
            .current_dir(self.work(""));
        command
    }

    /// Runs such a command to its end.
    pub(crate) fn build(&self, script: &str, options: &[&str], words: &[&str]) -> Ended {
        exec::run(&mut self.command(script, options, words))
    }

    /// Runs what was packed, as the builder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let place = match self.builder {
            Builder::Root => Place::RootUnpack,
            Builder::User => Place::UserUnpack,
        };
        let mut command = place.command(&self.output());
        command
            .args(arguments)
            .env("HOME", self.scratch.join("home"))
            .current_dir(self.work(""));
        exec::run(&mut command)
    }

    /// What is in the root file system: paths, and how what is there looks.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.root()];
        while let Some(path) = left.pop() {
            let metadata = fs::symlink_metadata(&path).expect("there");
            let mut text = format!("{:o} {}", metadata.mode(), metadata.uid());
            write!(text, " {} {}", metadata.mtime(), metadata.mtime_nsec()).expect("text");
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).expect("readable");
                left.extend(entries.map(|entry| entry.expect("an entry").path()));
            } else if metadata.is_file() {
                write!(text, " {} bytes", metadata.len()).expect("text");
            }
            found.insert(path, text);
        }
        found
    }
}

fn give_away(path: &Path) {
    lchown(path, Some(ORDINARY_USER), Some(ORDINARY_USER)).expect("ours to give");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("readable") {
            give_away(&entry.expect("an entry").path());
        }
    }
}
