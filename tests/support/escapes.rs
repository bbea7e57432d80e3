//! `fixtures/programs/escapes.c`, which tries to get out of where it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::exec::{self, Ended};
use crate::place::Place;
use crate::roots::compile;
use crate::scratch::Scratch;

/// What the marker holds, and what the key in the caller's session keyring is called.
const TOKEN: &str = "open-sesame";

/// What one attempt came to.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    /// Whether it got out; none where it died on the way.
    pub escaped: Option<bool>,
    /// How it got out, or what was refused last.
    pub how: String,
}

/// All attempts.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempts {
    /// Whether a seccomp filter was there.
    pub filtered: bool,
    /// By name.
    pub attempts: BTreeMap<String, Attempt>,
}

impl Attempts {
    /// What a program that ended well printed.
    ///
    /// # Panics
    /// Where it did not, or one of its attempts was not made.
    #[must_use]
    pub fn of(ended: &Ended) -> Self {
        assert_eq!(ended.code(), Some(0), "{ended}");
        let all: Self = serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
        for (name, attempt) in &all.attempts {
            assert!(attempt.escaped.is_some(), "{name} died: {ended}");
        }
        all
    }

    /// The names of those that got out.
    #[must_use]
    pub fn escaped(&self) -> BTreeSet<&str> {
        let out = self
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.escaped == Some(true));
        out.map(|(name, _)| name.as_str()).collect()
    }
}

/// What of the host is to be reached: a file, a process, a socket, a key.
#[derive(Debug)]
pub struct Prey {
    scratch: Scratch,
    program: PathBuf,
    process: Child,
    words: Vec<String>,
}

impl Prey {
    /// Laid out for a program of this place: nothing but its box keeps it off.
    ///
    /// # Panics
    /// Where something of it cannot be made.
    #[must_use]
    pub fn new(place: Place, bundle: &Path, socket: &str) -> Self {
        let scratch = Scratch::new();
        let marker = scratch.file("marker", TOKEN);
        let program = scratch.join("escapes");
        compile("escapes.c", &program);
        let handle = exec::run(Command::new(&program).arg("handle").arg(scratch.path())).success();
        let mut sleeper = place.command(Path::new("/bin/sleep"));
        let process = exec::spawn(sleeper.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()));
        let words = vec![
            format!("marker={}", marker.display()),
            format!("pid={}", process.id()),
            format!("handle={}", handle.out().trim()),
            format!("disk={}", disk().unwrap_or_default()),
            format!("bundle={}", bundle.display()),
            format!("socket={socket}"),
            format!("token={TOKEN}"),
        ];
        Self {
            scratch,
            program,
            process,
            words,
        }
    }

    /// The program outside of any box.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A directory of its own.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// What goes before a program that is to have the key in its session keyring.
    #[must_use]
    pub fn with_key(&self) -> [&str; 2] {
        [self.program.to_str().expect("a path of text"), "with-key"]
    }

    /// The arguments that say where the prey is. They come last.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl Drop for Prey {
    fn drop(&mut self) {
        match self.process.kill().and_then(|()| self.process.wait()) {
            Ok(_) => {}
            Err(error) => eprintln!("the process that was to be reached: {error}"),
        }
    }
}

/// A block device that can be read, as `MAJOR:MINOR`: the first that has a size.
fn disk() -> Option<String> {
    let table = std::fs::read_to_string("/proc/partitions").ok()?;
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [major, minor, size, name]
                if size.parse::<u64>().is_ok_and(|size| size > 0) && !name.starts_with("loop") =>
            {
                Some(format!("{major}:{minor}"))
            }
            _ => None,
        }
    })
}
