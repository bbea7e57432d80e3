//! Whatever polecat is given: one line that says what is wrong and where, a hint at most, a documented exit status, and
//! an OUT that is whole or untouched.

#![forbid(unsafe_code)]

#[path = "bad_input/bundles.rs"]
mod bundles;
#[path = "bad_input/output.rs"]
mod output;
#[path = "bad_input/roots.rs"]
mod roots;
#[path = "bad_input/usage.rs"]
mod usage;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use support::requirement::skip;
use support::roots::{TINY_NEEDS, tiny};
use support::{Ended, Polecat, Scratch, exec};

/// Something that failed otherwise.
const FAILED: i32 = 1;
/// The command line makes no sense.
const USAGE: i32 = 2;
/// Not a bundle, or not what was signed.
const NOT_A_BUNDLE: i32 = 3;
/// Something that the root file system should have has it not.
const NOT_FOUND: i32 = 5;

/// A small root file system, the packer, and an OUT with something in it that must stay.
struct Case {
    scratch: Scratch,
    polecat: Polecat,
    root: PathBuf,
    out: PathBuf,
}

/// What OUT holds before.
const BEFORE: &[u8] = b"what was there before";

impl Case {
    /// None where the machine cannot run it.
    fn new() -> Option<Self> {
        if skip(&TINY_NEEDS) {
            return None;
        }
        let scratch = Scratch::new();
        let (polecat, root) = (Polecat::new(&scratch), tiny(&scratch));
        let out = scratch.file("out/program.run", BEFORE);
        Some(Self {
            scratch,
            polecat,
            root,
            out,
        })
    }

    /// Packs `command` out of `root` with these options.
    fn pack(&self, options: &[&OsStr], root: &Path, command: &str) -> Ended {
        let mut arguments: Vec<&OsStr> = vec!["-o".as_ref(), self.out.as_ref()];
        arguments.extend(options);
        arguments.extend([root.as_ref(), OsStr::new(command)]);
        self.polecat.run(arguments)
    }

    /// Packs and wants it refused with this status, in words that hold all of `words`; OUT as it was.
    fn refused(&self, command: &str, code: i32, words: &[&str]) {
        let ended = self.pack(&[], &self.root, command);
        assert_refused(&ended, code, words);
        self.assert_untouched(&ended);
    }

    /// OUT holds what it held, and nothing is beside it.
    fn assert_untouched(&self, ended: &Ended) {
        assert_eq!(
            std::fs::read(&self.out).expect("OUT"),
            BEFORE,
            "OUT was changed: {ended}"
        );
        assert_eq!(
            names_in(self.out.parent().expect("a directory")),
            ["program.run"],
            "left beside OUT: {ended}"
        );
    }

    /// Puts a file into the root file system.
    fn executable(&self, path: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let file = self.scratch.file(&format!("tiny/{path}"), contents);
        self.scratch.permit(&file, 0o755);
        file
    }

    /// A whole bundle.
    fn bundle(&self) -> PathBuf {
        let path = self.scratch.join("whole.run");
        let pack = [
            "-o".as_ref(),
            path.as_os_str(),
            self.root.as_os_str(),
            "/bin/tiny".as_ref(),
        ];
        let _summary = self.polecat.run(pack).success();
        path
    }
}

/// It ended with this status and told why, and what to try, in one line.
fn assert_refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code(), Some(code), "{ended}");
    assert_eq!(ended.out(), "", "an error on standard output: {ended}");
    let said = ended.err();
    // A key that had to be made is told of first; that is no part of the refusal.
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains("made a key")).collect();
    assert!(
        lines.first().is_some_and(|line| line.starts_with("polecat: ")),
        "{ended}"
    );
    assert!(lines.len() == 1, "more than a line: {ended}");
    for word in words {
        assert!(said.contains(word), "does not say {word:?}: {ended}");
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs a line of shell in a mount namespace of its own, where `$1…` are `arguments`.
fn in_own_mounts(line: &str, arguments: &[&OsStr]) -> Ended {
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--mount", "--propagation=private", "sh", "-c", line, "sh"])
        .args(arguments);
    exec::run(&mut command)
}
