//! A tree as text, to be compared line by line.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Lines of a tree, by path.
pub(crate) type Snapshot = BTreeMap<PathBuf, String>;

/// What is the same on every file system: kind, mode, owner, time, links, bytes. Of a directory not the size.
///
/// What cannot be read is told with its errno.
pub(crate) fn take(root: &Path) -> Snapshot {
    take_at_most(root, usize::MAX)
}

/// [`take`] of a tree that may have no end.
pub(crate) fn take_at_most(root: &Path, entries: usize) -> Snapshot {
    let mut lines = Snapshot::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop()
        && lines.len() < entries
    {
        let full = if path.as_os_str().is_empty() {
            root.to_owned()
        } else {
            root.join(&path)
        };
        let line =
            match fs::symlink_metadata(&full) {
                Ok(metadata) => {
                    if metadata.is_dir() {
                        match fs::read_dir(&full) {
                            Ok(entries) => pending.extend(entries.map(|entry| {
                                path.join(entry.map_or_else(
                                    |error| format!("unlisted: {error}").into(),
                                    |entry| entry.file_name(),
                                ))
                            })),
                            Err(error) => pending.push(path.join(format!("unlisted: {error}"))),
                        }
                    }
                    describe(&full, &metadata)
                }
                Err(error) => format!("errno {:?}", error.raw_os_error()),
            };
        lines.insert(path, line);
    }
    lines
}

fn describe(path: &Path, metadata: &fs::Metadata) -> String {
    let kind = metadata.file_type();
    let (letter, content) = if kind.is_dir() {
        ('d', String::new())
    } else if kind.is_symlink() {
        (
            'l',
            fs::read_link(path).map_or_else(errno, |target| format!("{:?}", target.as_os_str().as_bytes())),
        )
    } else if kind.is_file() {
        (
            '-',
            digest(path).map_or_else(errno, |digest| format!("{} bytes {digest:016x}", metadata.len())),
        )
    } else if kind.is_fifo() {
        ('p', String::new())
    } else if kind.is_socket() {
        ('s', String::new())
    } else {
        ('?', format!("{:x}", metadata.rdev()))
    };
    let links = if kind.is_dir() { 0 } else { metadata.nlink() };
    let (mode, uid, gid, time) = (
        metadata.mode() & 0o7777,
        metadata.uid(),
        metadata.gid(),
        metadata.mtime(),
    );
    format!("{letter} {mode:04o} {uid}:{gid} @{time} x{links} {content}")
}

fn errno(error: std::io::Error) -> String {
    format!("errno {:?}", error.raw_os_error())
}

fn digest(path: &Path) -> std::io::Result<u64> {
    let mut file = fs::File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.write(&buffer[..length]);
    }
}

/// Sets of names that are one inode.
pub(crate) fn hard_links(root: &Path) -> Vec<Vec<PathBuf>> {
    let mut inodes: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    for path in take(root).into_keys() {
        let metadata = fs::symlink_metadata(root.join(&path)).unwrap();
        if !metadata.is_dir() {
            inodes.entry(metadata.ino()).or_default().push(path);
        }
    }
    let mut sets: Vec<_> = inodes.into_values().filter(|set| set.len() > 1).collect();
    sets.sort();
    sets
}

/// Panics with the first lines that differ.
pub(crate) fn assert_same(what: &str, found: &Snapshot, expected: &Snapshot) {
    let paths: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differing: Vec<String> = paths
        .into_iter()
        .filter(|path| found.get(*path) != expected.get(*path))
        .take(8)
        .map(|path| {
            format!(
                "{}\n  found    {:?}\n  expected {:?}",
                path.display(),
                found.get(path),
                expected.get(path)
            )
        })
        .collect();
    assert!(differing.is_empty(), "{what}:\n{}", differing.join("\n"));
    assert!(expected.len() > 3, "{what}: nothing to compare");
}
