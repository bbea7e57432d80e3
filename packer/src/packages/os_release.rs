//! The distribution, as the root file system itself names it: os-release(5).

use super::{PackagesError, read_optional};
use crate::rootfs::{RootPath, Rootfs};

/// A distribution and its release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`: `debian`, `alpine`, `fedora`, …
    pub id: Option<String>,
    /// `VERSION_ID`: `12`, `3.20.1`, …; rolling releases have none.
    pub version: Option<String>,
}

impl Distribution {
    pub(super) fn read(rootfs: &Rootfs) -> Result<Self, PackagesError> {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            if let Some(contents) = read_optional(rootfs, &RootPath::new(path))? {
                return Ok(Self::parse(&String::from_utf8_lossy(&contents)));
            }
        }
        Ok(Self::default())
    }

    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let assigned = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(unquote);
            text.lines()
                .rev()
                .find_map(|line| assigned(line.trim_start()))
                .filter(|value| !value.is_empty())
        };
        Self {
            id: value("ID"),
            version: value("VERSION_ID"),
        }
    }
}

/// A value in the shell's quotes.
fn unquote(value: &str) -> String {
    let value = value.trim_end();
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    let inner = quote.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut text = String::new();
    let mut characters = inner.unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if quote != Some('\'') => text.extend(characters.next()),
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted() {
        for (text, id, version) in [
            ("ID=debian\nVERSION_ID=\"12\"\n", Some("debian"), Some("12")),
            (
                "NAME=x\nID='rocky'\nVERSION_ID=\"9.3\"\nID_LIKE=rhel",
                Some("rocky"),
                Some("9.3"),
            ),
            ("ID=arch\n", Some("arch"), None),
            ("#ID=a\nID=\"a\\\"b\"\nVERSION_ID=\n", Some("a\"b"), None),
            ("", None, None),
        ] {
            let distribution = Distribution::parse(text);
            assert_eq!(distribution.id.as_deref(), id, "{text}");
            assert_eq!(distribution.version.as_deref(), version, "{text}");
        }
    }
}
