//! Small trees with ELF files put together byte by byte: nothing of the machine is needed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use goblin::elf::header as h;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::elf::specimen::{DT_NEEDED, DT_RUNPATH, DT_SONAME, Specimen};
use crate::plan::{Node, Warning, WarningKind};

mod base_set;
mod commands;
mod contents;
mod extend;
mod guard;
mod misses;
mod traces;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A root file system under construction.
struct Tree(TempDir);

impl Tree {
    /// With a glibc loader, a libc and a static `/bin/static`.
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary directory"));
        let mut loader = library("ld-linux-x86-64.so.2", &[]).build();
        loader.extend(b"\0/lib/\0/usr/lib/\0/etc/ld.so.cache\0glibc-hwcaps/\0");
        tree.file(LOADER, &loader, 0o755);
        tree.file("/lib/libc.so.6", library("libc.so.6", &[]).build(), 0o644);
        tree.file("/bin/static", static_program().build(), 0o755);
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn file(&self, path: &str, contents: impl AsRef<[u8]>, mode: u32) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().expect("not the root")).expect("a directory");
        fs::write(&at, contents).expect("written");
        fs::set_permissions(&at, fs::Permissions::from_mode(mode)).expect("its mode");
    }

    fn link(&self, target: &str, path: &str) {
        fs::create_dir_all(self.at(path).parent().expect("not the root")).expect("a directory");
        symlink(target, self.at(path)).expect("a link");
    }

    fn try_plan(&self, request: &Request) -> Result<Plan, ClosureError> {
        plan(
            &Rootfs::open(self.0.path()).expect("a directory"),
            request,
            &Extent::elf(),
        )
    }

    fn plan(&self, request: &Request) -> Plan {
        self.try_plan(request).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self, command: &str) -> ClosureError {
        self.try_plan(&command_only(command)).expect_err("an error")
    }
}

fn command_only(command: &str) -> Request {
    Request {
        command: command.into(),
        ..Request::default()
    }
}

fn including(command: &str, include: &[&str]) -> Request {
    Request {
        include: include.iter().map(|&text| text.to_owned()).collect(),
        ..command_only(command)
    }
}

/// A program that needs libc and the libraries given.
fn program(needed: &[&'static str]) -> Specimen {
    let strings = needed
        .iter()
        .chain(&["libc.so.6"])
        .map(|&name| (DT_NEEDED, name))
        .collect();
    Specimen {
        strings,
        symbols: Vec::new(),
        values: Vec::new(),
        ..Specimen::program()
    }
}

fn static_program() -> Specimen {
    Specimen {
        interpreter: None,
        strings: Vec::new(),
        ..program(&[])
    }
}

fn library(soname: &'static str, needed: &[&'static str]) -> Specimen {
    let mut strings: Vec<_> = needed.iter().map(|&name| (DT_NEEDED, name)).collect();
    strings.push((DT_SONAME, soname));
    Specimen {
        interpreter: None,
        strings,
        symbols: Vec::new(),
        values: Vec::new(),
        ..Specimen::program()
    }
}

fn has(plan: &Plan, path: &str) -> bool {
    plan.entries.contains_key(&RootPath::new(path))
}

fn reason(plan: &Plan, path: &str) -> (ReasonKind, String) {
    let entry = plan
        .entries
        .get(&RootPath::new(path))
        .unwrap_or_else(|| panic!("no {path}"));
    (
        entry.reason.kind,
        entry.reason.by.as_ref().map(ToString::to_string).unwrap_or_default(),
    )
}

fn warnings(plan: &Plan) -> Vec<(WarningKind, String)> {
    plan.warnings
        .iter()
        .map(|warning| (warning.kind, warning.path.to_string()))
        .collect()
}
