//! Why there is no bill of materials.

use std::fmt;

/// The files of a bundle cannot be read.
#[derive(Debug)]
pub enum SbomError {
    /// The image.
    Image(squashfs::Error),
    /// The image has more entries than its manifest says.
    TooManyEntries {
        /// How many the manifest says.
        entries: u64,
    },
}

impl SbomError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::TooManyEntries { .. } => None,
        }
    }
}

impl fmt::Display for SbomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => write!(f, "image: {error}"),
            Self::TooManyEntries { entries } => {
                write!(f, "image: it has more than the {entries} entries of its manifest")
            }
        }
    }
}

impl std::error::Error for SbomError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Image(error) => Some(error),
            Self::TooManyEntries { .. } => None,
        }
    }
}

impl From<squashfs::Error> for SbomError {
    fn from(error: squashfs::Error) -> Self {
        Self::Image(error)
    }
}
