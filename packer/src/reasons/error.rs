//! Why there are no reasons.

use std::fmt;

use bundle::SectionReadError;

use crate::rootfs::RootPath;
use crate::section::SectionError;

/// The reasons of a bundle cannot be told.
#[derive(Debug)]
pub enum ReasonsError {
    /// More paths than the section can number.
    TooMany,
    /// The section.
    Section(SectionError),
    /// The section is about another number of paths than the image has.
    OtherImage {
        /// Paths that it has reasons for.
        paths: usize,
        /// Entries of the image.
        entries: usize,
    },
    /// A number that is no place of a path or a reason.
    Place {
        /// The number.
        place: u32,
    },
    /// A path that is there because it is there.
    Circle {
        /// One of the paths.
        path: RootPath,
    },
}

impl ReasonsError {
    /// Whether someone changed the bundle.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Section(error) if error.is_tampering())
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Section(error) => error.hint(),
            Self::TooMany => Some("--no-reasons packs without them".to_owned()),
            Self::OtherImage { .. } | Self::Place { .. } | Self::Circle { .. } => {
                Some("pack it again: whoever packed it did not do it as polecat does".to_owned())
            }
        }
    }
}

impl fmt::Display for ReasonsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reasons: ")?;
        match self {
            Self::TooMany => f.write_str("too many paths"),
            Self::Section(error) => error.fmt(f),
            Self::OtherImage { paths, entries } => {
                write!(f, "they are about {paths} paths, and the image has {entries}")
            }
            Self::Place { place } => write!(f, "there is no number {place}"),
            Self::Circle { path } => write!(f, "{path} is said to be there because of itself"),
        }
    }
}

impl std::error::Error for ReasonsError {}

impl From<SectionError> for ReasonsError {
    fn from(error: SectionError) -> Self {
        Self::Section(error)
    }
}

impl From<SectionReadError> for ReasonsError {
    fn from(error: SectionReadError) -> Self {
        Self::Section(error.into())
    }
}
