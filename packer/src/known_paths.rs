//! Which paths the root file system has, packed or not: the set in the bundle that tells what is missed from what never was,
//! [`bundle::path_set`].

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bundle::PathSetError;
use bundle::path_set::{Builder, Member, SALT_LENGTH};

use crate::rootfs::{Kind, Met, RootPath, Rootfs};

/// Most paths of a set: 2.7 MB. A distribution with everything has half of them.
const MAX_PATHS: usize = 1_000_000;

/// Where the runtime, or the caller, puts something of its own: nothing that the tree has there could be seen.
const COVERED: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

/// In a running system these are people's, not the system's, and change from one minute to the next.
const LIVELY: [&str; 9] = [
    "/home",
    "/lost+found",
    "/media",
    "/mnt",
    "/root",
    "/var/crash",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];

/// Directories that may be file systems of their own and part of the system all the same. No other mount is entered: it may be a
/// server far away, or the same system once more.
const OWN_FILE_SYSTEMS: [&str; 8] = [
    "/boot",
    "/etc",
    "/opt",
    "/srv",
    "/usr",
    "/usr/local",
    "/var",
    "/var/lib",
];

/// Directories of the system, which come before others where there is not room for all.
const SYSTEM: [&[u8]; 8] = [b"bin", b"etc", b"lib", b"opt", b"sbin", b"srv", b"usr", b"var"];

/// The set, ready for the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPaths {
    /// The bundle's section.
    pub section: Vec<u8>,
    /// Directories in which there are so many paths that the set has none of them.
    pub left_out: Vec<RootPath>,
}

impl KnownPaths {
    /// Walks the root file system, but for what the runtime covers, other file systems, and of a running system what is people's.
    /// `output` is the bundle, which is no part of the tree even if it lies there. The same tree and salt give the same set.
    ///
    /// # Errors
    /// [`PathSetError::TooLong`].
    pub fn collect(rootfs: &Rootfs, salt: [u8; SALT_LENGTH], output: &Path) -> Result<Self, PathSetError> {
        Walk {
            rootfs,
            builder: Builder::new(salt),
            left: left(rootfs),
            output: place_in(rootfs, output),
        }
        .run(MAX_PATHS)
    }
}

struct Walk<'a> {
    rootfs: &'a Rootfs,
    builder: Builder,
    left: Vec<RootPath>,
    output: Option<RootPath>,
}

impl Walk<'_> {
    fn run(mut self, most: usize) -> Result<KnownPaths, PathSetError> {
        // A root that may be passed through and not read has a set of nothing.
        let entries = self.rootfs.read_dir(&RootPath::root()).unwrap_or_default();
        let mut tops: Vec<RootPath> = entries
            .into_iter()
            .map(|entry| RootPath::root().join(entry.name))
            .filter(|top| self.is_wanted(top))
            .collect();
        tops.sort_by_key(|top| !SYSTEM.iter().any(|name| top.file_name().starts_with(name)));
        let mut left_out = Vec::new();
        for top in tops {
            let before = self.builder.count();
            if self.add_tree(&top, most).is_break() {
                self.builder.truncate(before);
                left_out.push(top);
            }
        }
        Ok(KnownPaths {
            section: self.builder.finish()?,
            left_out,
        })
    }

    fn add_tree(&mut self, top: &RootPath, most: usize) -> ControlFlow<()> {
        let Ok(metadata) = self.rootfs.lstat(top) else {
            return ControlFlow::Continue(());
        };
        self.add(top, metadata.kind, most)?;
        if metadata.kind != Kind::Directory {
            return ControlFlow::Continue(());
        }
        let rootfs = self.rootfs;
        let own = |directory: &RootPath| OWN_FILE_SYSTEMS.iter().any(|known| is(directory, known));
        rootfs.visit(top, own, |Met { path, kind }| match self.is_wanted(path) {
            true => self.add(path, kind, most),
            false => ControlFlow::Continue(()),
        })
    }

    /// Adds one path; breaks where that is one too many.
    fn add(&mut self, path: &RootPath, kind: Kind, most: usize) -> ControlFlow<()> {
        self.builder.insert(Member::Path(path.as_bytes()));
        if kind == Kind::Symlink && self.rootfs.leads_somewhere(path) {
            self.builder.insert(Member::Link(path.as_bytes()));
        }
        match self.builder.count() > most {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn is_wanted(&self, path: &RootPath) -> bool {
        self.output.as_ref() != Some(path) && !self.left.iter().any(|left| path != left && path.is_within(left))
    }
}

/// The directories whose contents are left out.
fn left(rootfs: &Rootfs) -> Vec<RootPath> {
    let lively = match is_running_system(rootfs) {
        true => &LIVELY[..],
        false => &[],
    };
    COVERED.iter().chain(lively).map(RootPath::new).collect()
}

fn is_running_system(rootfs: &Rootfs) -> bool {
    let root = rootfs.lstat(&RootPath::root()).map(|metadata| metadata.identity).ok();
    fs::metadata("/").is_ok_and(|own| root == Some((own.dev(), own.ino())))
}

/// Where a file of this machine is in the root file system, if it is there.
fn place_in(rootfs: &Rootfs, file: &Path) -> Option<RootPath> {
    let root = fs::canonicalize(rootfs.path()).ok()?;
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::canonicalize(parent).ok()?,
        _ => fs::canonicalize(".").ok()?,
    };
    let inside = directory.strip_prefix(root).ok()?.join(file.file_name()?);
    Some(RootPath::new(inside.as_os_str().as_bytes()))
}

fn is(path: &RootPath, known: &str) -> bool {
    path.as_bytes() == known.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::PathSet;
    use bundle::manifest::SectionRecord;
    use sha2::{Digest, Sha256};
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for directory in ["usr/lib", "proc/1", "home/ada", "opt/many", "srv"] {
            fs::create_dir_all(tree.path().join(directory)).unwrap();
        }
        for file in [
            "usr/lib/x",
            "proc/1/maps",
            "home/ada/y",
            "opt/many/1",
            "opt/many/2",
            "opt/many/3",
        ] {
            fs::write(tree.path().join(file), "").unwrap();
        }
        fs::write(tree.path().join(std::ffi::OsStr::from_bytes(b"srv/\xff")), "").unwrap();
        symlink("usr/lib", tree.path().join("lib")).unwrap();
        symlink("/nowhere", tree.path().join("usr/dangling")).unwrap();
        symlink("/usr/lib/x", tree.path().join("usr/absolute")).unwrap();
        tree
    }

    fn set(known: &KnownPaths) -> PathSet {
        let record = SectionRecord {
            offset: 0,
            length: known.section.len() as u64,
            sha256: Sha256::digest(&known.section)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        };
        PathSet::read(&known.section, &record).unwrap()
    }

    fn collected(tree: &Path, output: &Path) -> KnownPaths {
        KnownPaths::collect(&Rootfs::open(tree).unwrap(), [1; SALT_LENGTH], output).unwrap()
    }

    #[test]
    fn every_path_but_what_is_covered() {
        let tree = tree();
        let known = collected(tree.path(), Path::new("/elsewhere/x.run"));
        assert_eq!(known.left_out, []);
        let set = set(&known);
        for (member, expected) in [
            (Member::Path(b"/usr/lib/x"), true),
            (Member::Path(b"/lib"), true),
            (Member::Link(b"/lib"), true),
            (Member::Path(b"/lib/x"), false),
            (Member::Path(b"/usr/dangling"), true),
            (Member::Link(b"/usr/dangling"), false),
            (Member::Link(b"/usr/absolute"), true),
            (Member::Path(b"/srv/\xff"), true),
            (Member::Path(b"/home/ada/y"), true),
            (Member::Path(b"/proc"), true),
            (Member::Path(b"/proc/1"), false),
            (Member::Path(b"/"), false),
        ] {
            assert_eq!(set.contains(member), expected, "{member:?}");
        }
        // 17 paths and 2 links that lead somewhere.
        assert_eq!(set.count(), 19);
    }

    #[test]
    fn the_bundle_itself_changes_nothing() {
        let tree = tree();
        let output = tree.path().join("usr/x.run");
        let before = collected(tree.path(), &output);
        fs::write(&output, "a bundle").unwrap();
        assert_eq!(collected(tree.path(), &output), before);
        assert_ne!(collected(tree.path(), Path::new("/x.run")), before);
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_as_a_whole() {
        let tree = tree();
        let rootfs = Rootfs::open(tree.path()).unwrap();
        let walk = |most| {
            let walk = Walk {
                rootfs: &rootfs,
                builder: Builder::new([1; SALT_LENGTH]),
                left: left(&rootfs),
                output: None,
            };
            walk.run(most).unwrap()
        };
        // Of the system: /lib and its link, /opt with 4, /srv with 1, /usr with 4 and a link that leads somewhere.
        let known = walk(4);
        assert_eq!(known.left_out, ["/opt", "/usr", "/home", "/proc"].map(RootPath::new));
        let set = set(&known);
        assert!(set.contains(Member::Path(b"/lib")) && set.contains(Member::Path(b"/srv/\xff")));
        assert!(!set.contains(Member::Path(b"/opt")));
        assert_eq!(walk(19).left_out, []);
        assert_eq!(walk(18).left_out, [RootPath::new("/proc")]);
    }
}
