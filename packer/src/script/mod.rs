//! Build scripts: commands that install into a root file system, and commands that try out what was installed. `docs/build-scripts.md`
//! describes the file.

mod error;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub use error::ScriptError;

/// Far more than anybody writes.
const MAX_LENGTH: u64 = 1 << 20;

/// What a build script asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildScript {
    /// Commands that install, in their order.
    pub install: Vec<Command>,
    /// Commands that try out what was installed, in their order.
    pub test: Vec<Command>,
    /// `NAME=value` for the commands of both stages.
    pub environment: Vec<String>,
}

/// A command of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Line of the script where it begins, from 1.
    pub line: usize,
    /// For the shell.
    pub text: String,
}

/// Which list a command is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its writes are part of the root file system that is packed.
    Install,
    /// It is traced, and what it writes is gone afterwards.
    Test,
}

impl Stage {
    /// The list's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Test => "test",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    install: Vec<Spanned<String>>,
    #[serde(default)]
    test: Vec<Spanned<String>>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl BuildScript {
    /// Reads the script at `path`.
    ///
    /// # Errors
    /// [`ScriptError`].
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let fault = |source| ScriptError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = File::open(path).map_err(fault)?;
        file.take(MAX_LENGTH + 1).read_to_string(&mut text).map_err(fault)?;
        if text.len() as u64 > MAX_LENGTH {
            return Err(ScriptError::TooLong { path: path.to_owned() });
        }
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ScriptError> {
        let document: Document = toml::from_str(text).map_err(|source| ScriptError::Syntax {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let value = |line, problem| ScriptError::Value {
            path: path.to_owned(),
            line,
            problem,
        };
        let command = |spanned: Spanned<String>| {
            let before = text.get(..spanned.span().start).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            match spanned.into_inner() {
                text if text.trim().is_empty() => Err(value(Some(line), "an empty command")),
                text if text.contains('\0') => Err(value(Some(line), "a command with a NUL character")),
                text => Ok(Command { line, text }),
            }
        };
        let commands = |list: Vec<Spanned<String>>| list.into_iter().map(command).collect::<Result<Vec<_>, _>>();
        let variable = |(name, contents): (String, String)| {
            let is_odd = name.is_empty() || name.contains(['=', '\0']) || contents.contains('\0');
            match is_odd {
                true => Err(value(None, "a name or value in environment that no variable can have")),
                false => Ok(format!("{name}={contents}")),
            }
        };
        let script = Self {
            install: commands(document.install)?,
            test: commands(document.test)?,
            environment: document
                .environment
                .into_iter()
                .map(variable)
                .collect::<Result<_, _>>()?,
        };
        match script.install.is_empty() && script.test.is_empty() {
            true => Err(value(None, "neither install nor test has a command")),
            false => Ok(script),
        }
    }

    /// Both stages' commands, in the order in which they are run.
    pub fn commands(&self) -> impl Iterator<Item = (Stage, &Command)> {
        let of = |stage| move |command| (stage, command);
        let install = self.install.iter().map(of(Stage::Install));
        install.chain(self.test.iter().map(of(Stage::Test)))
    }
}

impl Command {
    /// The command in a line: its first one that says something.
    pub fn summary(&self) -> String {
        let mut lines = self.text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let shown: String = first
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        match lines.next() {
            Some(_) => format!("{shown} ..."),
            None => shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BuildScript, ScriptError> {
        BuildScript::parse(Path::new("x.toml"), text)
    }

    #[test]
    fn commands_know_their_lines() {
        let text = "# a comment\n\
                    install = [\"one\", # beside\n  'two',\n\n  '''\nthree\nfour\n''']\n\
                    test = [\n\"\\n  five\\t-x \\n\"]\n\
                    [environment]\nB = \"x=y\"\nA = \"\"\n";
        let script = parse(text).expect("valid");
        let lines: Vec<_> = script
            .commands()
            .map(|(stage, command)| (stage.name(), command.line, command.summary()))
            .collect();
        let expected = [
            ("install", 2, "one"),
            ("install", 3, "two"),
            ("install", 5, "three ..."),
            ("test", 10, "five -x"),
        ];
        assert_eq!(
            lines,
            expected.map(|(stage, line, text)| (stage, line, text.to_owned()))
        );
        assert_eq!(script.install[2].text, "three\nfour\n");
        assert_eq!(script.environment, ["A=", "B=x=y"]);
    }

    #[test]
    fn what_is_no_script() {
        for (text, expected) in [
            ("", "neither install nor test"),
            ("install = []\ntest = []", "neither install nor test"),
            ("install = [\"a\", \" \\n\"]", "line 1: an empty command"),
            ("\ntest = [\"a\\u0000b\"]", "line 2: a command with a NUL"),
            ("install = \"a\"", "sequence"),
            ("install = [1]", "string"),
            ("instal = [\"a\"]", "unknown field"),
            ("test = [\"a\"]\n[environment]\n\"A=B\" = \"\"", "no variable can have"),
            ("test = [\"a\"]\n[environment]\n\"\" = \"\"", "no variable can have"),
            ("test = [\"a\"]\n[environment]\nA = 1", "string"),
            ("#!/bin/sh\napt-get install\n", "key with no value"),
            ("test = [\"a\"]\ntest = [\"a\"]", "duplicate key"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert!(error.hint().is_some());
        }
    }
}
