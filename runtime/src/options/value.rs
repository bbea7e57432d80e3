//! Values of options.

use std::ffi::OsStr;
use std::path::{Component, Path};

use super::flag::Expected;

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
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    path.to_str()
        .filter(|text| path.is_absolute() && path.components().all(is_plain) && !text.contains('\0'))
        .map(str::to_owned)
        .ok_or("an absolute path without . and ..")
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
