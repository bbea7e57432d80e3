//! Which paths a root file system had: a set that answers yes or no, and has no names in it.
//!
//! A Golomb-coded set as in BIP 158, with SHA-256 for the hash: each path becomes a number below `count << 20`, the numbers are
//! sorted, and their differences stored in Rice's code. That takes 21.6 bits a path; of paths that are not in it, one in
//! 2^20 seems to be. A section of kind 7, `docs/format.md`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::manifest::SectionRecord;
use crate::read_at::ReadAt;
use crate::section::{MAX_LENGTH, SectionReadError};

/// Bits of a difference that are stored as they are. 2^20 numbers for each path: the reciprocal of how often a path that is
/// not in the set seems to be.
const PARAMETER: u32 = 20;

/// Those that are read: with less a set tells little, and takes more memory than its section is long.
const PARAMETERS: std::ops::RangeInclusive<u32> = 16..=32;

/// Length of the salt in bytes.
pub const SALT_LENGTH: usize = 16;

/// Length of what stands in front of the code: salt, count, parameter.
const HEADER_LENGTH: usize = SALT_LENGTH + 8;

/// What a set is asked, or told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member<'a> {
    /// There is something at this path, which is absolute, and none of whose directories is a link.
    Path(&'a [u8]),
    /// There is a symbolic link at this path, and it leads to something.
    Link(&'a [u8]),
}

impl Member<'_> {
    /// The first eight bytes of SHA-256 over salt, path, and behind a link's a slash, which no path ends with.
    fn digest(self, salt: &[u8; SALT_LENGTH]) -> u64 {
        let (path, mark) = match self {
            Self::Path(path) => (path, &b""[..]),
            Self::Link(path) => (path, &b"/"[..]),
        };
        let digest: [u8; 32] = Sha256::new_with_prefix(salt)
            .chain_update(path)
            .chain_update(mark)
            .finalize()
            .into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// From all 64-bit numbers evenly to those below `count << parameter`.
fn reduce(digest: u64, count: u32, parameter: u32) -> u64 {
    let range = u128::from(count) << parameter;
    // Below the range, which has 64 bits at most.
    ((u128::from(digest) * range) >> 64) as u64
}

/// Collects the paths of a root file system, eight bytes for each.
#[derive(Debug, Clone)]
pub struct Builder {
    salt: [u8; SALT_LENGTH],
    digests: Vec<u64>,
}

impl Builder {
    /// An empty set. Sets with different salts have nothing in common: who knows one learns nothing of another, and a
    /// path that seems to be in one seems so in no other.
    #[must_use]
    pub fn new(salt: [u8; SALT_LENGTH]) -> Self {
        Self {
            salt,
            digests: Vec::new(),
        }
    }

    /// Adds a member.
    pub fn insert(&mut self, member: Member<'_>) {
        self.digests.push(member.digest(&self.salt));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.digests.len()
    }

    /// Forgets all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.digests.truncate(count);
    }

    /// The section, the same whatever the order of insertion.
    ///
    /// # Errors
    /// [`PathSetError::TooLong`].
    pub fn finish(mut self) -> Result<Vec<u8>, PathSetError> {
        let count = u32::try_from(self.digests.len()).map_err(|_| PathSetError::TooLong { length: u64::MAX })?;
        self.digests.sort_unstable();
        let mut bits = Bits::default();
        bits.bytes.extend(self.salt);
        bits.bytes.extend(count.to_le_bytes());
        bits.bytes.extend(PARAMETER.to_le_bytes());
        let mut before = 0;
        for digest in self.digests {
            let value = reduce(digest, count, PARAMETER);
            bits.push(value - before);
            before = value;
        }
        match bits.bytes.len() as u64 {
            0..=MAX_LENGTH => Ok(bits.bytes),
            length => Err(PathSetError::TooLong { length }),
        }
    }
}

/// Bits that are written, the highest of a byte first.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl Bits {
    fn push(&mut self, difference: u64) {
        for _ in 0..difference >> PARAMETER {
            self.push_bit(true);
        }
        self.push_bit(false);
        for place in (0..PARAMETER).rev() {
            self.push_bit(difference >> place & 1 == 1);
        }
    }

    fn push_bit(&mut self, bit: bool) {
        if self.free == 0 {
            self.bytes.push(0);
            self.free = 8;
        }
        self.free -= 1;
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << self.free;
        }
    }
}

/// A set that was read.
#[derive(Debug, Clone)]
pub struct PathSet {
    salt: [u8; SALT_LENGTH],
    count: u32,
    parameter: u32,
    /// Sorted.
    values: Vec<u64>,
}

impl PathSet {
    /// The set in the section that `record` names, of a manifest whose signature was checked.
    ///
    /// # Errors
    /// [`PathSetError`]; a section that does not have the digest of the record is not looked at.
    pub fn read(reader: &impl ReadAt, record: &SectionRecord) -> Result<Self, PathSetError> {
        let section = record.read(reader).map_err(PathSetError::Section)?;
        Self::parse(&section).ok_or(PathSetError::Content)
    }

    /// The set in the bytes of a section; none where they are no set.
    fn parse(section: &[u8]) -> Option<Self> {
        let (header, code) = section.split_at_checked(HEADER_LENGTH)?;
        let (salt, numbers) = header.split_first_chunk::<SALT_LENGTH>()?;
        let (count, parameter) = numbers.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count);
        let parameter = u32::from_le_bytes(parameter.try_into().ok()?);
        let least = u64::from(count) * (u64::from(parameter) + 1);
        if !PARAMETERS.contains(&parameter) || least > code.len() as u64 * 8 {
            return None;
        }
        let mut at = 0;
        let mut next = || {
            let byte = code.get(at / 8)?;
            let bit = byte >> (7 - at % 8) & 1;
            at += 1;
            Some(bit)
        };
        let range = u64::from(count) << parameter;
        let mut values = Vec::with_capacity(usize::try_from(count).ok()?);
        let mut value: u64 = 0;
        for _ in 0..count {
            while next()? == 1 {
                value = value.checked_add(1 << parameter)?;
            }
            let mut rest: u64 = 0;
            for _ in 0..parameter {
                rest = rest << 1 | u64::from(next()?);
            }
            value = value.checked_add(rest).filter(|value| *value < range)?;
            values.push(value);
        }
        // Less than a byte is left, and nothing in it.
        let left = code.len() * 8 - at;
        let is_padding = left < 8 && code.last().is_none_or(|last| last & ((1 << left) - 1) == 0);
        is_padding.then_some(Self {
            salt: *salt,
            count,
            parameter,
            values,
        })
    }

    /// Whether it was told so; of what it was not told, one in 2^20 seems to be in it.
    #[must_use]
    pub fn contains(&self, member: Member<'_>) -> bool {
        let value = reduce(member.digest(&self.salt), self.count, self.parameter);
        self.values.binary_search(&value).is_ok()
    }

    /// How many members it has.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }
}

/// Why there is no set.
#[derive(Debug)]
pub enum PathSetError {
    /// The section is not read.
    Section(SectionReadError),
    /// More paths than a section has room for: six million.
    TooLong {
        /// Length in bytes.
        length: u64,
    },
    /// What was signed is no set.
    Content,
}

impl PathSetError {
    /// Whether the bundle is not what was signed.
    #[must_use]
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Section(error) if error.is_tampering())
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Section(error) => error.hint(),
            Self::TooLong { .. } => Some("--no-paths packs without it".into()),
            Self::Content => Some("pack the bundle anew".into()),
        }
    }
}

impl fmt::Display for PathSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the set of the root file system's paths ")?;
        match self {
            Self::Section(error) => error.fmt(f),
            Self::TooLong { .. } => write!(f, "is longer than {} MiB", MAX_LENGTH >> 20),
            Self::Content => f.write_str("makes no sense"),
        }
    }
}

impl std::error::Error for PathSetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Section(error) => Some(error),
            Self::TooLong { .. } | Self::Content => None,
        }
    }
}

#[cfg(test)]
mod tests;
