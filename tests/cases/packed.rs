//! Packing a case and unpacking it again, as a person would on two machines.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Polecat, Scratch, exec};

use crate::case::Case;
use crate::sandbox::Who;

/// What a case may need of which a person says that it is wanted, and says it so.
const WITH_LOCALES: (&[&str], &[&str]) = (&["locale", "nls", "tz", "gconv"], &["--locale", "all"]);

/// How the closure is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closure {
    /// By what the packer knows.
    Static,
}

/// A packed case, extracted again.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) tree: PathBuf,
    pub(crate) size: Size,
}

/// How much was packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Bytes, unpacked.
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) time: Duration,
}

/// Packs the programs of a case out of `rootfs` and extracts the bundle as `who`.
pub(crate) fn pack(
    case: &Case,
    rootfs: &Path,
    closure: Closure,
    who: Who,
    scratch: &Scratch,
) -> Result<Packed, String> {
    let bundle = scratch.join("case.run");
    let mut command = Polecat::new(scratch).command(["pack", "--json", "--level", "1", "-o"]);
    command.arg(&bundle);
    match closure {
        Closure::Static => {}
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
    command.arg(rootfs).arg(program);
    let start = Instant::now();
    let summary = succeed(&mut command)?.json();
    let size = Size {
        bytes: summary["unpackedSize"].as_u64().expect("a size"),
        files: summary["files"].as_u64().expect("a number of files"),
        time: start.elapsed(),
    };
    let tree = scratch.open_directory("extracted").join("tree");
    succeed(who.command(&bundle).arg("--polecat-extract").arg(&tree))?;
    std::fs::remove_file(&bundle).expect("the bundle");
    Ok(Packed { tree, size })
}

fn succeed(command: &mut Command) -> Result<support::Ended, String> {
    let ended = exec::run(command);
    if ended.code() == Some(0) {
        Ok(ended)
    } else {
        Err(ended.to_string())
    }
}
