//! What a bundle was found to miss: the file that a bundle writes where it is run with `POLECAT_MISSES=FILE`. `docs/misses.md` describes
//! it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::TraceError;
use super::error::{Form, LineFault};
use super::lines::{self, path_of};

/// What was looked for in vain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misses {
    /// The file it was read from, as named.
    pub file: PathBuf,
    /// What the root file system had when the bundle was packed. Absolute.
    pub paths: BTreeSet<Vec<u8>>,
    /// What it may have had: paths behind links that the bundle has not. Absolute.
    pub uncertain: BTreeSet<Vec<u8>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    path: Option<String>,
    path_bytes: Option<String>,
    #[serde(default)]
    uncertain: bool,
    warning: Option<String>,
}

/// Reads the misses in the file `path`.
///
/// # Errors
/// See [`TraceError`].
pub fn read(path: &Path) -> Result<Misses, TraceError> {
    parse(&lines::read(path, Form::Misses)?, path)
}

fn parse(bytes: &[u8], path: &Path) -> Result<Misses, TraceError> {
    let mut misses = Misses {
        file: path.to_owned(),
        ..Misses::default()
    };
    lines::parse(bytes, path, Form::Misses, |line| misses.add(line))?;
    Ok(misses)
}

impl Misses {
    fn add(&mut self, line: &[u8]) -> Result<(), LineFault> {
        let line: Line = serde_json::from_slice(line).map_err(LineFault::Json)?;
        let path = path_of(line.path.as_deref(), line.path_bytes.as_deref()).ok_or(LineFault::Path)?;
        // A warning is about a program that was there.
        if line.warning.is_none() {
            let paths = if line.uncertain {
                &mut self.uncertain
            } else {
                &mut self.paths
            };
            paths.insert(path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Misses, TraceError> {
        parse(text.as_bytes(), Path::new("f"))
    }

    #[test]
    fn what_a_bundle_writes() {
        let text = "{\"polecatMisses\":1,\"commands\":[[\"x\",\"\\u0001\\\"\"]],\"incomplete\":true}\n\
            {\"path\":\"/etc/a \\\"b\\\"\\u000a\"}\n\
            {\"pathBytes\":\"2f78ff\"}\n\
            {\"path\":\"/link/\\\\y\",\"uncertain\":true}\n\
            {\"path\":\"/usr/bin/z\",\"warning\":\"is for another architecture\"}\n";
        let misses = parsed(text).expect("as written");
        assert_eq!(misses.file, Path::new("f"));
        assert_eq!(
            misses.paths,
            BTreeSet::from([b"/etc/a \"b\"\n".to_vec(), b"/x\xff".to_vec()])
        );
        assert_eq!(misses.uncertain, BTreeSet::from([b"/link/\\y".to_vec()]));
        assert!(parsed("{\"polecatMisses\":1}").is_ok_and(|misses| misses.paths.is_empty()));
    }

    #[test]
    fn what_is_none() {
        let head = "{\"polecatMisses\":1}";
        for (text, expected) in [
            (String::new(), "f: is no list of what a bundle misses"),
            ("#!/bin/sh\n".into(), "f: is no list"),
            ("{}".into(), "f: is no list"),
            ("{\"polecatTrace\":1}\n".into(), "f: is a trace"),
            ("{\"polecatMisses\":2,\"more\":1}".into(), "version 2"),
            (format!("{head}\n{{}}"), "line 2: no absolute path"),
            (format!("{head}\n\n{{\"path\":\"x\"}}"), "line 3: no absolute path"),
            (
                format!("{head}\n{{\"path\":\"/x\\u0000\"}}"),
                "line 2: no absolute path",
            ),
            (
                format!("{head}\n{{\"path\":\"/x\",\"pathBytes\":\"2f\"}}"),
                "line 2: no absolute path",
            ),
            (
                format!("{head}\n{{\"path\":\"/x\",\"kinds\":[\"open\"]}}"),
                "line 2: unknown field",
            ),
            (
                format!("{head}\n{{\"path\":\"/x\",\"uncertain\":1}}"),
                "line 2: invalid type",
            ),
            (format!("{head}\n{{\"path\":\"/x\""), "line 2: EOF"),
        ] {
            let error = parsed(&text).expect_err(&text);
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert!(error.hint().is_some(), "{text}");
        }
    }
}
