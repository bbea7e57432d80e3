//! apk's database: Alpine and its kin. One file with a record a package, described in apk-installed-db's section of the format of
//! <https://wiki.alpinelinux.org/wiki/Apk_spec>.

use super::dependencies::{Dependency, apk_names};
use super::listing::Listing;
use super::package::{Ecosystem, Package};
use super::{Database, PackagesError, read_optional};
use crate::rootfs::{RootPath, Rootfs};

/// apk-tools 2, and 3 on a merged `/usr`.
const INSTALLED: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

/// Reads it; none where there is none.
pub(super) fn read(rootfs: &Rootfs) -> Result<Option<Database>, PackagesError> {
    for path in INSTALLED {
        let path = RootPath::new(path);
        if let Some(contents) = read_optional(rootfs, &path)? {
            return Ok(Some(Database {
                ecosystem: Ecosystem::Apk,
                packages: parse(&path, &contents)?,
                diversions: Vec::new(),
            }));
        }
    }
    Ok(None)
}

/// Records are separated by empty lines; a line is a letter, a colon and a value.
fn parse(path: &RootPath, contents: &[u8]) -> Result<Vec<Package>, PackagesError> {
    let mut packages = Vec::new();
    let mut record = Record::default();
    for (number, line) in contents.split(|&byte| byte == b'\n').enumerate() {
        match line {
            [] => packages.extend(std::mem::take(&mut record).package()),
            [letter, b':', value @ ..] => record.add(*letter, value),
            _ => {
                return Err(PackagesError::Line {
                    path: path.clone(),
                    line: number + 1,
                    fault: "not a letter and a colon",
                });
            }
        }
    }
    packages.extend(record.package());
    Ok(packages)
}

/// The fields of a package, as they come.
#[derive(Debug, Default)]
struct Record {
    name: Option<String>,
    version: String,
    architecture: String,
    licence: Option<String>,
    origin: Option<String>,
    maintainer: Option<String>,
    homepage: Option<String>,
    depends: Vec<Dependency>,
    provides: Vec<String>,
    listing: Listing,
    /// That of the `F:` line before: relative, without a slash at its end.
    directory: Vec<u8>,
}

impl Record {
    fn add(&mut self, letter: u8, value: &[u8]) {
        let text = || String::from_utf8_lossy(value).into_owned();
        match letter {
            b'P' => self.name = Some(text()),
            b'V' => self.version = text(),
            b'A' => self.architecture = text(),
            b'L' => self.licence = Some(text()),
            b'o' => self.origin = Some(text()),
            b'm' => self.maintainer = Some(text()),
            b'U' => self.homepage = Some(text()),
            b'D' => self.depends = apk_names(&text()).map(Dependency::on).collect(),
            b'p' => self.provides = apk_names(&text()).collect(),
            b'F' => {
                self.directory = value.to_vec();
                if !value.is_empty() {
                    self.listing.push(&[b"/", value], true);
                }
            }
            b'R' if self.directory.is_empty() => self.listing.push(&[b"/", value], false),
            b'R' => self.listing.push(&[b"/", &self.directory, b"/", value], false),
            // Owners, modes and digests of those (M, a, Z), sizes, dates, triggers.
            _ => {}
        }
    }

    /// The package; none where the record has no name.
    fn package(self) -> Option<Package> {
        let mut package = Package::new(self.name?, self.version, self.architecture);
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(origin) = filled(self.origin) {
            package.source.name = origin;
        }
        package.source.version = Some(package.version.clone());
        package.licence = filled(self.licence);
        package.maintainer = filled(self.maintainer);
        package.homepage = filled(self.homepage);
        package.depends = self.depends;
        package.provides = self.provides;
        package.listing = self.listing;
        Some(package)
    }
}
