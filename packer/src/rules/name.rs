//! Patterns of names: of programs and libraries.

use globset::{GlobBuilder, GlobMatcher};

use crate::rootfs::{Pattern, PatternError, RootPath};

/// A pattern with a slash is one of absolute paths, any other one of file names.
#[derive(Debug, Clone)]
pub struct NamePattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Path(Pattern),
    Name(String, GlobMatcher),
}

impl NamePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`PatternError`]: a path that is not absolute, or a bracket that is left open.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.contains('/') {
            return Ok(Self(Kind::Path(Pattern::new(text)?)));
        }
        let glob = GlobBuilder::new(text).backslash_escape(true).build();
        let glob = glob.map_err(|error| PatternError {
            pattern: text.to_owned(),
            message: error.kind().to_string(),
        })?;
        Ok(Self(Kind::Name(text.to_owned(), glob.compile_matcher())))
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.0 {
            Kind::Path(pattern) => pattern.text(),
            Kind::Name(text, _) => text,
        }
    }

    /// Does a path match, by itself or by its last component?
    #[must_use]
    pub fn matches(&self, path: &RootPath) -> bool {
        match &self.0 {
            Kind::Path(pattern) => pattern.matches(path),
            Kind::Name(..) => self.matches_name(path.file_name()),
        }
    }

    /// Does a name without slashes match?
    #[must_use]
    pub fn matches_name(&self, name: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt as _;
        match &self.0 {
            Kind::Path(_) => false,
            Kind::Name(_, glob) => glob.is_match(std::ffi::OsStr::from_bytes(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        for (pattern, path, expected) in [
            ("python3*", "/usr/bin/python3.11", true),
            ("python3*", "/usr/lib/python3/x", false),
            ("/usr/bin/python3*", "/usr/bin/python3.11", true),
            ("/usr/bin/python3*", "/usr/local/bin/python3.11", false),
            ("{ba,da}sh", "/bin/dash", true),
            ("libssl.so.*", "/usr/lib/libssl.so.3", true),
        ] {
            let pattern = NamePattern::new(pattern).expect("valid");
            assert_eq!(pattern.matches(&RootPath::new(path)), expected, "{pattern:?} {path}");
        }
        assert!(NamePattern::new("usr/bin/x").is_err());
        assert!(NamePattern::new("x[").is_err());
    }
}
