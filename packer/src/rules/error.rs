//! Why rules cannot be used.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why rules cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum RulesError {
    /// A directory or file cannot be read.
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not TOML, or not of the form that rules have.
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A value of a rule makes no sense.
    Value {
        /// The file.
        path: PathBuf,
        /// The rule's name.
        rule: String,
        /// What is wrong.
        problem: String,
    },
}

impl RulesError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::Syntax { .. } | Self::Value { .. } => Some("docs/rules.md says what a rule may hold".to_owned()),
        }
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "rules {}: {source}", path.display()),
            Self::Syntax { path, source } => write!(f, "rules {}: {}", path.display(), source.to_string().trim_end()),
            Self::Value { path, rule, problem } => write!(f, "rules {}: rule {rule}: {problem}", path.display()),
        }
    }
}

impl Error for RulesError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Syntax { source, .. } => Some(source),
            Self::Value { .. } => None,
        }
    }
}
