//! Packages, by name and architecture.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Changes;
use crate::inventory::Inventory;

/// A package that only one of the bundles has something of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PackageName {
    /// Its name.
    pub name: String,
    /// Its architecture, in the words of its distribution.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Its version.
    pub version: String,
}

/// A package of which the bundles have different versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// Its architecture, in the words of its distribution.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// In the first: versions, mostly one.
    pub a: String,
    /// In the second.
    pub b: String,
}

type Versions<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

/// Compares two lists; one that is not there is empty.
pub(super) fn compare(a: Option<&Inventory>, b: Option<&Inventory>) -> Changes<PackageName, PackageChange> {
    let (a, b) = (versions(a), versions(b));
    let keys: BTreeSet<_> = a.keys().chain(b.keys()).copied().collect();
    let mut changes = Changes::default();
    for key in keys {
        let (name, architecture) = (key.0.to_owned(), key.1.to_owned());
        let joined = |versions: &BTreeSet<&str>| versions.iter().copied().collect::<Vec<_>>().join(", ");
        let alone = |versions| PackageName {
            name: name.clone(),
            architecture: architecture.clone(),
            version: joined(versions),
        };
        match (a.get(&key), b.get(&key)) {
            (Some(old), Some(new)) if old != new => changes.changed.push(PackageChange {
                name,
                architecture,
                a: joined(old),
                b: joined(new),
            }),
            (Some(old), None) => changes.removed.push(alone(old)),
            (None, Some(new)) => changes.added.push(alone(new)),
            _ => {}
        }
    }
    changes
}

fn versions(inventory: Option<&Inventory>) -> Versions<'_> {
    let mut versions = Versions::new();
    for package in inventory.iter().flat_map(|inventory| &inventory.packages) {
        let key = (package.name.as_str(), package.architecture.as_str());
        versions.entry(key).or_default().insert(&package.version);
    }
    versions
}
