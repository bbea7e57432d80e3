//! Why a build script cannot be used.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a build script cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScriptError {
    /// It cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is longer than any.
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is not TOML, or not of the form that scripts have.
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    Value {
        /// The file.
        path: PathBuf,
        /// Its line, from 1, where it is a command's.
        line: Option<usize>,
        /// What is wrong.
        problem: &'static str,
    },
}

impl ScriptError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } | Self::TooLong { .. } => None,
            Self::Syntax { .. } | Self::Value { .. } => Some(
                "write install = [\"COMMAND\", ...] and test = [\"COMMAND\", ...], see docs/build-scripts.md".into(),
            ),
        }
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "build script {}: {source}", path.display()),
            Self::TooLong { path } => write!(f, "build script {}: longer than a script can be", path.display()),
            Self::Syntax { path, source } => {
                write!(f, "build script {}: {}", path.display(), source.to_string().trim_end())
            }
            Self::Value {
                path,
                line: Some(line),
                problem,
            } => write!(f, "build script {}: line {line}: {problem}", path.display()),
            Self::Value { path, problem, .. } => write!(f, "build script {}: {problem}", path.display()),
        }
    }
}

impl Error for ScriptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Syntax { source, .. } => Some(source),
            Self::TooLong { .. } | Self::Value { .. } => None,
        }
    }
}
