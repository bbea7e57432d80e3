//! Why there is no inventory.

use std::fmt;
use std::io;

use crate::packages::PackagesError;

/// What a bundle is made of cannot be told.
#[derive(Debug)]
pub enum InventoryError {
    /// The package database of the root file system.
    Packages(PackagesError),
    /// The section cannot be made.
    Encode {
        /// What was wrong.
        problem: String,
    },
    /// The section cannot be read from the bundle.
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// The section is longer than any can be.
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// The section is not the one that was signed.
    Digest,
    /// What was signed is not an inventory that this polecat reads.
    Content {
        /// What was wrong.
        problem: String,
    },
}

impl InventoryError {
    /// Whether someone changed the bundle.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Digest)
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Packages(error) => error.hint(),
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

impl fmt::Display for InventoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(error) => error.fmt(f),
            Self::Encode { problem } => write!(f, "packages: cannot be written down: {problem}"),
            Self::Read { source } => write!(f, "packages: cannot read the list in the bundle: {source}"),
            Self::TooLong { length } => write!(f, "packages: a list of {length} bytes is too long"),
            Self::Digest => f.write_str("packages: the list in the bundle is not what was signed"),
            Self::Content { problem } => write!(f, "packages: cannot make sense of the list in the bundle: {problem}"),
        }
    }
}

impl std::error::Error for InventoryError {}

impl From<PackagesError> for InventoryError {
    fn from(error: PackagesError) -> Self {
        Self::Packages(error)
    }
}
