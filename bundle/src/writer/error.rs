//! Why a bundle is not written.

use std::fmt;
use std::io;

use crate::hash_tree::GeometryError;
use crate::layout::MAX_SALT_LENGTH;
use crate::manifest::ManifestError;

/// Why a bundle is not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The stub does not end where its ELF headers say.
    Stub {
        /// Where they say it ends, in bytes; none when they say nothing.
        elf_end: Option<u64>,
        /// Its length in bytes.
        length: u64,
    },
    /// The manifest is invalid or too long.
    Manifest(ManifestError),
    /// The manifest is longer than the place that was left for it.
    Capacity {
        /// Length of the manifest in bytes.
        length: u64,
        /// What was left for it, in bytes.
        capacity: u64,
    },
    /// The image is empty or too large.
    Image(GeometryError),
    /// The image was said to be longer than what was written of it.
    ImageLength {
        /// Its length as it was said, in bytes.
        length: u64,
        /// What was written, in bytes.
        written: u64,
    },
    /// The salt is longer than the format allows.
    Salt {
        /// Its length in bytes.
        length: usize,
    },
    /// More signatures than the signature block can hold.
    Signatures {
        /// How many.
        count: usize,
    },
    /// The superblock has more sections than fit.
    Superblock,
    /// Offsets beyond 64 bits.
    Overflow,
    /// The file could not be written, or not be read back.
    Io {
        /// Where, in bytes from the beginning.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stub {
                elf_end: Some(end),
                length,
            } => {
                write!(f, "the stub has {length} bytes; by its ELF headers it ends at {end}")
            }
            Self::Stub { elf_end: None, .. } => {
                f.write_str("the stub is not an ELF executable with headers that polecat knows")
            }
            Self::Manifest(error) => write!(f, "cannot write the manifest: {error}"),
            Self::Capacity { length, capacity } => {
                write!(f, "the manifest has {length} bytes; there is place for {capacity}")
            }
            Self::Image(error) => write!(f, "cannot write a bundle without a proper image: {error}"),
            Self::ImageLength { length, written } => {
                write!(
                    f,
                    "the image should have {length} bytes, of which {written} were written"
                )
            }
            Self::Salt { length } => write!(f, "a salt of {length} bytes is longer than {MAX_SALT_LENGTH}"),
            Self::Signatures { count } => {
                write!(
                    f,
                    "a bundle holds at most {} signatures, not {count}",
                    crate::layout::MAX_SIGNATURES
                )
            }
            Self::Superblock => f.write_str("the superblock has no place for so many sections"),
            Self::Overflow => f.write_str("the bundle would be longer than any file can be"),
            Self::Io { offset, source } => write!(f, "cannot write the bundle at offset {offset}: {source}"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Manifest(error) => Some(error),
            Self::Image(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl WriteError {
    /// What to try; none when nothing helps but what the text says.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stub { .. } => Some("strip the stub; nothing may lie behind its section headers".to_owned()),
            Self::Signatures { .. } => Some("remove a signature that nobody needs any more".to_owned()),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("make room on the disk or write the bundle elsewhere".to_owned())
            }
            _ => None,
        }
    }
}
