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
}

impl PackagesError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Rootfs(error) => error.hint(),
            Self::Line { .. } => Some("repair the database, or move it out of the root file system".to_owned()),
        }
    }
}

impl fmt::Display for PackagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rootfs(error) => write!(f, "package database: {error}"),
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
