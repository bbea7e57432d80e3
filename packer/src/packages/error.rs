//! Why a package database cannot be read.

use std::fmt;

use crate::rootfs::{RootPath, RootfsError};

/// A package database is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackagesError {
    /// A look-up in the root file system failed.
    Rootfs(RootfsError),
    /// A line of a file is not what the format has there.
    Line {
        /// The file.
        path: RootPath,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong.
        fault: &'static str,
    },
    /// rpm's old database, in Berkeley DB.
    BerkeleyDb {
        /// The file.
        path: RootPath,
    },
    /// Not a database that polecat knows.
    Format {
        /// The file.
        path: RootPath,
    },
    /// SQLite does not make sense of a file.
    Sqlite {
        /// The file.
        path: RootPath,
        /// What it says.
        problem: String,
    },
    /// There is no place to copy a database to.
    Copy {
        /// What the system said.
        problem: String,
    },
}

impl PackagesError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Rootfs(error) => error.hint(),
            Self::Line { .. } | Self::Format { .. } | Self::Sqlite { .. } => {
                Some("repair the database, or move it out of the root file system".to_owned())
            }
            Self::BerkeleyDb { .. } => {
                Some("convert it with that system's own `rpmdb --rebuilddb`, where its rpm is 4.16 or newer".to_owned())
            }
            Self::Copy { .. } => Some("set TMPDIR to a directory with room".to_owned()),
        }
    }
}

impl fmt::Display for PackagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rootfs(error) => write!(f, "package database: {error}"),
            Self::BerkeleyDb { path } => write!(
                f,
                "package database: {path}: in Berkeley DB, which polecat does not read"
            ),
            Self::Format { path } => write!(f, "package database: {path}: not a format of rpm's that polecat knows"),
            Self::Sqlite { path, problem } => write!(f, "package database: {path}: {problem}"),
            Self::Copy { problem } => write!(f, "package database: cannot be copied: {problem}"),
            Self::Line { path, line, fault } => write!(f, "package database: {path}: line {line}: {fault}"),
        }
    }
}

impl std::error::Error for PackagesError {}

impl From<RootfsError> for PackagesError {
    fn from(error: RootfsError) -> Self {
        Self::Rootfs(error)
    }
}
