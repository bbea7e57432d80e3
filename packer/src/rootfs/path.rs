//! Paths inside a root file system.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An absolute, normalised path inside a root file system: it begins with `/`, has no empty, `.` or `..` component and no slash at
/// its end (but for the root itself). Bytes other than `/` and NUL are as the file system has them: they need not be UTF-8.
///
/// Ordered bytewise, shown lossily with control characters escaped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootPath(Vec<u8>);

impl RootPath {
    /// The root itself.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// Normalises `path` by its text alone, as seen from the root: `..` takes the component before it away and stops at the root.
    /// Where a component may be a symbolic link that is not what the kernel does: see [`crate::rootfs::Rootfs::resolve`].
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        let mut normal = Self::root();
        for component in path.as_ref().split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => normal = normal.parent().unwrap_or_else(Self::root),
                name => normal.push(name),
            }
        }
        normal
    }

    /// The bytes, beginning with `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as a path (of the root file system, not of this machine).
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Without the leading slash; empty for the root. This is how the path is given to `openat` and to the image.
    pub fn relative(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0[1..]))
    }

    /// Is this the root?
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// The directory that holds it; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let slash = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        Some(Self(self.0[..slash.max(1)].to_vec()))
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        let slash = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        &self.0[slash + 1..]
    }

    /// This directory's entry `name`, which must be a plain name: not empty, `.` or `..`, and without a slash.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Self {
        let mut joined = self.clone();
        joined.push(name.as_ref());
        joined
    }

    /// All directories above it, the root first, without itself.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        let slashes = self.0.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
        let count = if self.is_root() { 0 } else { usize::MAX };
        slashes
            .take(count)
            .map(|(slash, _)| Self(self.0[..slash.max(1)].to_vec()))
    }

    /// Is it `directory` or anything below?
    pub fn is_within(&self, directory: &Self) -> bool {
        match self.0.strip_prefix(directory.0.as_slice()) {
            Some(rest) => directory.is_root() || rest.is_empty() || rest[0] == b'/',
            None => false,
        }
    }

    /// The plain names from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    fn push(&mut self, name: &[u8]) {
        debug_assert!(
            !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/'),
            "not a plain name"
        );
        if !self.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0))
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl serde::Serialize for RootPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_bytes_lossy(&self.0, serializer)
    }
}

/// Bytes for a message of one line: UTF-8 as it is, what is not as U+FFFD, control characters escaped (`\n`).
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// Shows bytes as a string, lossily where they are not UTF-8.
pub(crate) fn serialize_bytes_lossy<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_normalises_by_text() {
        for (given, normal) in [
            ("/", "/"),
            ("", "/"),
            ("usr", "/usr"),
            ("/usr//lib/", "/usr/lib"),
            ("/usr/./lib/.", "/usr/lib"),
            ("/usr/lib/..", "/usr"),
            ("/../../etc", "/etc"),
            ("/a/../../b", "/b"),
            ("/...", "/..."),
        ] {
            assert_eq!(RootPath::new(given).as_bytes(), normal.as_bytes(), "{given}");
        }
    }

    #[test]
    fn parts() {
        for (path, parent, name, ancestors) in [
            ("/", None, "", vec![]),
            ("/a", Some("/"), "a", vec!["/"]),
            ("/a/b c/d", Some("/a/b c"), "d", vec!["/", "/a", "/a/b c"]),
        ] {
            let path = RootPath::new(path);
            assert_eq!(path.parent(), parent.map(RootPath::new));
            assert_eq!(path.file_name(), name.as_bytes());
            assert_eq!(
                path.ancestors().collect::<Vec<_>>(),
                ancestors.into_iter().map(RootPath::new).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn is_within_respects_components() {
        for (path, directory, expected) in [
            ("/a/b", "/a", true),
            ("/a", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/", true),
            ("/", "/", true),
            ("/", "/a", false),
        ] {
            assert_eq!(
                RootPath::new(path).is_within(&RootPath::new(directory)),
                expected,
                "{path} {directory}"
            );
        }
    }

    #[test]
    fn display_is_one_line_and_lossy() {
        assert_eq!(
            RootPath::new(b"/new\nline/\xff\xc3\xbc").to_string(),
            "/new\\nline/\u{fffd}ü"
        );
    }
}
