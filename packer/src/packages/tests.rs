//! Small databases of each kind, in the words that the real ones have.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A tree with a merged `/usr` and these files.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for directory in ["usr/bin", "usr/lib"] {
        fs::create_dir_all(root.path().join(directory)).expect("a directory");
    }
    symlink("usr/bin", root.path().join("bin")).expect("a link");
    symlink("usr/lib", root.path().join("lib")).expect("a link");
    for (path, contents) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, contents).expect("written");
    }
    root
}

fn open(tree: &TempDir) -> Rootfs {
    Rootfs::open(tree.path()).expect("a directory")
}

fn packages(tree: &TempDir) -> Packages {
    Packages::read(&open(tree))
        .expect("a right database")
        .expect("a database")
}

fn names(packages: &[&Package]) -> Vec<String> {
    packages.iter().map(|package| package.name.clone()).collect()
}

fn owner(packages: &Packages, path: &str) -> Option<String> {
    packages.owner(&RootPath::new(path)).map(|package| package.name.clone())
}

const STATUS: &str = "\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9+deb12u7
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Recommends: libidn2-0 (>= 2.0.5~)
Depends: libgcc-s1

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14+x)
Version: 12.2.0-14
Provides: libgcc1 (= 1:12.2.0-14)
Depends: gcc-12-base (= 12.2.0-14), libc6 (>= 2.35)

Package: gcc-12-base
Status: install ok installed
Architecture: all
Version: 12.2.0-14

Package: tool
Status: install ok unpacked
Architecture: all
Version: 1:0.1
Pre-Depends: libgcc1
Depends: absent (>= 1) | awk | gcc-12-base, not-installed
Conffiles:
 /etc/tool.conf 9e2b8aab4b1ba3b0a8e1c3d0f0b9a1c2
 /etc/old tool.conf 00000000000000000000000000000000 obsolete

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3.4.20200120-3.1
Provides: awk
Recommends: tool

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9+deb12u7
Depends: libgcc-s1

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
";

fn debian() -> TempDir {
    tree(&[
        ("var/lib/dpkg/status", STATUS),
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        (
            "var/lib/dpkg/diversions",
            "/usr/bin/awk\n/usr/bin/awk.other\ntool\n/bin/local\n/bin/local.moved\n:\n",
        ),
        (
            "var/lib/dpkg/info/libc6:amd64.list",
            "/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n/usr\n/usr/share/doc/libc6/copyright\n",
        ),
        (
            "var/lib/dpkg/info/libc6:i386.list",
            "/.\n/lib\n/lib/i386-linux-gnu\n/lib/i386-linux-gnu/libc.so.6\n/usr\n/usr/share/doc/libc6/copyright\n",
        ),
        (
            "var/lib/dpkg/info/tool.list",
            "/.\n/bin\n/bin/tool\n/bin/local\n/usr\n/usr/bin\n/usr/bin/awk\n/var/lib/tool\n/etc\n/etc/tool.conf\n",
        ),
        (
            "var/lib/dpkg/info/mawk.list",
            "/.\n/usr\n/usr/bin\n/usr/bin/awk\n/usr/bin/mawk\n",
        ),
        ("var/lib/dpkg/info/removed.list", "/etc\n/etc/removed.conf\n"),
    ])
}

#[test]
fn debian_packages() {
    let debian = debian();
    let packages = packages(&debian);
    assert_eq!(packages.ecosystem(), Ecosystem::Deb);
    assert_eq!(packages.distribution().version.as_deref(), Some("12"));
    assert_eq!(packages.iter().count(), 6);
    let tool = packages.by_name("tool").expect("installed");
    assert_eq!((tool.version.as_str(), tool.architecture.as_str()), ("1:0.1", "all"));
    assert_eq!(
        tool.conffiles,
        [RootPath::new("/etc/tool.conf"), RootPath::new("/etc/old tool.conf")]
    );
    let files: Vec<String> = tool.files().map(|path| path.to_string()).collect();
    assert_eq!(
        files,
        [
            "/bin/tool",
            "/bin/local",
            "/usr/bin/awk",
            "/var/lib/tool",
            "/etc/tool.conf"
        ]
    );
    let directories: Vec<String> = tool.directories().map(|path| path.to_string()).collect();
    assert_eq!(directories, ["/", "/bin", "/usr", "/usr/bin", "/etc"]);
    let source = |name: &str| packages.by_name(name).expect("installed").source.clone();
    assert_eq!(
        (source("libc6").name.as_str(), source("libc6").version),
        ("glibc", None)
    );
    let gcc = source("libgcc-s1");
    assert_eq!(
        (gcc.name.as_str(), gcc.version.as_deref()),
        ("gcc-12", Some("12.2.0-14+x"))
    );
    assert_eq!(source("tool").name, "tool");
    assert!(packages.by_name("removed").is_none());
}

#[test]
fn debian_owners() {
    let debian = debian();
    let packages = packages(&debian);
    for (path, expected) in [
        ("/usr/bin/tool", Some("tool")),
        ("/bin/tool", Some("tool")),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", Some("libc6")),
        ("/lib/x86_64-linux-gnu/libc.so.6", Some("libc6")),
        ("/usr/share/doc/libc6/copyright", Some("libc6")),
        ("/var/lib/tool", Some("tool")),
        ("/usr/bin", None),
        ("/", None),
        ("/etc/removed.conf", None),
        ("/etc/passwd", None),
        // The package that diverts keeps its name, all others give it up.
        ("/usr/bin/awk", Some("tool")),
        ("/usr/bin/awk.other", Some("mawk")),
        ("/bin/local", None),
        ("/usr/bin/local.moved", Some("tool")),
    ] {
        assert_eq!(owner(&packages, path).as_deref(), expected, "{path}");
    }
    let foreign = packages.owner(&RootPath::new("/usr/lib/i386-linux-gnu/libc.so.6"));
    assert_eq!(foreign.expect("owned").architecture, "i386");
}

#[test]
fn debian_dependencies() {
    let debian = debian();
    let packages = packages(&debian);
    for (name, expected) in [
        ("tool", vec!["libgcc-s1", "mawk"]),
        ("libgcc-s1", vec!["gcc-12-base", "libc6"]),
        ("libc6", vec!["libgcc-s1"]),
        ("mawk", vec![]),
    ] {
        let package = packages.by_name(name).expect("installed");
        assert_eq!(names(&packages.dependencies(package)), expected, "{name}");
    }
    // Of a package for several architectures the one that fits is meant.
    let gcc = packages.by_name("libgcc1").expect("provided");
    assert_eq!(packages.dependencies(gcc)[1].architecture, "amd64");
    let mawk = packages.by_name("awk").expect("provided");
    assert_eq!(names(&packages.recommendations(mawk)), ["tool"]);
    let tool = packages.by_name("tool").into_iter();
    assert_eq!(
        names(&packages.closure(tool)),
        ["tool", "libgcc-s1", "mawk", "gcc-12-base", "libc6"]
    );
}

#[test]
fn a_debian_database_without_dpkg() {
    let tree = tree(&[
        (
            "var/lib/dpkg/status.d/tzdata",
            "Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n",
        ),
        (
            "var/lib/dpkg/status.d/tzdata.md5sums",
            "cb9b6ea7e2b8b5f2ad2d2e2f7a0a0b0c  usr/share/zoneinfo/UTC\ncb9b6ea7e2b8b5f2ad2d2e2f7a0a0b0c  ./bin/tz\n",
        ),
        (
            "var/lib/dpkg/status.d/netbase",
            "Package: netbase\nVersion: 6.4\nArchitecture: all\n",
        ),
    ]);
    let packages = packages(&tree);
    assert_eq!(packages.iter().count(), 2);
    assert_eq!(owner(&packages, "/usr/share/zoneinfo/UTC").as_deref(), Some("tzdata"));
    assert_eq!(owner(&packages, "/usr/bin/tz").as_deref(), Some("tzdata"));
}

const INSTALLED: &str = "\
C:Q1c4XtGX7cfpFBdwpO3RDWEFGpjDk=
P:busybox
V:1.36.1-r29
A:x86_64
S:509600
I:962560
T:Size optimized toolbox of many common UNIX utilities
U:https://busybox.net/
L:GPL-2.0-only
o:busybox
m:Sören Tempel <soeren+alpine@soeren-tempel.net>
t:1718007013
c:1747f01fb96905f101a25609011589d28e01cbb8
D:so:libc.musl-x86_64.so.1
p:cmd:busybox=1.36.1-r29
r:busybox-initscripts
F:bin
R:busybox
a:0:0:755
Z:Q1+Vqb0UkI2RBCM1mY8HNXHyGpyDw=
F:etc
R:securetty
Z:Q1mB95Hq2NUTZ599RDiSsj9w5FrOU=
F:usr
F:usr/sbin
F:tmp
M:0:0:1777

C:Q1E8vFUtTTsJPW1xxHQXCBR4ud+DQ=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT AND BSD-2-Clause
o:musl
p:so:libc.musl-x86_64.so.1=1
F:
R:.hidden
F:lib
R:ld-musl-x86_64.so.1
R:libc.musl-x86_64.so.1

P:scripts
V:1
A:noarch
L:
D:/bin/busybox !uclibc cmd:busybox>1 absent
F:bin
R:script
";

#[test]
fn alpine_packages() {
    for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        let alpine = tree(&[(path, INSTALLED), ("etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n")]);
        let packages = packages(&alpine);
        assert_eq!(packages.ecosystem(), Ecosystem::Apk);
        assert_eq!(packages.iter().count(), 3);
        let busybox = packages.by_name("busybox").expect("installed");
        assert_eq!(busybox.version, "1.36.1-r29");
        assert_eq!(busybox.licence.as_deref(), Some("GPL-2.0-only"));
        assert_eq!(busybox.homepage.as_deref(), Some("https://busybox.net/"));
        assert_eq!(
            busybox.maintainer.as_deref(),
            Some("Sören Tempel <soeren+alpine@soeren-tempel.net>")
        );
        let files: Vec<String> = busybox.files().map(|path| path.to_string()).collect();
        assert_eq!(files, ["/bin/busybox", "/etc/securetty"]);
        for (path, expected) in [
            ("/bin/busybox", Some("busybox")),
            ("/usr/bin/busybox", Some("busybox")),
            ("/usr/lib/libc.musl-x86_64.so.1", Some("musl")),
            ("/.hidden", Some("musl")),
            ("/tmp", Some("busybox")),
            ("/bin/ls", None),
        ] {
            assert_eq!(owner(&packages, path).as_deref(), expected, "{path}");
        }
        assert_eq!(names(&packages.dependencies(busybox)), ["musl"]);
        let scripts = packages.by_name("scripts").expect("installed");
        assert_eq!(scripts.licence, None);
        assert_eq!(names(&packages.dependencies(scripts)), ["busybox"]);
        assert_eq!(
            names(&packages.closure([scripts].into_iter())),
            ["scripts", "busybox", "musl"]
        );
    }
}

#[test]
fn a_tree_without_a_database_has_none() {
    assert!(Packages::read(&open(&tree(&[]))).expect("readable").is_none());
    let empty = tree(&[("var/lib/dpkg/status", ""), ("lib/apk/db/installed", INSTALLED)]);
    assert_eq!(packages(&empty).ecosystem(), Ecosystem::Apk);
}

#[test]
fn damage_is_told_with_its_line() {
    for (path, contents, expected) in [
        (
            "var/lib/dpkg/status",
            "Package: a\nnonsense\n",
            "package database: /var/lib/dpkg/status: line 2: neither a field nor its continuation",
        ),
        (
            "usr/lib/apk/db/installed",
            "P:a\n\nnonsense\n",
            "package database: /lib/apk/db/installed: line 3: not a letter and a colon",
        ),
    ] {
        let tree = tree(&[(path, contents)]);
        let error = Packages::read(&open(&tree)).expect_err("damaged");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_database_that_links_out_of_the_tree_is_not_followed() {
    let outside = tree(&[("var/lib/dpkg/status", STATUS)]);
    let inside = tree(&[]);
    fs::create_dir_all(inside.path().join("var/lib")).expect("a directory");
    symlink(outside.path().join("var/lib/dpkg"), inside.path().join("var/lib/dpkg")).expect("a link");
    assert!(Packages::read(&open(&inside)).expect("readable").is_none());
}
