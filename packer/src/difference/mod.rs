//! What two bundles differ in: who signed them, how they start, what they may, the packages and files they are made of, their sizes.
//!
//! Images are read through the reader of the runtime, block by block and side by side; nothing is unpacked.

mod fields;
mod files;
mod packages;

use serde::Serialize;
use squashfs::{Image, ReadAt};

use crate::inventory::Inventory;
use crate::listing::{Listing, ListingError};

pub use fields::FieldChange;
pub use files::{FileChange, FileDescription, FileKind, FilePart};
pub use packages::{PackageChange, PackageName};

/// One of the two bundles, its signatures and its manifest checked.
#[derive(Debug)]
pub struct Side<'a, R> {
    /// The manifest, as it is stored.
    pub manifest_bytes: &'a [u8],
    /// Root digest and salt of the hash tree: where they are the same, so are the images.
    pub image_digest: (&'a str, &'a str),
    /// The image.
    pub image: &'a Image<R>,
    /// What is in it.
    pub listing: &'a Listing,
    /// The packages; none where the bundle does not list them.
    pub inventory: Option<&'a Inventory>,
    /// Who signed it: key ids.
    pub signers: Vec<String>,
    /// Lengths in bytes, by what they are of.
    pub sizes: Vec<(&'static str, u64)>,
}

/// What is in one and not in the other, and what is in both and not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes<T, C> {
    /// Only in the second.
    pub added: Vec<T>,
    /// Only in the first.
    pub removed: Vec<T>,
    /// In both.
    pub changed: Vec<C>,
}

impl<T, C> Default for Changes<T, C> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
        }
    }
}

impl<T, C> Changes<T, C> {
    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A length or a number that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SizeChange {
    /// Of what.
    pub of: &'static str,
    /// In the first.
    pub a: u64,
    /// In the second.
    pub b: u64,
}

/// What two bundles differ in.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Key ids.
    pub signers: Changes<String, ()>,
    /// What the program is called, what packed it, its stub.
    pub about: Vec<FieldChange>,
    /// The command, its arguments, environment and working directory.
    pub start: Vec<FieldChange>,
    /// What it may and what it shares with the host: all of the manifest that is neither of the above.
    pub permissions: Vec<FieldChange>,
    /// Packages, by name and architecture.
    pub packages: Changes<PackageName, PackageChange>,
    /// Paths of the images.
    pub files: Changes<FileDescription, FileChange>,
    /// Whether the images hold the same and are stored otherwise: compressed, say.
    pub stored_otherwise: bool,
    /// Sizes of the bundles and their parts.
    pub sizes: Vec<SizeChange>,
}

impl Difference {
    /// Compares. `progress` is told of the bytes of files that are done with.
    ///
    /// # Errors
    /// [`DifferenceError`].
    pub fn between<R: ReadAt, S: ReadAt>(
        a: &Side<'_, R>,
        b: &Side<'_, S>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, DifferenceError> {
        let mut found = Self::default();
        found.signers.added = only_in(&b.signers, &a.signers);
        found.signers.removed = only_in(&a.signers, &b.signers);
        fields::compare(a.manifest_bytes, b.manifest_bytes, &mut found).map_err(DifferenceError::Manifest)?;
        found.packages = packages::compare(a.inventory, b.inventory);
        if a.image_digest != b.image_digest {
            found.files = files::compare(a, b, progress)?;
            found.stored_otherwise = found.files.is_empty();
        }
        let sizes = a.sizes.iter().zip(&b.sizes);
        found.sizes = sizes
            .filter(|(a, b)| a.1 != b.1)
            .map(|((of, a), (_, b))| SizeChange { of, a: *a, b: *b })
            .collect();
        Ok(found)
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn only_in(these: &[String], those: &[String]) -> Vec<String> {
    these.iter().filter(|one| !those.contains(one)).cloned().collect()
}

/// Why two bundles cannot be compared.
#[derive(Debug)]
pub enum DifferenceError {
    /// A manifest is no JSON object, although it was read before.
    Manifest(serde_json::Error),
    /// The image of the first.
    A(ListingError),
    /// The image of the second.
    B(ListingError),
}

#[cfg(test)]
mod tests;
