//! Why there is no inventory.

use std::fmt;

use bundle::SectionReadError;

use crate::packages::PackagesError;
use crate::section::SectionError;

/// What a bundle is made of cannot be told.
#[derive(Debug)]
pub enum InventoryError {
    /// The package database of the root file system.
    Packages(PackagesError),
    /// The section of packages.
    Section(SectionError),
    /// A package depends on one that is not in the list.
    Dependency {
        /// Its place.
        place: usize,
    },
}

impl InventoryError {
    /// Whether someone changed the bundle.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Section(error) if error.is_tampering())
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Packages(error) => error.hint(),
            Self::Section(error) => error.hint(),
            Self::Dependency { .. } => Some("use the polecat that packed it, or a newer one".to_owned()),
        }
    }
}

impl fmt::Display for InventoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(error) => error.fmt(f),
            Self::Section(error) => write!(f, "packages: {error}"),
            Self::Dependency { place } => write!(f, "packages: there is no package {place} to depend on"),
        }
    }
}

impl std::error::Error for InventoryError {}

impl From<PackagesError> for InventoryError {
    fn from(error: PackagesError) -> Self {
        Self::Packages(error)
    }
}

impl From<SectionError> for InventoryError {
    fn from(error: SectionError) -> Self {
        Self::Section(error)
    }
}

impl From<SectionReadError> for InventoryError {
    fn from(error: SectionReadError) -> Self {
        Self::Section(error.into())
    }
}
