//! What a command was seen to use, as a value. [`record`] makes it from what the runtime saw, [`file`](mod@file) writes and reads it,
//! [`crate::closure`] adds it to a plan; and what a bundle was found to miss, [`misses`]. The files are described in `docs/trace.md` and
//! `docs/misses.md`.

pub mod error;
pub mod file;
pub mod misses;
pub mod record;

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use error::TraceError;
pub use misses::Misses;

/// What one run, or several, used of the root file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The commands with their arguments, lossily where they are not UTF-8, in the order of the runs.
    pub commands: Vec<Vec<String>>,
    /// Paths as the programs named them, made absolute: links are not followed, and `..` stays. Sorted bytewise.
    pub paths: BTreeMap<Vec<u8>, BTreeSet<TraceKind>>,
    /// What the person tracing should know: a path, and a line about it.
    pub warnings: BTreeSet<(Vec<u8>, String)>,
}

/// What was done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceKind {
    /// Opened, or loaded as the loader of a program.
    Open,
    /// Executed, or started as the interpreter of a script.
    Exec,
    /// Looked at, changed or entered.
    Stat,
    /// A directory whose entries were read.
    List,
    /// A directory in which something was made.
    CreateParent,
    /// Looked for in vain.
    Missing,
}

impl TraceKind {
    /// As the file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Exec => "exec",
            Self::Stat => "stat",
            Self::List => "list",
            Self::CreateParent => "create-parent",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for TraceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Trace {
    /// Adds another trace of the same root file system.
    pub fn merge(&mut self, other: Self) {
        self.commands.extend(other.commands);
        for (path, kinds) in other.paths {
            self.paths.entry(path).or_default().extend(kinds);
        }
        self.warnings.extend(other.warnings);
    }

    fn note(&mut self, path: &[u8], kind: TraceKind) {
        self.paths.entry(path.to_vec()).or_default().insert(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_add_up() {
        let trace = |command: &str, path: &str, kind, warning: &str| {
            let mut trace = Trace {
                commands: vec![vec![command.into()]],
                ..Trace::default()
            };
            trace.note(path.as_bytes(), kind);
            trace.warnings.insert((path.into(), warning.into()));
            trace
        };
        let mut merged = trace("a", "/x", TraceKind::Stat, "w");
        merged.merge(trace("b", "/x", TraceKind::Open, "w"));
        merged.merge(trace("c", "/a", TraceKind::Missing, "v"));
        assert_eq!(merged.commands, [["a"], ["b"], ["c"]]);
        let paths: Vec<_> = merged.paths.into_iter().collect();
        assert_eq!(
            paths,
            [
                (b"/a".to_vec(), BTreeSet::from([TraceKind::Missing])),
                (b"/x".to_vec(), BTreeSet::from([TraceKind::Open, TraceKind::Stat])),
            ]
        );
        assert_eq!(merged.warnings.len(), 2);
    }
}
