//! What the packer's tests share: trees to pack, plans of whole trees, and outside judges.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use polecat::plan::{Entry, Node, Plan, Reason, ReasonKind};
use polecat::rootfs::RootPath;

/// Whether the test must be skipped since the machine lacks something; says so, or panics where `POLECAT_TEST_REQUIRE` has the word.
pub(crate) fn skip(word: &str, there: bool) -> bool {
    if there {
        return false;
    }
    let required = std::env::var("POLECAT_TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|entry| entry == word || entry == "all"),
        "this machine has no {word}, which POLECAT_TEST_REQUIRE says it has"
    );
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("test").to_owned();
    // Not through println!, which the harness hides of a test that passes.
    writeln!(std::io::stderr(), "SKIP: {name}: no {word}").expect("standard error");
    true
}

/// Skips without the program.
pub(crate) fn skip_without_tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    skip(&format!("tool:{name}"), there)
}

/// Skips unless root.
pub(crate) fn skip_without_root() -> bool {
    skip("root", is_root())
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs a program that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A plan that holds all of the tree at `root`.
pub(crate) fn plan_of(root: &Path) -> Plan {
    let mut entries = BTreeMap::new();
    for found in walkdir::WalkDir::new(root) {
        let found = found.expect("a readable tree");
        let metadata = fs::symlink_metadata(found.path()).expect("still there");
        let kind = metadata.file_type();
        let node = if kind.is_dir() {
            Node::Directory
        } else if kind.is_symlink() {
            let target = fs::read_link(found.path()).expect("a link");
            Node::Symlink {
                target: target.as_os_str().as_bytes().to_vec(),
            }
        } else {
            Node::File { size: metadata.len() }
        };
        let relative = found.path().strip_prefix(root).expect("below the root");
        let entry = Entry {
            node,
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime(),
            reason: reason(),
        };
        entries.insert(RootPath::new(relative.as_os_str().as_bytes()), entry);
    }
    Plan {
        rootfs: root.to_owned(),
        entry: RootPath::new("/bin/true"),
        entry_points: Vec::new(),
        architecture: std::env::consts::ARCH.to_owned(),
        search_path: "/usr/bin:/bin".to_owned(),
        entries,
        warnings: Vec::new(),
        refusals: Vec::new(),
    }
}

pub(crate) fn reason() -> Reason {
    Reason {
        kind: ReasonKind::Include,
        by: None,
        detail: "/**".to_owned(),
    }
}

/// Bytes that do not compress to nothing and differ by `seed`; the same at every call.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Half of it repeats, so that zstd has something to do.
        bytes.extend_from_slice(&state.to_le_bytes());
        bytes.extend_from_slice(b"polecat!");
    }
    bytes.truncate(length);
    bytes
}

/// Writes a file with its directories.
pub(crate) fn put(root: &Path, name: impl AsRef<Path>, contents: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(&path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

/// Everything that two trees must agree in, by relative path: kind, mode, owner, time, size, target, contents.
pub(crate) fn describe(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut described = BTreeMap::new();
    for found in walkdir::WalkDir::new(root) {
        let found = found.expect("a readable tree");
        let metadata = fs::symlink_metadata(found.path()).expect("still there");
        let kind = metadata.file_type();
        let contents = if kind.is_symlink() {
            let target = fs::read_link(found.path()).expect("a link");
            target.as_os_str().as_bytes().escape_ascii().to_string()
        } else if kind.is_file() {
            let bytes = fs::read(found.path()).expect("a file");
            format!("{} bytes, {:x?}", bytes.len(), sha2::Sha256::digest(&bytes))
        } else {
            String::new()
        };
        let relative = found.path().strip_prefix(root).expect("below the root");
        described.insert(
            relative.as_os_str().as_bytes().to_vec(),
            format!(
                "{:o} {}:{} {} {contents}",
                metadata.mode(),
                metadata.uid(),
                metadata.gid(),
                metadata.mtime()
            ),
        );
    }
    described
}

use sha2::Digest as _;
