//! The paths of a package, in one buffer: a system has some hundred thousand of them.

use std::collections::HashSet;
use std::ops::Range;

/// Paths, each known to be a directory or taken for a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    path: Range<usize>,
    is_directory: bool,
}

impl Listing {
    /// From a file with a path on each line. What something else of the list lies in is a directory.
    pub(super) fn of_lines(text: Vec<u8>) -> Self {
        let mut entries = Vec::new();
        let mut start = 0;
        for line in text.split(|&byte| byte == b'\n') {
            let path = start..start + line.len();
            start = path.end + 1;
            if line.starts_with(b"/") {
                entries.push(Entry {
                    path,
                    is_directory: line == b"/" || line == b"/.",
                });
            }
        }
        let mut listing = Self { text, entries };
        listing.find_directories();
        listing
    }

    /// Adds an absolute path.
    pub(super) fn push(&mut self, parts: &[&[u8]], is_directory: bool) {
        let start = self.text.len();
        for part in parts {
            self.text.extend_from_slice(part);
        }
        self.entries.push(Entry {
            path: start..self.text.len(),
            is_directory,
        });
    }

    /// All paths, and whether each is known to be a directory.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.entries
            .iter()
            .map(|entry| (&self.text[entry.path.clone()], entry.is_directory))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(|(_, is_directory)| !is_directory)
            .map(|(path, _)| path)
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(|(_, is_directory)| *is_directory)
            .map(|(path, _)| path)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn find_directories(&mut self) {
        let mut parents = HashSet::new();
        // Neighbours share their parent, mostly.
        let mut last: &[u8] = b"";
        for entry in &self.entries {
            let path = &self.text[entry.path.clone()];
            let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            let parent = &path[..slash];
            if parent != last {
                parents.insert(parent);
                last = parent;
            }
        }
        let is_parent: Vec<bool> = self
            .entries
            .iter()
            .map(|entry| parents.contains(&self.text[entry.path.clone()]))
            .collect();
        for (entry, is_parent) in self.entries.iter_mut().zip(is_parent) {
            entry.is_directory |= is_parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_files_or_directories() {
        let listing = Listing::of_lines(
            b"/.\n/usr\n/usr/bin\n/usr/bin/a b\n/usr/binary\n/etc/\xff\n\nnonsense\n/var/empty".to_vec(),
        );
        let files: Vec<&[u8]> = listing.files().collect();
        let directories: Vec<&[u8]> = listing.directories().collect();
        assert_eq!(
            files,
            [&b"/usr/bin/a b"[..], b"/usr/binary", b"/etc/\xff", b"/var/empty"]
        );
        assert_eq!(directories, [&b"/."[..], b"/usr", b"/usr/bin"]);
        assert_eq!(listing.len(), 7);
    }

    #[test]
    fn paths_are_joined() {
        let mut listing = Listing::default();
        listing.push(&[b"/", b"usr/bin"], true);
        listing.push(&[b"/", b"usr/bin", b"/", b"tool"], false);
        let all: Vec<(&[u8], bool)> = listing.iter().collect();
        assert_eq!(all, [(&b"/usr/bin"[..], true), (&b"/usr/bin/tool"[..], false)]);
    }
}
