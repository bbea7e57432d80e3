//! The same input makes the same file, whoever packs it, wherever and whenever.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use support::bundle::debian;
use support::format::{Layout, hex};
use support::requirement::skip;
use support::{Need, Polecat, Scratch, exec};

/// How one pack differs from another though nothing of it may show.
struct Circumstances {
    name: &'static str,
    umask: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// Processors it may use.
    processors: &'static str,
}

const CIRCUMSTANCES: [Circumstances; 5] = [
    Circumstances {
        name: "plain",
        umask: "022",
        variables: &[],
        processors: "0-1",
    },
    Circumstances {
        name: "umask",
        umask: "077",
        variables: &[],
        processors: "0-1",
    },
    Circumstances {
        name: "zone and language",
        umask: "022",
        variables: &[("TZ", "Asia/Tokyo"), ("LC_ALL", "de_DE.UTF-8"), ("LANG", "tr_TR.UTF-8")],
        processors: "0-1",
    },
    Circumstances {
        name: "one processor",
        umask: "022",
        variables: &[],
        processors: "0",
    },
    Circumstances {
        name: "environment",
        umask: "002",
        variables: &[
            ("USER", "somebody"),
            ("PWD", "/nowhere"),
            ("COLUMNS", "40"),
            ("TERM", "dumb"),
            ("NO_COLOR", "1"),
        ],
        processors: "0-1",
    },
];

/// Packs python and its library with one key.
fn pack(circumstances: &Circumstances, key: &Path, scratch: &Scratch, more: &[(&str, &str)]) -> PathBuf {
    let directory = scratch.directory(circumstances.name);
    let out = directory.join(format!("{}.run", circumstances.name));
    let mut command = Command::new("sh");
    let script = format!(
        "umask {}; exec taskset --cpu-list {} \"$@\"",
        circumstances.umask, circumstances.processors
    );
    command
        .args(["-c", &script, "sh"])
        .arg(Polecat::executable())
        .arg("-o")
        .arg(&out)
        .arg("--key")
        .arg(key);
    command
        .args(["--include", "/usr/lib/python3*/**"])
        .arg(debian())
        .args(["python3", "-S"]);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &directory)
        .current_dir(&directory);
    command
        .envs(circumstances.variables.iter().copied())
        .envs(more.iter().copied());
    let _summary = exec::run(&mut command).success();
    out
}

fn key(scratch: &Scratch) -> PathBuf {
    let key = scratch.join("signing.key");
    let _told = Polecat::new(scratch)
        .run(["key".as_ref(), "generate".as_ref(), "--out".as_ref(), key.as_os_str()])
        .success();
    key
}

fn skip_all() -> bool {
    skip(&[Need::Polecat, Need::Rootfs, Need::Tool("taskset")])
}

#[test]
fn two_packs_are_one_file() {
    if skip_all() {
        return;
    }
    let scratch = Scratch::new();
    let key = key(&scratch);
    let mut first: Option<Vec<u8>> = None;
    for circumstances in &CIRCUMSTANCES {
        let path = pack(circumstances, &key, &scratch, &[]);
        let bytes = std::fs::read(&path).expect("the bundle");
        std::fs::remove_file(&path).expect("the bundle");
        match &first {
            None => first = Some(bytes),
            Some(first) => {
                let differs = first.iter().zip(&bytes).position(|(one, other)| one != other);
                let lengths = (first.len(), bytes.len());
                assert!(
                    *first == bytes,
                    "{}: first difference at {differs:?}, lengths {lengths:?}",
                    circumstances.name
                );
            }
        }
    }
}

#[test]
fn the_epoch_is_taken_from_the_environment() {
    if skip_all() {
        return;
    }
    let scratch = Scratch::new();
    let key = key(&scratch);
    let at = |epoch| {
        Layout::read(&pack(
            &CIRCUMSTANCES[0],
            &key,
            &scratch,
            &[("SOURCE_DATE_EPOCH", epoch)],
        ))
    };
    let (early, again, late) = (at("1000000000"), at("1000000000"), at("1500000000"));
    assert!(early.bytes == again.bytes, "the same epoch, another file");
    assert_eq!(early.manifest()["created"], 1_000_000_000);
    assert_eq!(late.manifest()["created"], 1_500_000_000);
    assert_ne!(
        hex(&early.signatures()[0].signature),
        hex(&late.signatures()[0].signature)
    );
}

#[test]
fn a_changed_file_changes_the_bundle() {
    if skip(&support::roots::TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = support::roots::tiny(&scratch);
    let polecat = Polecat::new(&scratch);
    let pack = || {
        let out = scratch.join("changed.run");
        let arguments = [
            "-o".as_ref(),
            out.as_os_str(),
            "--include".as_ref(),
            "/data".as_ref(),
            root.as_os_str(),
            "/bin/tiny".as_ref(),
        ];
        let _summary = polecat.run(arguments).success();
        Layout::read(&out).manifest()["hashTree"]["rootDigest"].clone()
    };
    scratch.file("tiny/data", "one");
    let one = pack();
    scratch.file("tiny/data", "two");
    assert_ne!(one, pack());
}
