//! dpkg's database: Debian, Ubuntu, and their images without dpkg ("distroless"). Described in dpkg's deb-control(5), dpkg-divert(1) and
//! `doc/` of its source.

use std::collections::HashSet;

use super::deb822::Stanza;
use super::dependencies::{debian, debian_provides};
use super::listing::Listing;
use super::package::{Ecosystem, Package, Source};
use super::{Database, Diversion, PackagesError, read_optional};
use crate::rootfs::{RootPath, Rootfs};

const STATUS: &str = "/var/lib/dpkg/status";

/// One control file a package, and beside it `.md5sums`.
const STATUS_DIRECTORY: &str = "/var/lib/dpkg/status.d";

/// Lists of files, `NAME.list` or, of a package that several architectures may have at once, `NAME:ARCH.list`.
const INFO: &str = "/var/lib/dpkg/info";

const DIVERSIONS: &str = "/var/lib/dpkg/diversions";

/// Reads it; none where there is none.
pub(super) fn read(rootfs: &Rootfs) -> Result<Option<Database>, PackagesError> {
    let status = RootPath::new(STATUS);
    let main = read_optional(rootfs, &status)?;
    let names = names(rootfs, STATUS_DIRECTORY)?;
    if main.is_none() && names.is_empty() {
        return Ok(None);
    }
    let mut packages = match main {
        Some(contents) => read_status(rootfs, &status, &contents)?,
        None => Vec::new(),
    };
    for name in names.iter().filter(|name| !name.ends_with(b".md5sums")) {
        packages.extend(read_single(rootfs, &RootPath::new(STATUS_DIRECTORY).join(name), name)?);
    }
    Ok(Some(Database {
        ecosystem: Ecosystem::Deb,
        packages,
        diversions: read_diversions(rootfs)?,
    }))
}

/// The installed packages of `status`, with their files.
fn read_status(rootfs: &Rootfs, path: &RootPath, contents: &[u8]) -> Result<Vec<Package>, PackagesError> {
    let mut packages = parse(path, contents)?;
    let info = RootPath::new(INFO);
    let lists: HashSet<Vec<u8>> = names(rootfs, INFO)?.into_iter().collect();
    for package in &mut packages {
        let (name, architecture) = (&package.name, &package.architecture);
        for list in [format!("{name}:{architecture}.list"), format!("{name}.list")] {
            if lists.contains(list.as_bytes()) {
                let lines = read_optional(rootfs, &info.join(&list))?.unwrap_or_default();
                package.listing = Listing::of_lines(lines);
                break;
            }
        }
    }
    Ok(packages)
}

/// The package of a file in `status.d`; its files are those that it has digests of.
fn read_single(rootfs: &Rootfs, path: &RootPath, name: &[u8]) -> Result<Vec<Package>, PackagesError> {
    let contents = read_optional(rootfs, path)?.unwrap_or_default();
    let mut packages = parse(path, &contents)?;
    let digests = RootPath::new(STATUS_DIRECTORY).join([name, b".md5sums"].concat());
    if let (Some(package), Some(digests)) = (packages.first_mut(), read_optional(rootfs, &digests)?) {
        package.listing = digest_listing(&digests);
    }
    Ok(packages)
}

/// Lines as md5sum(1) prints them, with paths relative to the root.
fn digest_listing(digests: &[u8]) -> Listing {
    let mut listing = Listing::default();
    for line in digests.split(|&byte| byte == b'\n') {
        let path = line.get(32..).map(<[u8]>::trim_ascii_start).unwrap_or_default();
        let path = [&b"*"[..], b"./", b"/"]
            .iter()
            .fold(path, |path, prefix| path.strip_prefix(*prefix).unwrap_or(path));
        if !path.is_empty() {
            listing.push(&[b"/", path], false);
        }
    }
    listing
}

/// The installed packages among the stanzas of a file.
fn parse(path: &RootPath, contents: &[u8]) -> Result<Vec<Package>, PackagesError> {
    let text = String::from_utf8_lossy(contents);
    let stanzas = Stanza::parse_all(&text).map_err(|fault| PackagesError::Line {
        path: path.clone(),
        line: fault.line,
        fault: "neither a field nor its continuation",
    })?;
    Ok(stanzas
        .iter()
        .filter(|stanza| is_installed(stanza))
        .filter_map(package)
        .collect())
}

/// Whether the package's files are there: of a package that was removed its stanza may stay. Files of `status.d` do not say: they are.
fn is_installed(stanza: &Stanza<'_>) -> bool {
    let state = stanza
        .get("Status")
        .and_then(|status| status.split_ascii_whitespace().nth(2));
    !matches!(state, Some("not-installed" | "config-files"))
}

fn package(stanza: &Stanza<'_>) -> Option<Package> {
    let field = |name: &str| stanza.get(name).map(str::to_owned);
    let mut package = Package::new(
        field("Package")?,
        field("Version").unwrap_or_default(),
        field("Architecture").unwrap_or_default(),
    );
    if let Some(source) = stanza.get("Source") {
        package.source = source_of(source);
    }
    package.maintainer = field("Maintainer");
    package.homepage = field("Homepage");
    for name in ["Pre-Depends", "Depends"] {
        package.depends.extend(stanza.get(name).into_iter().flat_map(debian));
    }
    package.recommends = stanza.get("Recommends").into_iter().flat_map(debian).collect();
    package.provides = stanza.get("Provides").into_iter().flat_map(debian_provides).collect();
    let conffiles = stanza.get("Conffiles").unwrap_or_default().lines();
    package.conffiles = conffiles.filter_map(conffile).collect();
    Some(package)
}

/// `name` or `name (version)`.
fn source_of(field: &str) -> Source {
    let (name, version) = field.split_once('(').unwrap_or((field, ""));
    let version = version.trim_end().trim_end_matches(')').trim();
    Source {
        name: name.trim().to_owned(),
        version: (!version.is_empty()).then(|| version.to_owned()),
    }
}

/// ` /path digest`, and behind that perhaps `obsolete`.
fn conffile(line: &str) -> Option<RootPath> {
    let line = line.trim();
    let line = line.strip_suffix(" remove-on-upgrade").unwrap_or(line);
    let line = line.strip_suffix(" obsolete").unwrap_or(line);
    let (path, _digest) = line.rsplit_once(' ')?;
    path.starts_with('/').then(|| RootPath::new(path))
}

/// Three lines each: from, to, and the package or `:`.
fn read_diversions(rootfs: &Rootfs) -> Result<Vec<Diversion>, PackagesError> {
    let contents = read_optional(rootfs, &RootPath::new(DIVERSIONS))?.unwrap_or_default();
    let lines: Vec<&[u8]> = contents.split(|&byte| byte == b'\n').collect();
    let diversions = lines.chunks_exact(3).map(|lines| Diversion {
        from: RootPath::new(lines[0]),
        to: RootPath::new(lines[1]),
        by: (lines[2] != b":").then(|| String::from_utf8_lossy(lines[2]).into_owned()),
    });
    Ok(diversions.collect())
}

/// The names in a directory; none where there is no such directory.
fn names(rootfs: &Rootfs, directory: &str) -> Result<Vec<Vec<u8>>, PackagesError> {
    match rootfs.read_dir(&RootPath::new(directory)) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
