//! The bytes of sections that the manifest holds the digests of.

use std::fmt;
use std::io;

use sha2::{Digest, Sha256};

use crate::manifest::{SectionRecord, encode_hex};
use crate::read_at::ReadAt;

/// Longest ignorable section that is read, in bytes: far above what a whole distribution needs.
pub const MAX_LENGTH: u64 = 16 << 20;

impl SectionRecord {
    /// The bytes of the section that this record is of, once they are known to be those that were signed; the record is of a manifest
    /// whose signature was checked.
    ///
    /// # Errors
    /// [`SectionReadError`].
    pub fn read(&self, reader: &impl ReadAt) -> Result<Vec<u8>, SectionReadError> {
        let length = usize::try_from(self.length)
            .ok()
            .filter(|_| self.length <= MAX_LENGTH)
            .ok_or(SectionReadError::TooLong { length: self.length })?;
        let mut bytes = vec![0; length];
        reader
            .read_exact_at(&mut bytes, self.offset)
            .map_err(|source| SectionReadError::Read { source })?;
        if encode_hex(&Sha256::digest(&bytes)) == self.sha256 {
            Ok(bytes)
        } else {
            Err(SectionReadError::Digest)
        }
    }
}

/// Why a section is not read. Shown, it goes on from the section's name: "is not what was signed".
#[derive(Debug)]
pub enum SectionReadError {
    /// The file cannot be read.
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// It is longer than [`MAX_LENGTH`].
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// It does not have the digest of its record.
    Digest,
}

impl SectionReadError {
    /// Whether the bundle is not what was signed.
    #[must_use]
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Digest)
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::TooLong { .. } => Some("use the polecat that packed it, or a newer one".into()),
            Self::Digest => Some(
                "copy or download the file again; if that does not help, someone changed it after it was signed".into(),
            ),
        }
    }
}

impl fmt::Display for SectionReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { source } => write!(f, "cannot be read: {source}"),
            Self::TooLong { length } => write!(f, "has {length} bytes, more than {} MiB", MAX_LENGTH >> 20),
            Self::Digest => f.write_str("is not what was signed"),
        }
    }
}

impl std::error::Error for SectionReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source } => Some(source),
            Self::TooLong { .. } | Self::Digest => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_bytes_are_read() {
        let file = b"xxcontent".to_vec();
        let record = |offset, length| SectionRecord {
            offset,
            length,
            sha256: encode_hex(&Sha256::digest(b"content")),
        };
        let read = |offset, length| record(offset, length).read(&file);
        assert_eq!(read(2, 7).unwrap(), b"content");
        let changed = read(1, 7).unwrap_err();
        assert!(changed.is_tampering() && changed.hint().is_some(), "{changed}");
        for (offset, length) in [(2, 8), (u64::MAX, 7), (2, MAX_LENGTH)] {
            assert!(matches!(read(offset, length), Err(SectionReadError::Read { .. })));
        }
        for length in [MAX_LENGTH + 1, u64::MAX] {
            assert!(matches!(read(2, length), Err(SectionReadError::TooLong { .. })));
        }
    }
}
