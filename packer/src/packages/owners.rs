//! From a path to its package.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::package::Package;
use super::{Diversion, PackagesError};
use crate::rootfs::{Kind, RootPath, Rootfs};

/// Directories that are links into `/usr` where that is merged.
const MERGED: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"];

/// Where the links of a merged `/usr` lead. Databases know files by either name; both are brought to the one without links.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases(Vec<(Vec<u8>, Vec<u8>)>);

impl Aliases {
    /// The links at the top of the tree, and of `/usr/sbin` where that is merged, too.
    pub(super) fn read(rootfs: &Rootfs) -> Result<Self, PackagesError> {
        let root = RootPath::root();
        let mut aliases = Vec::new();
        let candidates = MERGED.iter().map(|name| root.join(name));
        for link in candidates.chain([RootPath::new("/usr/sbin"), RootPath::new("/usr/lib64")]) {
            let kind = match rootfs.lstat(&link) {
                Ok(metadata) => metadata.kind,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            if kind == Kind::Symlink {
                let target = rootfs.read_link(&link)?;
                let base = link.parent().unwrap_or_else(RootPath::root);
                let target = match target.starts_with(b"/") {
                    true => RootPath::new(&target),
                    false => RootPath::new([base.as_bytes(), b"/", &target].concat()),
                };
                aliases.push((link.as_bytes().to_vec(), target.as_bytes().to_vec()));
            }
        }
        Ok(Self(aliases))
    }

    /// The path without those links on its way. The link itself keeps its name.
    pub(super) fn apply<'a>(&self, path: &'a [u8]) -> Cow<'a, [u8]> {
        let mut path = Cow::Borrowed(path);
        // `/sbin` may lead to `/usr/sbin`, and that to `/usr/bin`: each link is taken once.
        for (link, target) in &self.0 {
            match path.strip_prefix(link.as_slice()) {
                Some(rest) if rest.starts_with(b"/") => path = Cow::Owned([target, rest].concat()),
                _ => {}
            }
        }
        path
    }
}

/// The package of each path.
#[derive(Debug)]
pub(super) struct Owners(HashMap<Box<[u8]>, Owner>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The one package that has it, or the first of those that have the same file.
    Package(usize),
    /// A directory of several.
    Shared,
}

impl Owners {
    pub(super) fn new(packages: &[Package], aliases: &Aliases, diversions: &[Diversion]) -> Self {
        let count = packages.iter().map(|package| package.listing.len()).sum();
        let mut owners: HashMap<Box<[u8]>, Owner> = HashMap::with_capacity(count);
        let diversions: HashMap<&[u8], &Diversion> = diversions
            .iter()
            .map(|diversion| (diversion.from.as_bytes(), diversion))
            .collect();
        for (index, package) in packages.iter().enumerate() {
            for (path, is_directory) in package.listing.iter() {
                let path = match diversions.get(path) {
                    Some(diversion) if diversion.by.as_ref() != Some(&package.name) => diversion.to.as_bytes(),
                    _ if path == b"/." => b"/",
                    _ => path,
                };
                match owners.entry(aliases.apply(path).into()) {
                    Entry::Vacant(place) => {
                        place.insert(Owner::Package(index));
                    }
                    Entry::Occupied(mut place) => {
                        let is_kin =
                            |&other: &usize| packages.get(other).is_some_and(|other| other.name == package.name);
                        let same_file = matches!(place.get(), Owner::Package(other) if !is_directory || is_kin(other));
                        if !same_file {
                            place.insert(Owner::Shared);
                        }
                    }
                }
            }
        }
        Self(owners)
    }

    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        match self.0.get(path) {
            Some(Owner::Package(index)) => Some(*index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(pairs: &[(&str, &str)]) -> Aliases {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Aliases(pairs.iter().map(|(from, to)| (bytes(from), bytes(to))).collect())
    }

    #[test]
    fn links_of_a_merged_usr_are_followed() {
        let merged = aliases(&[
            ("/bin", "/usr/bin"),
            ("/sbin", "/usr/sbin"),
            ("/lib", "/usr/lib"),
            ("/usr/sbin", "/usr/bin"),
        ]);
        for (path, expected) in [
            ("/bin/ls", "/usr/bin/ls"),
            ("/usr/bin/ls", "/usr/bin/ls"),
            ("/bin", "/bin"),
            ("/binary/x", "/binary/x"),
            ("/sbin/fsck", "/usr/bin/fsck"),
            ("/lib/x/bin/y", "/usr/lib/x/bin/y"),
            ("/", "/"),
        ] {
            assert_eq!(merged.apply(path.as_bytes()).as_ref(), expected.as_bytes(), "{path}");
        }
    }
}
