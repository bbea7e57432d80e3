//! What a case is: `fixtures/cases/*.json`.

use serde::Deserialize;

/// A program with its uses.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Absolute paths inside the root file system; the first is the command, all are packed.
    pub(crate) programs: Vec<String>,
    /// What it needs of the machine, or of the person who packs; `fixtures/cases/README.md` has the words.
    pub(crate) needs: Vec<String>,
    pub(crate) a: Use,
    pub(crate) b: Option<Use>,
}

/// One use of a program.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Use {
    /// A line for sh.
    pub(crate) run: String,
    /// The exit status it must have.
    pub(crate) status: i32,
    /// What standard output and standard error together must match: a regular expression, `^` and `$` at lines.
    pub(crate) output: String,
}

/// The needs of a case that changes to other users or groups, or gives files to them: one id inside is not enough.
const OTHER_IDS: [&str; 4] = ["ids", "setuid", "pam", "writable"];

impl Case {
    /// All that a description in `fixtures/cases` holds.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub(crate) fn all(description: &str) -> Vec<Self> {
        let path = support::roots::fixtures().join("cases").join(description);
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The cases of these names.
    ///
    /// # Panics
    /// Where there is none of a name.
    pub(crate) fn named(description: &str, names: &[&str]) -> Vec<Self> {
        let mut cases = Self::all(description);
        for name in names {
            assert!(cases.iter().any(|case| case.name == *name), "no case {name}");
        }
        cases.retain(|case| names.contains(&case.name.as_str()));
        cases
    }

    /// Its one or two uses.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &Use> {
        std::iter::once(&self.a).chain(&self.b)
    }

    /// Whether its programs are for another architecture, so that an emulator runs them.
    pub(crate) fn is_foreign(&self) -> bool {
        self.needs.iter().any(|need| need == "arm64")
    }

    /// Whether it must be started by root: an ordinary user has one id inside.
    pub(crate) fn wants_root(&self) -> bool {
        self.needs
            .iter()
            .any(|need| need.starts_with("uid:") || OTHER_IDS.contains(&need.as_str()))
    }

    /// The keys to type, where it runs on a terminal.
    pub(crate) fn keys(&self) -> Option<&str> {
        self.needs.iter().find_map(|need| need.strip_prefix("tty:"))
    }
}
