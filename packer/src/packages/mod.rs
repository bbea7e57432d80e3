//! What the root file system's package database knows: which package a file is of, and what that package depends on.
//!
//! The database is read through [`Rootfs`], as any file of the tree, and never through a tool of this machine: dpkg of Debian and its
//! kin, apk of Alpine, rpm of Fedora and SUSE. What it says is a claim of the tree: it is used to bring files in and to name them, never
//! to trust one.

mod apk;
pub(crate) mod deb822;
mod dependencies;
mod dpkg;
mod error;
mod listing;
mod os_release;
mod owners;
mod package;
mod rpm;

use std::collections::{HashMap, VecDeque};
use std::sync::OnceLock;

use crate::rootfs::{RootPath, Rootfs};
use owners::{Aliases, Owners};

pub use dependencies::Dependency;
pub use error::PackagesError;
pub use os_release::Distribution;
pub use package::{Ecosystem, Package, Source};

/// The largest file of a database that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// The installed packages of a root file system.
#[derive(Debug)]
pub struct Packages {
    ecosystem: Ecosystem,
    distribution: Distribution,
    packages: Vec<Package>,
    /// Packages by their names, in the order of the database.
    names: HashMap<String, Vec<usize>>,
    /// Packages by the names that they provide.
    provided: HashMap<String, Vec<usize>>,
    aliases: Aliases,
    diversions: Vec<Diversion>,
    /// Made when the first owner is asked for.
    owners: OnceLock<Owners>,
}

/// A file that all packages but one have under another name: `dpkg-divert(1)`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Diversion {
    /// Where the package lists it.
    from: RootPath,
    /// Where it is.
    to: RootPath,
    /// The package whose file stays; none for a diversion of the administrator's.
    by: Option<String>,
}

/// What a database holds.
#[derive(Debug)]
struct Database {
    ecosystem: Ecosystem,
    packages: Vec<Package>,
    diversions: Vec<Diversion>,
}

impl Packages {
    /// Reads the database; none where the root file system has none, or one without packages.
    ///
    /// # Errors
    /// [`PackagesError`], where there is one that cannot be read.
    pub fn read(rootfs: &Rootfs) -> Result<Option<Self>, PackagesError> {
        for read in [dpkg::read, apk::read, rpm::read] {
            match read(rootfs)? {
                Some(database) if !database.packages.is_empty() => return Self::new(rootfs, database).map(Some),
                _ => {}
            }
        }
        Ok(None)
    }

    fn new(rootfs: &Rootfs, database: Database) -> Result<Self, PackagesError> {
        let mut packages = database.packages;
        let mut names: HashMap<String, Vec<usize>> = HashMap::with_capacity(packages.len());
        let mut provided: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, package) in packages.iter_mut().enumerate() {
            package.index = index;
            names.entry(package.name.clone()).or_default().push(index);
            for name in &package.provides {
                provided.entry(name.clone()).or_default().push(index);
            }
        }
        Ok(Self {
            ecosystem: database.ecosystem,
            distribution: Distribution::read(rootfs)?,
            packages,
            names,
            provided,
            aliases: Aliases::read(rootfs)?,
            diversions: database.diversions,
            owners: OnceLock::new(),
        })
    }

    /// The kind of packages.
    pub fn ecosystem(&self) -> Ecosystem {
        self.ecosystem
    }

    /// The distribution that the root file system says it is.
    pub fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// All installed packages, in the order of the database.
    pub fn iter(&self) -> std::slice::Iter<'_, Package> {
        self.packages.iter()
    }

    /// The package that the file, link or directory at `path` is of. `path` may go through the links of a merged `/usr` or not. Of a
    /// file in several packages it is the first of them; of a directory that several packages share it is none.
    pub fn owner(&self, path: &RootPath) -> Option<&Package> {
        let owners = self
            .owners
            .get_or_init(|| Owners::new(&self.packages, &self.aliases, &self.diversions));
        owners
            .find(&self.aliases.apply(path.as_bytes()))
            .and_then(|index| self.packages.get(index))
    }

    /// The package of this name, else the first that provides it.
    pub fn by_name(&self, name: &str) -> Option<&Package> {
        self.candidates(name).next()
    }

    /// What `package` needs to work: of each dependency the first alternative that is installed, each package once, itself never.
    pub fn dependencies(&self, package: &Package) -> Vec<&Package> {
        self.satisfied(package, &package.depends)
    }

    /// What `package` is meant to be installed with, found as [`Packages::dependencies`] are.
    pub fn recommendations(&self, package: &Package) -> Vec<&Package> {
        self.satisfied(package, &package.recommends)
    }

    /// The packages and all that they depend on, directly and through others: themselves first, then by distance.
    pub fn closure<'a>(&'a self, start: impl Iterator<Item = &'a Package>) -> Vec<&'a Package> {
        let mut seen = vec![false; self.packages.len()];
        let mut queue: VecDeque<&Package> = start.collect();
        let mut closure = Vec::new();
        while let Some(package) = queue.pop_front() {
            match seen.get_mut(package.index) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            closure.push(package);
            queue.extend(self.dependencies(package));
        }
        closure
    }

    fn satisfied(&self, package: &Package, dependencies: &[Dependency]) -> Vec<&Package> {
        let mut found: Vec<&Package> = Vec::new();
        for dependency in dependencies {
            let Some(other) = self.satisfier(package, dependency) else {
                continue;
            };
            if other.index != package.index && !found.iter().any(|known| known.index == other.index) {
                found.push(other);
            }
        }
        found
    }

    /// Of the first alternative that is installed, the package for the same architecture, if there is one.
    fn satisfier(&self, package: &Package, dependency: &Dependency) -> Option<&Package> {
        dependency.alternatives().iter().find_map(|name| {
            if name.starts_with('/') {
                return self.owner(&RootPath::new(name));
            }
            let is_kin = |other: &&Package| other.architecture == package.architecture;
            self.candidates(name).find(is_kin).or_else(|| self.by_name(name))
        })
    }

    /// The packages of this name, then those that provide it.
    fn candidates(&self, name: &str) -> impl Iterator<Item = &Package> {
        let named = self.names.get(name).into_iter().flatten();
        let providing = self.provided.get(name).into_iter().flatten();
        named.chain(providing).filter_map(|&index| self.packages.get(index))
    }
}

/// A file of a database; none where there is no such file.
fn read_optional(rootfs: &Rootfs, path: &RootPath) -> Result<Option<Vec<u8>>, PackagesError> {
    match rootfs.read_file(path, MAX_FILE) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(PackagesError::Rootfs(error)),
    }
}

#[cfg(test)]
mod tests;
