//! One installed package.

use std::fmt;

use super::dependencies::Dependency;
use super::listing::Listing;
use crate::rootfs::RootPath;

/// A kind of packages, each with its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ecosystem {
    /// dpkg: Debian and its kin.
    Deb,
    /// apk: Alpine.
    Apk,
    /// rpm: Fedora, RHEL, openSUSE.
    Rpm,
}

impl Ecosystem {
    /// The type of its package URLs: <https://github.com/package-url/purl-spec>.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An installed package, as its database has it.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name, without architecture.
    pub name: String,
    /// Its whole version: epoch, upstream's and the distribution's.
    pub version: String,
    /// Its architecture, in the distribution's words: `amd64`, `all`, `x86_64`, …
    pub architecture: String,
    /// The source package it was built from.
    pub source: Source,
    /// Its licence in the words of the database; none where the database does not say (dpkg's does not).
    pub licence: Option<String>,
    /// Who looks after it: name and address.
    pub maintainer: Option<String>,
    /// Its page in the web.
    pub homepage: Option<String>,
    /// What it needs to work.
    pub depends: Vec<Dependency>,
    /// What it is meant to be installed with.
    pub recommends: Vec<Dependency>,
    /// Other names that dependencies may mean it by, without versions.
    pub provides: Vec<String>,
    /// Its files that the administrator may have changed, where the database says which.
    pub conffiles: Vec<RootPath>,
    pub(super) listing: Listing,
    /// Its place in the database.
    pub(super) index: usize,
}

/// A source package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name; the package's own where the database does not name another.
    pub name: String,
    /// Its version, where the database tells it.
    pub version: Option<String>,
}

impl Package {
    /// A package of which nothing is known but this.
    pub(super) fn new(name: String, version: String, architecture: String) -> Self {
        Self {
            source: Source {
                name: name.clone(),
                version: None,
            },
            name,
            version,
            architecture,
            licence: None,
            maintainer: None,
            homepage: None,
            depends: Vec::new(),
            recommends: Vec::new(),
            provides: Vec::new(),
            conffiles: Vec::new(),
            listing: Listing::default(),
            index: 0,
        }
    }

    /// Its files and links as they are listed: on a merged `/usr` some of them through its links, a diverted one at the place that it was
    /// diverted from. dpkg does not say what is a directory: an empty one is among these.
    pub fn files(&self) -> impl Iterator<Item = RootPath> + '_ {
        self.listing.files().map(RootPath::new)
    }

    /// Its directories, as far as they are known to be; most of them are other packages' as well.
    pub fn directories(&self) -> impl Iterator<Item = RootPath> + '_ {
        self.listing.directories().map(RootPath::new)
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}
