//! What can go wrong in the glue.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::leftovers::Leftover;

/// A step that failed, with what it was about.
#[derive(Debug)]
pub(crate) enum Error {
    /// A file operation.
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A program that could not be started.
    Start { command: String, source: io::Error },
    /// A program that ended badly.
    Failed { command: String, status: ExitStatus },
    /// What a program printed, or a file holds, is not what was expected.
    Unexpected { from: String, what: &'static str },
    /// Neither `POLECAT_CACHE` nor `HOME` is set.
    NoCache,
    /// A line of the recipe that means nothing.
    Recipe { path: PathBuf, line: usize },
    /// Programs or packages that are not there and could not be installed.
    Missing(Vec<String>),
    /// Test runs that failed; their own output says why.
    Tests(Vec<&'static str>),
    /// What the tests left on the machine.
    Leftovers(Vec<Leftover>),
    /// A system call of a measurement.
    Measure {
        action: &'static str,
        errno: nix::errno::Errno,
    },
}

impl Error {
    /// For `map_err`: the file operation `action` on `path` failed.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err`: the system call behind `action` failed.
    pub(crate) fn call(action: &'static str) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |errno| Self::Measure { action, errno }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { action, path, source } => write!(f, "cannot {action} {}: {source}", path.display()),
            Self::Start { command, source } => write!(f, "cannot start {command}: {source}"),
            Self::Failed { command, status } => write!(f, "{command}: {status}"),
            Self::Unexpected { from, what } => write!(f, "{from}: {what}"),
            Self::NoCache => write!(f, "no place for the test root file system: set POLECAT_CACHE or HOME"),
            Self::Recipe { path, line } => write!(f, "{}:{line}: not a `key = value` line of a recipe", path.display()),
            Self::Missing(lines) => write!(f, "missing, and to be had so:\n  {}", lines.join("\n  ")),
            Self::Tests(runs) => write!(f, "failed: {}", runs.join(", ")),
            Self::Leftovers(found) => {
                write!(f, "the tests left something behind:")?;
                found.iter().try_for_each(|leftover| write!(f, "\n  {leftover}"))
            }
            Self::Measure { action, errno } => write!(f, "cannot {action}: {errno}"),
        }
    }
}
