//! Packing a case and unpacking it again, as a person would on two machines.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::requirement::tool;
use support::{Polecat, Scratch, exec, roots};

use crate::case::Case;
use crate::sandbox::{self, Who};

/// What a case may need of which a person says that it is wanted, and says it so.
const WITH_LOCALES: (&[&str], &[&str]) = (&["locale", "nls", "tz", "gconv"], &["--locale", "all"]);

/// A packed case, extracted again.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) tree: PathBuf,
    /// Who extracted it, so that it is theirs.
    pub(crate) who: Who,
    pub(crate) size: Size,
}

/// How much was packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Bytes, unpacked.
    pub(crate) bytes: u64,
    /// Bytes of the bundle.
    pub(crate) bundle: u64,
    pub(crate) files: u64,
    pub(crate) time: Duration,
}

/// Packs the programs of a case out of `rootfs` and extracts the bundle, as root where the case wants that and as an
/// ordinary user elsewhere.
pub(crate) fn pack(case: &Case, rootfs: &Path, trace: Option<&Path>, scratch: &Scratch) -> Result<Packed, String> {
    let bundle = scratch.join("case.run");
    let polecat = Polecat::new(scratch);
    let mut command = polecat.command(["pack", "--json", "--level", "1", "-o"]);
    command.arg(&bundle);
    if let Some(trace) = trace {
        command.arg("--trace").arg(trace);
    }
    if case.is_foreign() {
        command.arg("--stub").arg(foreign_program(scratch));
    }
    let (needs, options) = WITH_LOCALES;
    if case.needs.iter().any(|need| needs.contains(&need.as_str())) {
        command.args(options);
    }
    if let Ok(more) = std::env::var("POLECAT_TEST_CASES_OPTIONS") {
        command.args(more.split_whitespace());
    }
    let (program, others) = case.programs.split_first().expect("a program");
    others.iter().for_each(|other| {
        command.args(["--also", other]);
    });
    command.arg(rootfs);
    match case.b {
        Some(_) => command.arg(program),
        None => command.args(words(&case.a.run)),
    };
    let start = Instant::now();
    let summary = succeed(&mut command)?.json();
    let size = Size {
        bytes: summary["unpackedSize"].as_u64().expect("a size"),
        bundle: summary["fileLength"].as_u64().expect("a length"),
        files: summary["files"].as_u64().expect("a number of files"),
        time: start.elapsed(),
    };
    let who = if case.wants_root() { Who::Root } else { Who::User };
    let tree = scratch.open_directory("extracted").join("tree");
    if case.is_foreign() {
        succeed(polecat.command(["extract", "--quiet"]).args([&bundle, &tree]))?;
        sandbox::give_to_user(&tree);
    } else {
        succeed(who.command(&bundle).arg("--polecat-extract").arg(&tree))?;
    }
    std::fs::remove_file(&bundle).expect("the bundle");
    Ok(Packed { tree, who, size })
}

/// The words of a line for sh: a program that has a single use is packed for it, with its arguments.
fn words(line: &str) -> Vec<String> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("printf '%s\\0' {line}")]);
    let ended = exec::run(&mut shell).success();
    let mut words: Vec<String> = ended.out().split('\0').map(str::to_owned).collect();
    // Behind the last.
    words.pop();
    words
}

/// A program for the other architecture, to put in front of a bundle that is only extracted.
fn foreign_program(scratch: &Scratch) -> PathBuf {
    let program = scratch.join("program.arm64");
    let mut compiler = Command::new(tool("aarch64-linux-gnu-gcc"));
    compiler.args(["-static", "-Os", "-s", "-o"]).arg(&program);
    compiler.arg(roots::fixtures().join("programs/tiny.c"));
    let _no_output = exec::run(&mut compiler).success();
    program
}

fn succeed(command: &mut Command) -> Result<support::Ended, String> {
    let ended = exec::run(command);
    if ended.code() == Some(0) {
        Ok(ended)
    } else {
        Err(ended.to_string())
    }
}
