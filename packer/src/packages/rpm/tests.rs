use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::super::{Packages, PackagesError};
use super::*;

/// A tree with these files.
fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for (path, contents) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, contents).expect("written");
    }
    root
}

fn packages(tree: &TempDir) -> Result<Option<Packages>, PackagesError> {
    Packages::read(&Rootfs::open(tree.path()).expect("a directory"))
}

/// What rpm itself wrote.
fn database() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/packages/rpmdb.sqlite.zst");
    let mut contents = Vec::with_capacity(1 << 20);
    zstd_safe::decompress(&mut contents, &fs::read(path).expect("a fixture")).expect("zstd");
    contents
}

#[test]
fn packages_that_rpm_installed() {
    for directory in ["var/lib/rpm", "usr/lib/sysimage/rpm"] {
        let tree = tree(&[(&format!("{directory}/rpmdb.sqlite"), &database())]);
        let packages = packages(&tree).expect("right").expect("there");
        assert_eq!(packages.ecosystem(), Ecosystem::Rpm);
        assert_eq!(packages.iter().count(), 2);
        let alpha = packages.by_name("virtual-alpha").expect("installed");
        assert_eq!(alpha.to_string(), "alpha 2:1.2-3.fc40");
        assert_eq!(alpha.architecture, "noarch");
        assert_eq!(alpha.source.name, "alpha");
        assert_eq!(alpha.source.version.as_deref(), Some("1.2-3.fc40"));
        assert_eq!(alpha.licence.as_deref(), Some("GPLv2+ and MIT"));
        assert_eq!(alpha.maintainer.as_deref(), Some("Ada <ada@example.org>"));
        assert_eq!(alpha.homepage.as_deref(), Some("https://example.org/alpha"));
        assert_eq!(alpha.conffiles, [RootPath::new("/etc/alpha.conf")]);
        let files: Vec<String> = alpha.files().map(|path| path.to_string()).collect();
        assert_eq!(files, ["/etc/alpha.conf", "/usr/bin/alpha", "/usr/bin/alpha-link"]);
        let directories: Vec<String> = alpha.directories().map(|path| path.to_string()).collect();
        assert_eq!(directories, ["/usr/lib/alpha"]);
        let beta = packages.by_name("beta").expect("installed");
        assert_eq!(beta.version, "1-1");
        let depends: Vec<&str> = packages
            .dependencies(alpha)
            .iter()
            .map(|other| other.name.as_str())
            .collect();
        assert_eq!(depends, ["beta"]);
        let owner = packages.owner(&RootPath::new("/usr/lib/beta/run"));
        assert_eq!(owner.map(|package| package.name.as_str()), Some("beta"));
    }
}

/// One page after the other is destroyed: an error or fewer packages, never a panic.
#[test]
fn a_damaged_database_is_survived() {
    let whole = database();
    for page in 0..whole.len() / 4096 {
        let mut contents = whole.clone();
        for (place, byte) in contents[page * 4096..][..4096].iter_mut().enumerate() {
            *byte = u8::try_from(place % 251).expect("below 256");
        }
        let tree = tree(&[("var/lib/rpm/rpmdb.sqlite", &contents)]);
        match packages(&tree) {
            Ok(packages) => assert!(packages.is_none_or(|packages| packages.iter().count() <= 2)),
            Err(error) => assert!(matches!(error, PackagesError::Sqlite { .. }), "{error}"),
        }
    }
}

#[test]
fn what_is_not_read_is_said() {
    for (file, expected) in [
        (
            "Packages",
            "package database: /var/lib/rpm/Packages: in Berkeley DB, which polecat does not read",
        ),
        (
            "Packages.db",
            "package database: /var/lib/rpm/Packages.db: not a format of rpm's that polecat knows",
        ),
        (
            "rpmdb.sqlite",
            "package database: /var/lib/rpm/rpmdb.sqlite: file is not a database",
        ),
    ] {
        let tree = tree(&[(
            &format!("var/lib/rpm/{file}"),
            b"nonsense, and enough of it to be no empty file\n",
        )]);
        let error = packages(&tree).expect_err("not read");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some());
    }
}

/// rpm's own format of SUSE, made by hand around a header.
#[test]
fn packages_in_ndb() {
    let header = header::tests::header(&[(1000, "gamma"), (1001, "3"), (1002, "1"), (1022, "x86_64")]);
    let mut file = b"RpmP".to_vec();
    for number in [0u32, 0, 1, 2, 0, 0, 0] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(b"Slot");
    for number in [1u32, 256, 9] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.resize(4096, 0);
    file.extend_from_slice(b"BlbS");
    for number in [1u32, 0, u32::try_from(header.len()).expect("short")] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(&header);
    let tree = tree(&[("usr/lib/sysimage/rpm/Packages.db", &file)]);
    let packages = packages(&tree).expect("right").expect("there");
    assert_eq!(packages.by_name("gamma").expect("installed").version, "3-1");
}
