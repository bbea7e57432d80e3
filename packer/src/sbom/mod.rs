//! A bill of materials of a bundle: its packages, their versions and licences, and its files, in the formats that other programs read.
//!
//! Everything comes from what was signed: the inventory, the manifest and the files of the image. The same bundle gives the same
//! document: times are the bundle's, names are made of its digests.

mod cyclonedx;
mod files;
mod purl;
mod spdx;
mod time;

use std::collections::HashMap;

use bundle::manifest::Manifest;
use sha2::{Digest, Sha256};
use squashfs::{Image, ReadAt};

use crate::inventory::Inventory;
use crate::listing::ListingError;
use files::hex;

pub use files::FileRecord;

/// The program that makes the documents.
const TOOL: (&str, &str) = ("polecat", env!("CARGO_PKG_VERSION"));

/// A format for bills of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// SPDX 2.3, JSON: <https://spdx.github.io/spdx-spec/v2.3/>.
    Spdx,
    /// CycloneDX 1.6, JSON: <https://cyclonedx.org/docs/1.6/json/>.
    CycloneDx,
}

/// What a bundle is made of, with all that the documents say of it.
#[derive(Debug, Clone)]
pub struct BillOfMaterials {
    /// The bundle's name for people.
    pub name: String,
    /// Seconds since the epoch that the bundle says it was made at.
    pub created: u64,
    /// The program that packed it.
    pub generator: String,
    /// SHA-256 of the executable in front, in hexadecimal digits.
    pub stub_sha256: String,
    /// SHA-256 over what the document is about: image, packages and stub by their digests, name and time. The document's own name is
    /// made of it.
    pub identity: [u8; 32],
    /// The packages; empty where the bundle carries no list of them.
    pub inventory: Inventory,
    /// All regular files, by path.
    pub files: Vec<FileRecord>,
}

impl BillOfMaterials {
    /// Reads every file of the image.
    ///
    /// # Errors
    /// [`ListingError`].
    pub fn new(
        manifest: &Manifest,
        inventory: Option<Inventory>,
        image: &Image<impl ReadAt>,
    ) -> Result<Self, ListingError> {
        let inventory = inventory.unwrap_or_default();
        let owners: HashMap<&str, usize> = inventory
            .packages
            .iter()
            .enumerate()
            .flat_map(|(place, package)| package.files.iter().map(move |path| (path.as_str(), place)))
            .collect();
        let mut files = files::read_all(image, manifest.image.entries)?;
        for file in &mut files {
            file.package = owners.get(file.path.as_str()).copied();
        }
        Ok(Self {
            name: manifest.name.clone(),
            created: manifest.created,
            generator: manifest.generator.clone(),
            stub_sha256: manifest.stub.sha256.clone(),
            identity: identity(manifest),
            inventory,
            files,
        })
    }

    /// The document.
    pub fn to_json(&self, format: Format) -> serde_json::Value {
        match format {
            Format::Spdx => spdx::document(self),
            Format::CycloneDx => cyclonedx::document(self),
        }
    }

    /// The files that no package has.
    pub fn unowned(&self) -> impl Iterator<Item = &FileRecord> {
        self.files.iter().filter(|file| file.package.is_none())
    }

    /// A UUID of the form of RFC 9562, version 8, made of the identity.
    fn uuid(&self) -> String {
        let mut bytes: [u8; 16] = std::array::from_fn(|place| self.identity[place]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let digits = hex(&bytes);
        let parts = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ];
        parts.join("-")
    }
}

fn identity(manifest: &Manifest) -> [u8; 32] {
    let created = manifest.created.to_string();
    let packages = manifest.packages.as_ref().map_or("", |packages| &packages.sha256);
    let mut digest = Sha256::new_with_prefix(b"polecat bill of materials v1");
    for field in [
        &manifest.hash_tree.root_digest,
        packages,
        &manifest.stub.sha256,
        &manifest.name,
        &created,
    ] {
        digest.update((field.len() as u64).to_le_bytes());
        digest.update(field);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
