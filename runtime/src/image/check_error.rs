//! Why a block of the image is not used.

use std::error::Error;
use std::fmt;
use std::io;

use bundle::hash_tree::VerifyError;
use bundle::layout::BLOCK_SIZE;

/// A block of the image, or of the hash tree over it, that could not be vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckError {
    /// The file could not be read. That says nothing about what is in it.
    Read {
        /// Offset in the file, bytes.
        offset: u64,
        /// What pread(2) said.
        errno: i32,
    },
    /// The file ends before the image or its hash tree does.
    Truncated {
        /// Offset in the file, bytes, of what was wanted.
        offset: u64,
    },
    /// A block is not what was signed.
    Damaged {
        /// Data block of the image, counted from 0, that does not lead up to the root digest.
        block: u64,
        /// Where it failed: 0 the block itself, 1 the hash block above it, and so on.
        level: usize,
        /// Offset in the file, bytes, of the data block.
        offset: u64,
    },
}

impl CheckError {
    pub(super) fn read(offset: u64, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated { offset },
            _ => Self::Read {
                offset,
                errno: error.raw_os_error().unwrap_or(libc::EIO),
            },
        }
    }

    /// What the verifier says of an image that begins at `image_offset`, all of whose reads lie inside it.
    pub(super) fn of(error: &VerifyError, image_offset: u64, first_block: u64) -> Self {
        let damaged = |block, level| Self::Damaged {
            block,
            level,
            offset: image_offset + block * BLOCK_SIZE,
        };
        match error {
            VerifyError::Mismatch { block, level } => damaged(*block, *level),
            VerifyError::OutOfRange { block } => damaged(*block, 0),
            VerifyError::Io { offset, source } => Self::read(*offset, source),
            _ => damaged(first_block, 0),
        }
    }

    /// The check that failed below an error of the squashfs reader, if that is what it comes from.
    #[must_use]
    pub fn beneath(error: &squashfs::Error) -> Option<Self> {
        match error {
            squashfs::Error::Io { source, .. } => source.get_ref()?.downcast_ref::<Self>().cloned(),
            _ => None,
        }
    }

    /// Whether the file is not what was signed, as opposed to not readable just now.
    #[must_use]
    pub fn is_tampering(&self) -> bool {
        !matches!(self, Self::Read { .. })
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } => return None,
            Self::Truncated { .. } => "copy or download the file again; it was cut short while it was in use",
            Self::Damaged { .. } => {
                "copy or download the file again; if that does not help, someone changed it after it was signed"
            }
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { offset, errno } => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "the bundle cannot be read at offset {offset}: {error}")
            }
            Self::Truncated { offset } => write!(f, "the bundle is truncated: nothing is left at offset {offset}"),
            Self::Damaged {
                block,
                level: 0,
                offset,
            } => {
                write!(
                    f,
                    "block {block} of the image, at offset {offset}, is not what was signed"
                )
            }
            Self::Damaged { block, level, offset } => write!(
                f,
                "the hash tree over block {block} of the image, at offset {offset}, is not what was signed (level {level})"
            ),
        }
    }
}

impl Error for CheckError {}

impl From<CheckError> for io::Error {
    fn from(error: CheckError) -> Self {
        let kind = match error {
            CheckError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            CheckError::Read { .. } | CheckError::Damaged { .. } => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_verifier_says_is_placed_in_the_file() {
        let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let cases = [
            (
                VerifyError::Mismatch { block: 2, level: 0 },
                CheckError::Damaged {
                    block: 2,
                    level: 0,
                    offset: 20_480,
                },
            ),
            (
                VerifyError::Mismatch { block: 0, level: 1 },
                CheckError::Damaged {
                    block: 0,
                    level: 1,
                    offset: 12_288,
                },
            ),
            (
                VerifyError::OutOfRange { block: 9 },
                CheckError::Damaged {
                    block: 9,
                    level: 0,
                    offset: 49_152,
                },
            ),
            (
                VerifyError::Io {
                    offset: 7,
                    source: short(),
                },
                CheckError::Truncated { offset: 7 },
            ),
            (
                VerifyError::Io {
                    offset: 7,
                    source: io::Error::from_raw_os_error(libc::EIO),
                },
                CheckError::Read {
                    offset: 7,
                    errno: libc::EIO,
                },
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(CheckError::of(&said, 12_288, 0), expected, "{said}");
        }
    }

    #[test]
    fn it_is_found_beneath_what_the_image_reader_says() {
        let check = CheckError::Damaged {
            block: 1,
            level: 0,
            offset: 4096,
        };
        let wrapped = squashfs::Error::Io {
            part: squashfs::Part::Data,
            offset: 0,
            source: check.clone().into(),
        };
        assert_eq!(CheckError::beneath(&wrapped), Some(check));
        assert_eq!(CheckError::beneath(&squashfs::Error::NotSquashfs), None);
    }

    #[test]
    fn only_a_failed_read_is_no_tampering() {
        assert!(
            !CheckError::Read {
                offset: 0,
                errno: libc::EIO
            }
            .is_tampering()
        );
        assert!(CheckError::Truncated { offset: 0 }.is_tampering());
        assert!(
            CheckError::Damaged {
                block: 0,
                level: 0,
                offset: 0
            }
            .is_tampering()
        );
    }
}
