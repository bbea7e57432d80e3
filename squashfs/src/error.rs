//! What can go wrong with an image.

use std::fmt;
use std::io;

/// The part of an image that was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first 96 bytes.
    Superblock,
    /// The metadata blocks that hold the inodes.
    InodeTable,
    /// The metadata blocks that hold the directory listings.
    DirectoryTable,
    /// The table of fragment blocks.
    FragmentTable,
    /// The table of user and group ids.
    IdTable,
    /// A block of file data.
    Data,
    /// A block shared by the tail ends of several files.
    Fragment,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Superblock => "superblock",
            Self::InodeTable => "inode table",
            Self::DirectoryTable => "directory table",
            Self::FragmentTable => "fragment table",
            Self::IdTable => "id table",
            Self::Data => "data block",
            Self::Fragment => "fragment block",
        }
    }
}

/// Why an image, or something in it, could not be read.
#[derive(Debug)]
pub enum Error {
    /// The reader under the image failed. The reader's own error is the [source](std::error::Error::source).
    Io {
        /// What was being read.
        part: Part,
        /// Where in the image, in bytes.
        offset: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// The magic number of squashfs is not there.
    NotSquashfs,
    /// A squashfs of another version than 4.0.
    Version {
        /// As the superblock has it.
        major: u16,
        /// As the superblock has it.
        minor: u16,
    },
    /// A compressor other than zstd.
    Compressor {
        /// The superblock's number for it.
        id: u16,
    },
    /// The image contradicts the format or itself.
    Damaged {
        /// Where the contradiction was found.
        part: Part,
        /// Where in the image, in bytes: of the metadata block, the table entry or the data block.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A directory was needed, and the inode is none.
    NotADirectory {
        /// Its number.
        inode: u32,
    },
    /// A regular file was needed, and the inode is none.
    NotAFile {
        /// Its number.
        inode: u32,
    },
    /// A symbolic link was needed, and the inode is none.
    NotASymlink {
        /// Its number.
        inode: u32,
    },
    /// No memory for a decompressor.
    NoMemory,
}

impl Error {
    /// In a box, as all errors are inside of this crate: moved as they are from call to call, they would take kilobytes of code.
    pub(crate) fn damaged(part: Part, offset: u64, what: &'static str) -> Box<Self> {
        Box::new(Self::Damaged { part, offset, what })
    }

    /// What the user may try, if anything helps.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotSquashfs | Self::Damaged { .. } => "get the file again, it may have been damaged on its way",
            Self::Version { .. } => "make the image again, with squashfs 4.0",
            Self::Compressor { .. } => "make the image again, with zstd (mksquashfs -comp zstd)",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
                "get the file again, it may have been cut short on its way"
            }
            Self::NoMemory => "end other programs, or raise the memory limit",
            Self::Io { .. } | Self::NotADirectory { .. } | Self::NotAFile { .. } | Self::NotASymlink { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { part, offset, source } => {
                write!(f, "squashfs {} at byte {offset} cannot be read: {source}", part.name())
            }
            Self::NotSquashfs => f.write_str("not a squashfs image"),
            Self::Version { major, minor } => write!(f, "squashfs version {major}.{minor} is not supported"),
            Self::Compressor { id } => {
                write!(
                    f,
                    "squashfs compressor {id} ({}) is not supported",
                    compressor_name(*id)
                )
            }
            Self::Damaged { part, offset, what } => {
                write!(f, "squashfs {} at byte {offset} is damaged: {what}", part.name())
            }
            Self::NotADirectory { inode } => write!(f, "squashfs inode {inode} is not a directory"),
            Self::NotAFile { inode } => write!(f, "squashfs inode {inode} is not a regular file"),
            Self::NotASymlink { inode } => write!(f, "squashfs inode {inode} is not a symbolic link"),
            Self::NoMemory => f.write_str("no memory for a zstd decompressor"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The compressors of squashfs 4.0, by the superblock's number.
const fn compressor_name(id: u16) -> &'static str {
    match id {
        1 => "gzip",
        2 => "lzma",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_what_and_where() {
        let table = [
            (
                Error::Compressor { id: 4 },
                "squashfs compressor 4 (xz) is not supported",
            ),
            (
                Error::Version { major: 3, minor: 1 },
                "squashfs version 3.1 is not supported",
            ),
            (
                Error::Damaged {
                    part: Part::InodeTable,
                    offset: 4711,
                    what: "no such inode type",
                },
                "squashfs inode table at byte 4711 is damaged: no such inode type",
            ),
            (
                Error::Io {
                    part: Part::Data,
                    offset: 96,
                    source: io::Error::from(io::ErrorKind::UnexpectedEof),
                },
                "squashfs data block at byte 96 cannot be read: unexpected end of file",
            ),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
