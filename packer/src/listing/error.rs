//! Why an image cannot be listed.

use std::fmt;

use crate::rootfs::RootPath;

/// The entries of an image cannot be listed.
#[derive(Debug)]
pub enum ListingError {
    /// The image.
    Image(squashfs::Error),
    /// The image has more entries than its manifest says.
    TooManyEntries {
        /// How many the manifest says.
        entries: u64,
    },
    /// A directory that was listed before, under another name.
    Repeated {
        /// Where it was met again.
        path: RootPath,
    },
}

impl ListingError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::TooManyEntries { .. } | Self::Repeated { .. } => None,
        }
    }
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => write!(f, "image: {error}"),
            Self::TooManyEntries { entries } => {
                write!(f, "image: it has more than the {entries} entries of its manifest")
            }
            Self::Repeated { path } => write!(f, "image: the directory {path} is in it more than once"),
        }
    }
}

impl std::error::Error for ListingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Image(error) => Some(error),
            Self::TooManyEntries { .. } | Self::Repeated { .. } => None,
        }
    }
}

impl From<squashfs::Error> for ListingError {
    fn from(error: squashfs::Error) -> Self {
        Self::Image(error)
    }
}
