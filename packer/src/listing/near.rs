//! Paths of an image that look like one that is not in it.

use super::Listing;
use crate::rootfs::RootPath;

/// Most paths that are named.
const MAX_NEAR: usize = 5;

/// Longest names that are compared letter by letter.
const MAX_NAME: usize = 255;

impl Listing {
    /// The paths that were most likely meant: of the same name elsewhere, with more behind the name, or with a slip in it.
    pub fn near(&self, path: &RootPath) -> Vec<RootPath> {
        let directory = path.parent();
        let mut found: Vec<(usize, bool, &RootPath)> = self
            .entries
            .iter()
            .filter(|(other, _)| other != path)
            .filter_map(|(other, _)| {
                let distance = distance(path.file_name(), other.file_name())?;
                Some((distance, other.parent() != directory, other))
            })
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .take(MAX_NEAR)
            .map(|(_, _, path)| path.clone())
            .collect()
    }
}

/// How far a name is from the one that was asked for; none where it is too far for a slip.
fn distance(asked: &[u8], name: &[u8]) -> Option<usize> {
    if asked.is_empty() || name.is_empty() {
        return None;
    }
    if asked == name {
        return Some(0);
    }
    // A library without its version.
    if asked.len() > 3 && name.starts_with(asked) {
        return Some(1);
    }
    let allowed = 1 + asked.len() / 5;
    if asked.len() < 3 || asked.len() > MAX_NAME || asked.len().abs_diff(name.len()) > allowed {
        return None;
    }
    let distance = strsim::osa_distance(&String::from_utf8_lossy(asked), &String::from_utf8_lossy(name));
    (distance <= allowed).then_some(distance + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_names_are() {
        for (asked, name, expected) in [
            ("libz.so.1", "libz.so.1", Some(0)),
            ("libz.so", "libz.so.1", Some(1)),
            ("libssl.so.3", "libssl.so.4", Some(2)),
            ("pyhton3", "python3", Some(2)),
            ("sh", "ls", None),
            ("bash", "zsh", None),
            ("", "a", None),
        ] {
            assert_eq!(distance(asked.as_bytes(), name.as_bytes()), expected, "{asked} {name}");
        }
    }
}
