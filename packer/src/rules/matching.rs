//! Whether a rule applies.

use super::{NamePattern, Rule};
use crate::rootfs::RootPath;

/// What the closure has so far.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Programs that are run, by the paths they are named by and without links.
    pub programs: Vec<RootPath>,
    /// Libraries that are mapped: path without links, and soname.
    pub libraries: Vec<(RootPath, Option<Vec<u8>>)>,
    /// Who imports which watched symbol, libc aside.
    pub imports: Vec<(&'static str, RootPath)>,
    /// The same of programs alone.
    pub program_imports: Vec<(&'static str, RootPath)>,
    /// All paths of the closure.
    pub paths: Vec<RootPath>,
    /// A path of each package of the closure, and the package's name. Only where a rule asks: see [`Rule::asks_for_packages`].
    pub packages: Vec<(RootPath, String)>,
    /// Locales beside C were asked for.
    pub locales: bool,
}

/// Why a rule applies: what met its first condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The entry.
    pub by: Option<RootPath>,
}

impl Rule {
    /// Whether packages are among the conditions.
    #[must_use]
    pub fn asks_for_packages(&self) -> bool {
        !self.when.package.is_empty()
    }

    /// The trigger, where all conditions are met.
    #[must_use]
    pub fn applies(&self, observed: &Observed) -> Option<Trigger> {
        let when = &self.when;
        if when.locales && !observed.locales {
            return None;
        }
        let mut by = None;
        let mut holds = |given: bool, found: Option<RootPath>| {
            let met = !given || found.is_some();
            by = by.take().or(found);
            met
        };
        let met = holds(!when.program.is_empty(), program(&when.program, observed))
            && holds(!when.library.is_empty(), library(&when.library, observed))
            && holds(!when.imports.is_empty(), importer(&when.imports, &observed.imports))
            && holds(
                !when.program_imports.is_empty(),
                importer(&when.program_imports, &observed.program_imports),
            )
            && holds(!when.path.is_empty(), {
                let matches = |path: &&RootPath| when.path.iter().any(|pattern| pattern.matches(path));
                observed.paths.iter().find(matches).cloned()
            })
            && holds(!when.package.is_empty(), package(&when.package, observed));
        met.then_some(Trigger { by })
    }
}

fn program(patterns: &[NamePattern], observed: &Observed) -> Option<RootPath> {
    let matches = |path: &&RootPath| patterns.iter().any(|pattern| pattern.matches(path));
    observed.programs.iter().find(matches).cloned()
}

fn library(patterns: &[NamePattern], observed: &Observed) -> Option<RootPath> {
    let matches = |(path, soname): &&(RootPath, Option<Vec<u8>>)| {
        patterns.iter().any(|pattern| {
            pattern.matches(path) || soname.as_deref().is_some_and(|soname| pattern.matches_name(soname))
        })
    };
    observed.libraries.iter().find(matches).map(|(path, _)| path.clone())
}

fn package(patterns: &[NamePattern], observed: &Observed) -> Option<RootPath> {
    let matches =
        |(_, name): &&(RootPath, String)| patterns.iter().any(|pattern| pattern.matches_name(name.as_bytes()));
    observed.packages.iter().find(matches).map(|(path, _)| path.clone())
}

fn importer(symbols: &[String], imports: &[(&'static str, RootPath)]) -> Option<RootPath> {
    let matches = |(symbol, _): &&(&'static str, RootPath)| symbols.iter().any(|wanted| wanted == symbol);
    imports.iter().find(matches).map(|(_, path)| path.clone())
}

#[cfg(test)]
mod tests {
    use super::super::{Then, When};
    use super::*;
    use crate::rootfs::Pattern;

    #[test]
    fn all_conditions_must_hold_and_any_of_each() {
        let observed = Observed {
            programs: vec![RootPath::new("/usr/bin/git")],
            libraries: vec![(RootPath::new("/usr/lib/libz.so.1.2.13"), Some(b"libz.so.1".to_vec()))],
            imports: vec![("iconv_open", RootPath::new("/usr/bin/git"))],
            program_imports: Vec::new(),
            paths: vec![RootPath::new("/etc/passwd")],
            packages: vec![(RootPath::new("/usr/bin/git"), "git-core".into())],
            locales: false,
        };
        let names = |texts: &[&str]| -> Vec<NamePattern> {
            texts
                .iter()
                .map(|text| NamePattern::new(text).expect("valid"))
                .collect()
        };
        let table: Vec<(When, Option<&str>)> = vec![
            (
                When {
                    program: names(&["hg", "git"]),
                    ..When::default()
                },
                Some("/usr/bin/git"),
            ),
            (
                When {
                    program: names(&["hg"]),
                    ..When::default()
                },
                None,
            ),
            (
                When {
                    library: names(&["libz.so.1"]),
                    ..When::default()
                },
                Some("/usr/lib/libz.so.1.2.13"),
            ),
            (
                When {
                    imports: vec!["iconv_open".into()],
                    ..When::default()
                },
                Some("/usr/bin/git"),
            ),
            (
                When {
                    program_imports: vec!["iconv_open".into()],
                    ..When::default()
                },
                None,
            ),
            (
                When {
                    path: vec![Pattern::new("/etc/*").expect("valid")],
                    ..When::default()
                },
                Some("/etc/passwd"),
            ),
            (
                When {
                    package: names(&["git-*"]),
                    ..When::default()
                },
                Some("/usr/bin/git"),
            ),
            (
                When {
                    package: names(&["git"]),
                    ..When::default()
                },
                None,
            ),
            (
                When {
                    program: names(&["git"]),
                    library: names(&["libssl.so.*"]),
                    ..When::default()
                },
                None,
            ),
            (
                When {
                    program: names(&["git"]),
                    locales: true,
                    ..When::default()
                },
                None,
            ),
        ];
        for (when, expected) in table {
            let rule = Rule {
                name: "x".into(),
                origin: "x".into(),
                when,
                then: Then::default(),
            };
            let by = rule.applies(&observed).map(|trigger| trigger.by.expect("an entry"));
            assert_eq!(by, expected.map(RootPath::new), "{rule:?}");
        }
    }
}
