//! rpm's database: Fedora, RHEL, openSUSE and their kin. It holds the header of each package, in SQLite or in a format of its own; the
//! Berkeley DB of systems before 2020 is not read.

mod header;
mod ndb;
mod sqlite;

use super::dependencies::rpm_requirement;
use super::listing::Listing;
use super::package::{Ecosystem, Package, Source};
use super::{Database, PackagesError, read_optional};
use crate::rootfs::{RootPath, Rootfs};
use header::{Header, Tag};

/// Where the database is: the first is often a link to the second, which images that are updated as a whole have alone.
const DIRECTORIES: [&str; 2] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];

/// `S_IFMT` and `S_IFDIR`.
const FORMAT: u16 = 0o170_000;
const DIRECTORY: u16 = 0o040_000;

/// `RPMFILE_CONFIG`.
const CONFIG: u32 = 1;

/// Of `RPMFILE_STATE_*`: there, as installed, and there for another architecture's sake.
const NORMAL: u8 = 0;

/// Reads it; none where there is none.
pub(super) fn read(rootfs: &Rootfs) -> Result<Option<Database>, PackagesError> {
    for directory in DIRECTORIES.map(RootPath::new) {
        let mut packages = Vec::new();
        let mut take = |bytes: &[u8]| packages.extend(Header::parse(bytes).and_then(|header| package(&header)));
        let sqlite = directory.join("rpmdb.sqlite");
        if exists(rootfs, &sqlite)? {
            sqlite::read(rootfs, &sqlite, &mut take)?;
            return Ok(Some(database(packages)));
        }
        let ndb = directory.join("Packages.db");
        if let Some(file) = read_optional(rootfs, &ndb)? {
            let headers = ndb::headers(&file).ok_or(PackagesError::Format { path: ndb })?;
            headers.into_iter().for_each(take);
            return Ok(Some(database(packages)));
        }
        let berkeley = directory.join("Packages");
        if exists(rootfs, &berkeley)? {
            return Err(PackagesError::BerkeleyDb { path: berkeley });
        }
    }
    Ok(None)
}

fn database(packages: Vec<Package>) -> Database {
    Database {
        ecosystem: Ecosystem::Rpm,
        packages,
        diversions: Vec::new(),
    }
}

fn exists(rootfs: &Rootfs, path: &RootPath) -> Result<bool, PackagesError> {
    match rootfs.lstat(path) {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The package of a header; none for the keys that the database keeps among its packages.
fn package(header: &Header<'_>) -> Option<Package> {
    let name = header.text(Tag::NAME).filter(|name| name != "gpg-pubkey")?;
    let release = header.text(Tag::RELEASE).map(|release| format!("-{release}"));
    let epoch = header.numbers(Tag::EPOCH).next().map(|epoch| format!("{epoch}:"));
    let version = [epoch, header.text(Tag::VERSION), release];
    let version: String = version.into_iter().flatten().collect();
    let mut package = Package::new(name, version, header.text(Tag::ARCHITECTURE).unwrap_or_default());
    if let Some(source) = header.text(Tag::SOURCE_RPM).as_deref().and_then(source) {
        package.source = source;
    }
    package.licence = header.text(Tag::LICENCE);
    package.maintainer = header.text(Tag::PACKAGER).or_else(|| header.text(Tag::VENDOR));
    package.homepage = header.text(Tag::URL);
    let words = |tag: Tag| header.texts(tag).map(String::from_utf8_lossy);
    package.depends = words(Tag::REQUIRES).filter_map(|word| rpm_requirement(&word)).collect();
    package.recommends = words(Tag::RECOMMENDS)
        .filter_map(|word| rpm_requirement(&word))
        .collect();
    package.provides = words(Tag::PROVIDES).map(|name| name.into_owned()).collect();
    // Every package provides its own name.
    package.provides.retain(|name| *name != package.name);
    package.provides.dedup();
    add_files(header, &mut package);
    Some(package)
}

fn add_files(header: &Header<'_>, package: &mut Package) {
    let directories: Vec<&[u8]> = header.texts(Tag::DIRECTORY_NAMES).collect();
    let states = header.bytes(Tag::FILE_STATES);
    let mut modes = header.shorts(Tag::FILE_MODES);
    let mut flags = header.numbers(Tag::FILE_FLAGS);
    let mut listing = Listing::default();
    let indexes = header.numbers(Tag::DIRECTORY_INDEXES);
    for (place, (name, index)) in header.texts(Tag::BASE_NAMES).zip(indexes).enumerate() {
        let is_directory = modes.next().is_some_and(|mode| mode & FORMAT == DIRECTORY);
        let is_config = flags.next().is_some_and(|flags| flags & CONFIG != 0);
        // Without states, as in a package that is not installed, all are there.
        let is_there = states.get(place).is_none_or(|state| *state == NORMAL);
        let directory = usize::try_from(index).ok().and_then(|index| directories.get(index));
        let Some(directory) = directory.filter(|directory| is_there && directory.starts_with(b"/")) else {
            continue;
        };
        listing.push(&[directory, name], is_directory);
        if is_config && !is_directory {
            package.conffiles.push(RootPath::new([directory, name].concat()));
        }
    }
    package.listing = listing;
}

/// `bash-5.2.26-3.fc40.src.rpm`.
fn source(file: &str) -> Option<Source> {
    let stem = file
        .strip_suffix(".src.rpm")
        .or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(Source {
        name: name.to_owned(),
        version: Some(format!("{version}-{release}")),
    })
}

#[cfg(test)]
mod tests;
