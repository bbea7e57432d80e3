//! Parts of the host that are named one by one.

use std::ffi::{OsStr, OsString};
use std::mem::take;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::flag::Expected;
use super::value::is_plain;

/// A part of the host, and where it is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindOption {
    /// On the host: a file of any kind or a directory. `~/` at the front is the caller's home directory, a relative path
    /// begins in the caller's working directory.
    pub source: PathBuf,
    /// Inside: absolute. None: where it is on the host, `~/` included.
    pub target: Option<PathBuf>,
    /// Nothing can be changed in it, nor in what is mounted below it.
    pub read_only: bool,
}

const EXPECTED: Expected =
    "SRC[:DST[:ro]], an absolute DST that is neither /, /dev nor in /proc, /sys or /dev/pts; \\: is a colon of a path";

/// `SRC[:DST[:ro|:rw]]`.
pub(super) fn bind(text: &OsStr) -> Result<BindOption, Expected> {
    let fields = fields(text);
    let (source, target, mode) = match &fields[..] {
        [source] => (source, None, Path::new("rw")),
        [source, target] => (source, Some(target), Path::new("rw")),
        [source, target, mode] => (source, Some(target), mode.as_path()),
        _ => return Err(EXPECTED),
    };
    let target = target.filter(|target| !target.as_os_str().is_empty());
    let read_only = mode.as_os_str() == "ro";
    let is_mode = read_only || mode.as_os_str() == "rw";
    // Whose home it is turns out later.
    let is_somewhere = target.is_none() && source.starts_with("~");
    let can_be_there = is_somewhere || can_be_target(target.unwrap_or(source));
    if source.as_os_str().is_empty() || !is_mode || !can_be_there {
        return Err(EXPECTED);
    }
    Ok(BindOption {
        source: source.clone(),
        target: target.cloned(),
        read_only,
    })
}

/// Whether a part of the host may be seen at `path`. Processes and devices of the box are its own, and `/` is the image.
#[must_use]
pub fn can_be_target(path: &Path) -> bool {
    let own = ["/proc", "/sys", "/dev/pts"];
    is_plain(path)
        && ![Path::new("/"), Path::new("/dev")].contains(&path)
        && !own.iter().any(|own| path.starts_with(own))
}

/// The parts between colons. A backslash in front of a colon or a backslash makes it one of the path.
fn fields(text: &OsStr) -> Vec<PathBuf> {
    let (mut fields, mut field) = (Vec::new(), Vec::new());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [b'\\', byte @ (b'\\' | b':'), behind @ ..] => {
                field.push(*byte);
                behind
            }
            [b':', behind @ ..] => {
                fields.push(path(&mut field));
                behind
            }
            [byte, behind @ ..] => {
                field.push(*byte);
                behind
            }
            [] => {
                fields.push(path(&mut field));
                return fields;
            }
        }
    }
}

fn path(bytes: &mut Vec<u8>) -> PathBuf {
    OsString::from_vec(take(bytes)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Option<(PathBuf, Option<PathBuf>, bool)> {
        let BindOption {
            source,
            target,
            read_only,
        } = bind(OsStr::from_bytes(text)).ok()?;
        Some((source, target, read_only))
    }

    #[test]
    fn what_is_bound_where() {
        let odd = || PathBuf::from(OsStr::from_bytes(b"/\xff"));
        for (text, source, target, read_only) in [
            (&b"/a"[..], "/a".into(), None, false),
            (b"/a:/b", "/a".into(), Some("/b".into()), false),
            (b"/a:/b:ro", "/a".into(), Some("/b".into()), true),
            (b"/a:/b:rw", "/a".into(), Some("/b".into()), false),
            (b"/a::ro", "/a".into(), None, true),
            (b"~/Music", "~/Music".into(), None, false),
            (b"data:/data", "data".into(), Some("/data".into()), false),
            (b"../x:/y", "../x".into(), Some("/y".into()), false),
            (b"/a\\:b:/c\\\\d", "/a:b".into(), Some("/c\\d".into()), false),
            (b"/a\\b", "/a\\b".into(), None, false),
            (b"/\xff:/\xff:ro", odd(), Some(odd()), true),
            (
                b"/dev/ttyS0:/dev/ttyS9",
                "/dev/ttyS0".into(),
                Some("/dev/ttyS9".into()),
                false,
            ),
        ] {
            assert_eq!(read(text), Some((source, target, read_only)), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_cannot_be_bound() {
        for text in [
            "",
            ":",
            ":/b",
            "a",
            "/a:b",
            "/a:/b:",
            "/a:/b:r",
            "/a:/b:ro:x",
            "/a:/",
            "/a://",
            "/a:/proc",
            "/a:/proc/1",
            "/a:/sys/x",
            "/a:/dev",
            "/a:/dev/",
            "/a:/dev/pts/0",
            "/a:/x/../proc",
            "/a:/b/..",
            "../x",
            "/",
            "/proc/self",
            "/a/../b",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
