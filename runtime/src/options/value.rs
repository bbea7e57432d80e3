//! Values of options.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::Options;
use super::flag::Expected;
use crate::ladder::Rung;

/// What a switch is that stands alone.
pub(super) const ON: &str = "yes";

/// The longest time that is kept: eleven days.
const LONGEST_TIME: u32 = 1_000_000;

/// Longest name of a host, gethostname(2).
const LONGEST_HOSTNAME: usize = 64;

/// `yes` or `no`.
pub(super) fn switch(text: &OsStr) -> Result<bool, Expected> {
    match text.to_str() {
        Some(ON) => Ok(true),
        Some("no") => Ok(false),
        _ => Err("yes or no"),
    }
}

/// A rung of the ladder that a bundle may be started on.
pub(super) fn rung(text: &OsStr) -> Result<Rung, Expected> {
    let known = text.to_str().and_then(Rung::from_name);
    known.ok_or("loop, fuse, unpack, fusermount or disk")
}

/// A number of seconds.
pub(crate) fn seconds(text: &OsStr) -> Result<u32, Expected> {
    text.to_str()
        .and_then(|text| text.parse().ok())
        .filter(|seconds| *seconds <= LONGEST_TIME)
        .ok_or("seconds, at most 1000000")
}

/// A name of a host: letters, digits, hyphens and dots, hostname(7).
pub(super) fn hostname(text: &OsStr) -> Result<String, Expected> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    text.to_str()
        .filter(|name| (1..=LONGEST_HOSTNAME).contains(&name.len()))
        .filter(|name| name.bytes().all(is_part) && !name.starts_with(['-', '.']))
        .map(str::to_owned)
        .ok_or("1 to 64 letters, digits, hyphens and dots")
}

/// An absolute path without `.` and `..`, as text.
pub(super) fn absolute(text: &OsStr) -> Result<String, Expected> {
    let path = Path::new(text);
    path.to_str()
        .filter(|text| is_plain(path) && !text.contains('\0'))
        .map(str::to_owned)
        .ok_or("an absolute path without . and ..")
}

/// Whether `path` is absolute, without `.` and `..`.
pub(crate) fn is_plain(path: &Path) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(is_plain)
}

/// `NAME=VALUE`.
pub(super) fn variable(text: &OsStr) -> Result<String, Expected> {
    let named = |text: &&str| text.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    text.to_str()
        .filter(named)
        .filter(|text| !text.contains('\0'))
        .map(str::to_owned)
        .ok_or("NAME=VALUE")
}

/// A path of the host, absolute or from the caller's working directory.
pub(super) fn path(text: &OsStr) -> Result<PathBuf, Expected> {
    match text.is_empty() {
        true => Err("a path"),
        false => Ok(text.into()),
    }
}

/// Whether the network is not the host's.
pub(super) fn network(text: &OsStr) -> Result<bool, Expected> {
    match text.to_str() {
        Some("none") => Ok(true),
        Some("host") => Ok(false),
        _ => Err("host or none"),
    }
}

/// Namespaces, with commas.
pub(super) fn unshare(text: &OsStr, options: &mut Options) -> Result<(), Expected> {
    const EXPECTED: Expected = "of cgroup,time";
    for word in text.to_str().ok_or(EXPECTED)?.split(',') {
        match word {
            "cgroup" => options.cgroup_namespace = true,
            "time" => options.time_namespace = true,
            _ => return Err(EXPECTED),
        }
    }
    Ok(())
}
