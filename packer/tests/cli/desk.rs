//! A place to run polecat in, and how it ended.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use polecat::stubs::{Stub, embedded};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{chmod, noise, put};

/// A directory to work in, with a root file system in `root` and a home.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self(TempDir::new().expect("a directory"));
        let stub = Stub::choose(embedded().architecture, None).expect("embedded");
        // A static executable: it needs nothing, and its closure is itself.
        put(&desk.path("root"), "usr/bin/program", stub.bytes());
        chmod(&desk.path("root/usr/bin/program"), 0o755);
        put(&desk.path("root"), "usr/share/program/data", &noise(1, 50_000));
        fs::create_dir(desk.path("home")).expect("a directory");
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polecat"));
        command
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .stdin(Stdio::null());
        command
    }

    /// Runs polecat with these words.
    pub(crate) fn run(&self, line: &str) -> Ended {
        Ended::new(line, self.command(line).output().expect("polecat starts"))
    }

    /// Packs the program to `program.run`.
    pub(crate) fn pack(&self) -> PathBuf {
        self.run("--level 1 root program").exits(0);
        self.path("program.run")
    }

    /// Changes one byte of a file.
    pub(crate) fn damage(&self, name: &str, offset: usize) {
        let mut bytes = fs::read(self.path(name)).expect("there");
        bytes[offset] ^= 1;
        fs::write(self.path(name), bytes).expect("room");
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// How polecat ended.
#[derive(Debug)]
pub(crate) struct Ended {
    line: String,
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn new(line: &str, output: Output) -> Self {
        Self {
            line: line.to_owned(),
            status: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}: {self:?}", self.line);
        self
    }

    /// One line on standard error, in the common form, that says this, and nothing on standard output.
    pub(crate) fn complains(&self, what: &str) {
        assert!(self.err.starts_with("polecat: "), "{self:?}");
        assert!(self.err.ends_with('\n') && self.err.lines().count() == 1, "{self:?}");
        assert!(self.err.contains(what), "no {what:?} in {self:?}");
        assert_eq!(self.out, "", "{self:?}");
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
