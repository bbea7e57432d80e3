//! Why a section cannot be used.

use std::fmt;
use std::io;

/// A section cannot be written or read.
#[derive(Debug)]
pub enum SectionError {
    /// It cannot be made.
    Encode {
        /// What was wrong.
        problem: String,
    },
    /// It cannot be read from the bundle.
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// It is longer than any can be.
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// It is not the one that was signed.
    Digest,
    /// What was signed is not what this polecat reads.
    Content {
        /// What was wrong.
        problem: String,
    },
}

impl SectionError {
    /// Whether someone changed the bundle.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Digest)
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Digest => Some(
                "copy or download the file again; if that does not help, someone changed it after it was signed"
                    .to_owned(),
            ),
            Self::Content { .. } | Self::TooLong { .. } => {
                Some("use the polecat that packed it, or a newer one".to_owned())
            }
            Self::Encode { .. } | Self::Read { .. } => None,
        }
    }
}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode { problem } => write!(f, "cannot be written down: {problem}"),
            Self::Read { source } => write!(f, "cannot read the list in the bundle: {source}"),
            Self::TooLong { length } => write!(f, "a list of {length} bytes is too long"),
            Self::Digest => f.write_str("the list in the bundle is not what was signed"),
            Self::Content { problem } => write!(f, "cannot make sense of the list in the bundle: {problem}"),
        }
    }
}

impl std::error::Error for SectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source } => Some(source),
            _ => None,
        }
    }
}
