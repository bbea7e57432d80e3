//! Amounts that a program may use.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::flag::Expected;
use crate::text::{parts, split};

/// What cgroups(7) limit. None: without a limit of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all its processes together, bytes.
    pub memory: Option<u64>,
    /// Processors, in hundredths: as much time as so many would have.
    pub cpus: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// Go on without those that cannot be had.
    pub optional: bool,
}

impl Limits {
    /// Whether there is one.
    #[must_use]
    pub fn any(self) -> bool {
        self.memory.is_some() || self.cpus.is_some() || self.pids.is_some()
    }
}

/// Processors by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuMask(pub Vec<u64>);

/// Bytes: a number, or one with `K`, `M`, `G` or `T` behind it for powers of 1024.
pub(super) fn size(text: &OsStr) -> Result<u64, Expected> {
    let (digits, shift) = match text.as_bytes() {
        [digits @ .., b'K' | b'k'] => (digits, 10),
        [digits @ .., b'M' | b'm'] => (digits, 20),
        [digits @ .., b'G' | b'g'] => (digits, 30),
        [digits @ .., b'T' | b't'] => (digits, 40),
        digits => (digits, 0),
    };
    number(digits)
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (1..=i64::MAX.unsigned_abs()).contains(bytes))
        .ok_or("bytes as a number, above 0, or with K, M, G or T for powers of 1024")
}

/// A size that has room for what every run writes.
pub(super) fn room(text: &OsStr) -> Result<u64, Expected> {
    let size = size(text)?;
    if size < 64 << 10 { Err("64K or more") } else { Ok(size) }
}

/// `N` or `N.N`, with two digits behind the point at most, in hundredths. The kernel gives no less than one.
pub(super) fn cpus(text: &OsStr) -> Result<u32, Expected> {
    let hundredths = || {
        let (whole, tenths, rest) = match split(text.as_bytes(), b'.', 2)[..] {
            [whole] => (whole, 0, 0),
            [whole, [tenth @ b'0'..=b'9']] => (whole, tenth - b'0', 0),
            [whole, [tenth @ b'0'..=b'9', rest @ b'0'..=b'9']] => (whole, tenth - b'0', rest - b'0'),
            _ => return None,
        };
        number(whole)?
            .checked_mul(100)?
            .checked_add(u64::from(10 * tenths + rest))
    };
    within(hundredths(), 1_000_000).ok_or("processors, from 0.01 to 10000, with two digits behind the point at most")
}

/// A number of tasks.
pub(super) fn pids(text: &OsStr) -> Result<u32, Expected> {
    within(number(text.as_bytes()), 1 << 22).ok_or("a number from 1 to 4194304")
}

/// A number from 1 to `most`.
fn within(number: Option<u64>, most: u32) -> Option<u32> {
    let number = u32::try_from(number?).ok()?;
    (1..=most).contains(&number).then_some(number)
}

/// `0-3,5`, as in cpuset(7).
pub(super) fn cpu_mask(text: &OsStr) -> Result<CpuMask, Expected> {
    let mut mask = Vec::new();
    for part in parts(text.as_bytes(), b',') {
        let (first, last) = match split(part, b'-', 2)[..] {
            [first, last] => (first, last),
            _ => (part, part),
        };
        match (number(first), number(last)) {
            (Some(first), Some(last @ ..1024)) if first <= last => mask.extend(first..=last),
            _ => return Err("numbers and ranges of processors, as 0-3,5, each below 1024"),
        }
    }
    Ok(CpuMask(mask))
}

/// Digits and nothing else: no sign.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("4096", Some(4096)),
            ("64k", Some(65536)),
            ("512M", Some(512 << 20)),
            ("2G", Some(2 << 30)),
            ("1t", Some(1 << 40)),
            ("0", None),
            ("", None),
            ("M", None),
            ("+1M", None),
            ("-1", None),
            ("1.5G", None),
            ("1MB", None),
            ("9999999T", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(size(OsStr::new(text)).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn room_for_a_run() {
        for (text, bytes) in [("64K", Some(65536)), ("65535", None), ("x", None)] {
            assert_eq!(room(OsStr::new(text)).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn processors() {
        for (text, hundredths) in [
            ("1", Some(100)),
            ("0.5", Some(50)),
            ("1.25", Some(125)),
            ("0.01", Some(1)),
            ("10000", Some(1_000_000)),
            ("0", None),
            ("0.00", None),
            ("0.001", None),
            (".5", None),
            ("1.", None),
            ("-1", None),
            ("1e3", None),
            ("10000.01", None),
            ("184467440737095517", None),
        ] {
            assert_eq!(cpus(OsStr::new(text)).ok(), hundredths, "{text}");
        }
    }

    #[test]
    fn masks() {
        for (text, expected) in [
            ("0", Some(&[0][..])),
            ("0-3,5", Some(&[0, 1, 2, 3, 5])),
            ("5,1-2,2", Some(&[5, 1, 2, 2])),
            ("1023", Some(&[1023])),
            ("1024", None),
            ("3-1", None),
            ("", None),
            ("0,", None),
            ("-1", None),
            ("a", None),
        ] {
            let mask = cpu_mask(OsStr::new(text)).ok();
            assert_eq!(mask.as_ref().map(|mask| &mask.0[..]), expected, "{text}");
        }
        for (text, expected) in [
            ("1", Some(1)),
            ("4194304", Some(1 << 22)),
            ("0", None),
            ("4194305", None),
            ("max", None),
        ] {
            assert_eq!(pids(OsStr::new(text)).ok(), expected, "{text}");
        }
    }
}
