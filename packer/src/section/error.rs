//! Why a section cannot be used.

use std::fmt;

use bundle::SectionReadError;

/// A section cannot be written or read.
#[derive(Debug)]
pub enum SectionError {
    /// It cannot be made.
    Encode {
        /// What was wrong.
        problem: String,
    },
    /// It cannot be read from the bundle, or is not the one that was signed.
    Read(SectionReadError),
    /// What was signed is not what this polecat reads.
    Content {
        /// What was wrong.
        problem: String,
    },
}

impl SectionError {
    /// Whether someone changed the bundle.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Read(error) if error.is_tampering())
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Encode { .. } => None,
            Self::Read(error) => error.hint(),
            Self::Content { .. } => Some("use the polecat that packed it, or a newer one".to_owned()),
        }
    }
}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode { problem } => write!(f, "cannot be written down: {problem}"),
            Self::Read(error) => write!(f, "the list in the bundle {error}"),
            Self::Content { problem } => write!(f, "cannot make sense of the list in the bundle: {problem}"),
        }
    }
}

impl std::error::Error for SectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Encode { .. } | Self::Content { .. } => None,
        }
    }
}

impl From<SectionReadError> for SectionError {
    fn from(error: SectionReadError) -> Self {
        Self::Read(error)
    }
}
