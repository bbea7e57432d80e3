//! What a program may not do, and what is said of it: filters of system calls, capabilities, limits, the status of every layer.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::bundle::Shared;
use support::exec::{self, Ended};
use support::requirement::{Need, skip};
use support::roots::{busybox, compile, fixtures};
use support::status::field;
use support::{Bundle, Place, Polecat, Scratch};

#[path = "confinement/capabilities.rs"]
mod capabilities;
#[path = "confinement/limits.rs"]
mod limits;
#[path = "confinement/profiles.rs"]
mod profiles;
#[path = "confinement/seccomp.rs"]
mod seccomp;
#[path = "confinement/status.rs"]
mod status;

const NEEDS: [Need; 3] = [Need::Polecat, Need::Tool("busybox"), Need::Tool("musl-gcc")];

/// A shell, busybox, and `calls`, which makes system calls and prints what becomes of them.
fn root(scratch: &Scratch) -> PathBuf {
    let root = busybox(scratch);
    compile("calls.c", &root.join("bin/calls"));
    root
}

fn pack(options: &[&str]) -> Bundle {
    let all: Vec<&str> = ["--also", "/bin/calls"]
        .into_iter()
        .chain(options.iter().copied())
        .collect();
    Bundle::pack(&all, &root(&Scratch::new()), &["/bin/sh"])
}

static PLAIN: Shared = Shared::new(|| pack(&[]));

/// In every place that this machine has.
fn everywhere(check: impl Fn(Place, &Bundle)) {
    if skip(&NEEDS) {
        return;
    }
    let bundle = PLAIN.get();
    for place in Place::ALL {
        if !skip(place.needs()) {
            check(place, &bundle);
        }
    }
}

/// Runs a line of the packed shell with these options in front.
fn line(bundle: &Bundle, place: Place, options: &[&str], line: &str) -> Ended {
    bundle.run(place, options.iter().copied().chain(["-c", line]).map(OsStr::new))
}

/// What became of each call: word and number of errno.
fn answers(ended: &Ended) -> Vec<(String, i32)> {
    let out = ended.out();
    let answer = |line: &str| {
        let (word, errno) = line.split_once(' ')?;
        Some((word.to_owned(), errno.parse().ok()?))
    };
    out.lines()
        .map(|line| answer(line).unwrap_or_else(|| panic!("{line:?}: {ended}")))
        .collect()
}

/// A file beside a bundle that everybody may read.
fn write_beside(bundle: &Bundle, name: &str, text: &str) -> PathBuf {
    let path = bundle.scratch().join(name);
    exec::write(&path, text.as_bytes());
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}
