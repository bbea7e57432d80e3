//! Rules: what is known of programs and libraries and cannot be read from their files, as data. When a program, library, symbol, path
//! or package is in the closure, then files, programs, libraries and directories come too.
//!
//! The rules of polecat itself are the TOML files in `rules/builtin`; `/etc/polecat/rules.d` and `--rules DIR` bring more, in the same
//! form, which `docs/rules.md` describes. Matching is a pure function over what the closure has seen so far.

mod error;
mod file;
mod matching;
mod name;

use std::path::{Path, PathBuf};

use crate::rootfs::{Pattern, PatternError, RootPath};

pub use error::RulesError;
pub use matching::{Observed, Trigger};
pub use name::NamePattern;

/// Where rules of the machine are, if any.
pub const SYSTEM_DIRECTORY: &str = "/etc/polecat/rules.d";

const BUILTIN: &[(&str, &str)] = &[
    ("builtin/libc.toml", include_str!("builtin/libc.toml")),
    ("builtin/network.toml", include_str!("builtin/network.toml")),
    ("builtin/languages.toml", include_str!("builtin/languages.toml")),
    ("builtin/desktop.toml", include_str!("builtin/desktop.toml")),
    ("builtin/media.toml", include_str!("builtin/media.toml")),
    ("builtin/tools.toml", include_str!("builtin/tools.toml")),
    ("builtin/services.toml", include_str!("builtin/services.toml")),
];

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, which reasons show.
    pub name: String,
    /// The file that it stands in.
    pub origin: PathBuf,
    /// All of these must hold.
    pub when: When,
    /// What comes then.
    pub then: Then,
}

/// Conditions. Those that are given must all hold; each holds where any of its patterns does.
#[derive(Debug, Clone, Default)]
pub struct When {
    /// Programs that are run: the command, `--also`, interpreters, helpers.
    pub program: Vec<NamePattern>,
    /// Libraries that something maps, by soname or file name.
    pub library: Vec<NamePattern>,
    /// Symbols that something mapped imports, libc itself aside.
    pub imports: Vec<String>,
    /// Symbols that a program itself imports.
    pub program_imports: Vec<String>,
    /// Paths of the closure.
    pub path: Vec<Pattern>,
    /// Packages that own a path of the closure, by name.
    pub package: Vec<NamePattern>,
    /// Locales beside C were asked for.
    pub locales: bool,
}

/// Consequences. What is not in the root file system does not come.
#[derive(Debug, Clone, Default)]
pub struct Then {
    /// Patterns of files and whole directories; ELF files among them bring their libraries. See [`Then::files`].
    pub files: Vec<String>,
    /// What is left out of them.
    pub except: Vec<Pattern>,
    /// Programs by name or path, each with its own closure.
    pub programs: Vec<String>,
    /// Libraries opened by name, as dlopen(3) finds them.
    pub libraries: Vec<String>,
    /// Directories by themselves, with owner and mode.
    pub directories: Vec<RootPath>,
}

/// Stands in a pattern for the directory above that of the trigger: `/usr` for `/usr/bin/python3`.
const PREFIX: &str = "$PREFIX";

/// Stands for every directory that libraries are in: with and without merged `/usr`, with and without multiarch.
const LIBRARY_DIRECTORIES: (&str, &str) = ("$LIB", "/{usr/,}lib{,64,32,/*-linux-gnu*,/*-linux-musl*}");

impl Then {
    /// The patterns of files for this trigger.
    #[must_use]
    pub fn files(&self, trigger: &Trigger) -> Vec<Pattern> {
        let above = |path: &RootPath| path.parent().and_then(|directory| directory.parent());
        let prefix = trigger.by.as_ref().and_then(above).unwrap_or_else(RootPath::root);
        let prefix = match prefix.is_root() {
            true => String::new(),
            false => String::from_utf8_lossy(prefix.as_bytes()).into_owned(),
        };
        // They were valid when the rules were read; a directory with an odd name may spoil them, and then nothing is there.
        self.files
            .iter()
            .filter_map(|text| pattern(text, &prefix).ok())
            .collect()
    }
}

fn pattern(text: &str, prefix: &str) -> Result<Pattern, PatternError> {
    Pattern::new(
        &text
            .replace(LIBRARY_DIRECTORIES.0, LIBRARY_DIRECTORIES.1)
            .replace(PREFIX, prefix),
    )
}

/// All rules that apply to a run.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// No rules.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// polecat's own, those of the machine, and those in `directories`, read in that order.
    ///
    /// # Errors
    /// [`RulesError`]: a file cannot be read or is not valid.
    pub fn load(directories: &[PathBuf]) -> Result<Self, RulesError> {
        let mut rules = Vec::new();
        for (name, text) in BUILTIN {
            rules.extend(file::parse(Path::new(name), text)?);
        }
        let system = Path::new(SYSTEM_DIRECTORY);
        if system.is_dir() {
            rules.extend(file::read_directory(system)?);
        }
        for directory in directories {
            rules.extend(file::read_directory(directory)?);
        }
        Ok(Self { rules })
    }

    /// In the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::WATCHED_IMPORTS;

    #[test]
    fn the_builtin_rules_are_valid_and_named_once() {
        let rules = RuleSet::load(&[]).expect("valid rules");
        let mut names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert!(names.len() > 40, "{}", names.len());
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
        for symbol in rules
            .iter()
            .flat_map(|rule| rule.when.imports.iter().chain(&rule.when.program_imports))
        {
            assert!(WATCHED_IMPORTS.contains(&symbol.as_str()), "{symbol}");
        }
    }
}
