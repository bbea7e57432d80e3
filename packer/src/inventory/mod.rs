//! What a bundle is made of: the packages that its files come from, as the bundle itself carries it.
//!
//! Collected when the bundle is packed, since only then there is a package database; stored as the bundle's section of packages
//! (`docs/format.md`), whose digest the signed manifest holds; read again for a bill of materials.

mod error;
mod licence;

use std::collections::{BTreeMap, HashMap};

use bundle::ReadAt;
use bundle::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::packages::{Ecosystem, Package, Packages};
use crate::plan::{Node, Plan};
use crate::rootfs::{RootPath, Rootfs};
use crate::section;

pub use error::InventoryError;

/// Longest section in bytes once it is unpacked.
const MAX_UNPACKED: usize = 128 << 20;

/// Longest copyright file in bytes.
const MAX_COPYRIGHT: u64 = 4 << 20;

/// The packages that the files of a bundle come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The distribution that they are of.
    #[serde(default)]
    pub distribution: Distribution,
    /// Each package with at least one file in the bundle, by name.
    pub packages: Vec<PackageRecord>,
}

/// A distribution, as os-release(5) names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// `debian`, `alpine`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A package and what the bundle has of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRecord {
    /// The type of its package URL: `deb`, `apk`, …
    pub ecosystem: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, in the words of its distribution.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The source package, where its name is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The source package's version, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// An SPDX licence expression; none where the distribution does not say in a way that programs read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintainer: Option<String>,
    /// Its page in the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Places in the list of packages of those that it depends on, as far as they are in the bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<usize>,
    /// Its files and links in the bundle: paths in which `%` and what is not UTF-8 are percent-encoded.
    pub files: Vec<String>,
}

impl Inventory {
    /// Collects what the plan's files come from; none where the root file system has no package database.
    ///
    /// # Errors
    /// [`InventoryError`], where a database is there and cannot be read.
    pub fn collect(plan: &Plan, rootfs: &Rootfs) -> Result<Option<Self>, InventoryError> {
        match Packages::read(rootfs)? {
            Some(packages) => Ok(Some(Self::of(plan, rootfs, &packages))),
            None => Ok(None),
        }
    }

    /// The same with a database that was read before.
    pub fn of(plan: &Plan, rootfs: &Rootfs, packages: &Packages) -> Self {
        // By name first, so that the order does not depend on the database's.
        let mut owned: BTreeMap<(&str, &str, &str), (&Package, Vec<String>)> = BTreeMap::new();
        for (path, entry) in &plan.entries {
            if !matches!(entry.node, Node::File { .. } | Node::Symlink { .. }) {
                continue;
            }
            if let Some(package) = packages.owner(path) {
                let (_, files) = owned.entry(key(package)).or_insert_with(|| (package, Vec::new()));
                files.push(path_text(path.as_bytes()));
            }
        }
        let places: HashMap<_, usize> = owned.keys().enumerate().map(|(place, key)| (*key, place)).collect();
        let depends = |package: &Package| {
            let places = packages
                .dependencies(package)
                .into_iter()
                .filter_map(|other| places.get(&key(other)));
            places.copied().collect()
        };
        let distribution = packages.distribution();
        Self {
            distribution: Distribution {
                id: distribution.id.clone(),
                version: distribution.version.clone(),
            },
            packages: owned
                .values()
                .map(|(package, files)| record(rootfs, packages.ecosystem(), package, files.clone(), depends(package)))
                .collect(),
        }
    }

    /// The section: JSON, compressed with zstd.
    ///
    /// # Errors
    /// [`InventoryError::Section`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, InventoryError> {
        Ok(section::encode(self)?)
    }

    /// The inventory in the bytes of a section, whose digest was checked.
    ///
    /// # Errors
    /// [`InventoryError::Section`], [`InventoryError::Dependency`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InventoryError> {
        let inventory: Self = section::decode(bytes, MAX_UNPACKED)?;
        let count = inventory.packages.len();
        let mut depends = inventory.packages.iter().flat_map(|package| &package.depends);
        match depends.find(|place| **place >= count) {
            Some(place) => Err(InventoryError::Dependency { place: *place }),
            None => Ok(inventory),
        }
    }

    /// What the bundle in `reader` carries; none where it carries none. `manifest` is its manifest, whose signature was checked.
    ///
    /// # Errors
    /// [`InventoryError`], where it is not what was signed.
    pub fn read(reader: &impl ReadAt, manifest: &Manifest) -> Result<Option<Self>, InventoryError> {
        match &manifest.packages {
            Some(record) => Self::parse(&record.read(reader)?).map(Some),
            None => Ok(None),
        }
    }
}

fn key(package: &Package) -> (&str, &str, &str) {
    (&package.name, &package.architecture, &package.version)
}

fn record(
    rootfs: &Rootfs,
    ecosystem: Ecosystem,
    package: &Package,
    files: Vec<String>,
    depends: Vec<usize>,
) -> PackageRecord {
    let source = &package.source;
    PackageRecord {
        ecosystem: ecosystem.name().to_owned(),
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        source: (source.name != package.name).then(|| source.name.clone()),
        source_version: source.version.clone().filter(|version| *version != package.version),
        licence: match &package.licence {
            Some(words) => licence::of_words(words),
            None => copyright(rootfs, package),
        },
        maintainer: package.maintainer.clone(),
        homepage: package.homepage.clone(),
        depends,
        files,
    }
}

/// The licence in Debian's copyright file; none where that is missing, or meant for people only.
fn copyright(rootfs: &Rootfs, package: &Package) -> Option<String> {
    let path = RootPath::new(format!("/usr/share/doc/{}/copyright", package.name));
    let contents = rootfs.read_file(&path, MAX_COPYRIGHT).ok()?;
    licence::of_copyright(&String::from_utf8_lossy(&contents))
}

/// A path as text, without loss: in the words of [`PackageRecord::files`].
pub fn path_text(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text
}

/// The path in the words of [`path_text`]; what is no percent-encoding stays as it is.
pub fn from_path_text(text: &str) -> Vec<u8> {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                path.push(byte);
                rest = &behind[2..];
            }
            None => {
                path.push(*first);
                rest = behind;
            }
        }
    }
    path
}

#[cfg(test)]
mod tests;
