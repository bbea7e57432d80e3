//! Small root file systems to pack from.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec;
use crate::requirement::{Need, tool};
use crate::scratch::Scratch;

/// What [`tiny`] needs of the machine.
pub const TINY_NEEDS: [Need; 2] = [Need::Polecat, Need::Tool("musl-gcc")];

/// What [`busybox`] needs of the machine.
pub const BUSYBOX_NEEDS: [Need; 2] = [Need::Polecat, Need::Tool("busybox")];

/// A root file system with one static program of a few kilobytes, `/bin/tiny`, that prints its arguments and ends with
/// their number.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn tiny(scratch: &Scratch) -> PathBuf {
    let root = scratch.directory("tiny");
    compile("tiny.c", &scratch.directory("tiny/bin").join("tiny"));
    root
}

/// A root file system with `/bin/probe`, a static program that looks at itself: `fixtures/programs/probe.c`.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn probe(scratch: &Scratch) -> PathBuf {
    let root = scratch.directory("probe");
    compile("probe.c", &scratch.directory("probe/bin").join("probe"));
    root
}

/// A root file system with `/bin/escapes`, a static program that tries to get out: `fixtures/programs/escapes.c`.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn escapes(scratch: &Scratch) -> PathBuf {
    let root = scratch.directory("escapes-root");
    compile("escapes.c", &scratch.directory("escapes-root/bin").join("escapes"));
    root
}

/// [`tiny`], with a file of three million bytes that compress to next to nothing: a small image of a large tree.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn inflated(scratch: &Scratch) -> PathBuf {
    let root = tiny(scratch);
    fs::write(root.join("bin/large"), vec![b'x'; 3_000_000]).expect("a file");
    root
}

/// Compiles one of `fixtures/programs` to a static executable.
///
/// # Panics
/// Where the compiler refuses.
pub fn compile(source: &str, executable: &Path) {
    let source = fixtures().join("programs").join(source);
    let mut compiler = Command::new(tool("musl-gcc"));
    compiler
        .args(["-static", "-Os", "-s", "-o"])
        .arg(executable)
        .arg(source);
    let _no_output = exec::run(&mut compiler).success();
}

/// A root file system with a static busybox as `/bin/busybox`, and `/bin/sh` as a link to it.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn busybox(scratch: &Scratch) -> PathBuf {
    let root = scratch.directory("busybox");
    let directory = scratch.directory("busybox/bin");
    exec::copy(&tool("busybox"), &directory.join("busybox"));
    symlink("busybox", directory.join("sh")).expect("a link");
    root
}

/// The folder of the fixtures.
///
/// # Panics
/// Where the workspace was moved away.
#[must_use]
pub fn fixtures() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")).expect("the fixtures")
}
