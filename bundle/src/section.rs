//! The section table: what lies where behind the superblock.

mod content;

use std::fmt;

use crate::cursor::Cursor;
use crate::error::Damage;
use crate::layout::SECTION_ENTRY_LENGTH;

pub use content::{MAX_LENGTH, SectionReadError};

/// Flag of a section that a reader must know to use the bundle at all.
pub const CRITICAL: u32 = 1;

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SectionKind {
    /// Kind 1: the manifest, see [`crate::manifest`].
    Manifest,
    /// Kind 2: the signature block, see [`crate::signatures`].
    Signatures,
    /// Kind 3: the squashfs image.
    Image,
    /// Kind 4: the hash tree over the image, see [`crate::hash_tree`].
    HashTree,
    /// Kind 5: what packages the image is made of. Ignorable.
    Packages,
    /// Kind 6: why each path is in the image. Ignorable.
    Reasons,
    /// Kind 7: which paths the root file system had, see [`crate::path_set`]. Ignorable.
    Paths,
    /// Any other kind, by its number.
    Unknown(u32),
}

impl SectionKind {
    /// The kinds that a bundle of version 1 has, in the order of the file.
    pub const KNOWN: [SectionKind; 4] = [Self::Manifest, Self::Signatures, Self::Image, Self::HashTree];

    /// The kind with this number.
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Manifest,
            2 => Self::Signatures,
            3 => Self::Image,
            4 => Self::HashTree,
            5 => Self::Packages,
            6 => Self::Reasons,
            7 => Self::Paths,
            other => Self::Unknown(other),
        }
    }

    /// The number as it is stored.
    pub const fn number(self) -> u32 {
        match self {
            Self::Manifest => 1,
            Self::Signatures => 2,
            Self::Image => 3,
            Self::HashTree => 4,
            Self::Packages => 5,
            Self::Reasons => 6,
            Self::Paths => 7,
            Self::Unknown(number) => number,
        }
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest"),
            Self::Signatures => f.write_str("signatures"),
            Self::Image => f.write_str("image"),
            Self::HashTree => f.write_str("hash tree"),
            Self::Packages => f.write_str("packages"),
            Self::Reasons => f.write_str("reasons"),
            Self::Paths => f.write_str("paths"),
            Self::Unknown(number) => write!(f, "section of kind {number:#x}"),
        }
    }
}

/// An entry of the section table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Bit 0: [`CRITICAL`]. The others have no meaning yet.
    pub flags: u32,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes, without the padding behind it.
    pub length: u64,
}

impl Section {
    /// A section that version 1 cannot do without: a critical one.
    pub const fn known(kind: SectionKind, offset: u64, length: u64) -> Self {
        Section {
            kind,
            flags: CRITICAL,
            offset,
            length,
        }
    }

    /// Whether a reader that does not know the kind must refuse the bundle.
    pub const fn is_critical(&self) -> bool {
        self.flags & CRITICAL != 0
    }

    /// File offset behind the last byte; none when that is more than 64 bits hold.
    pub const fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }

    /// The entry at the cursor.
    pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Damage> {
        let read = |cursor: &mut Cursor<'_>| {
            Some((
                cursor.u32()?,
                cursor.u32()?,
                cursor.u64()?,
                cursor.u64()?,
                cursor.u64()?,
            ))
        };
        let (kind, flags, offset, length, reserved) = read(cursor).ok_or(Damage::SectionCount)?;
        if reserved != 0 {
            return Err(Damage::Reserved { place: "section table" });
        }
        Ok(Section {
            kind: SectionKind::from_number(kind),
            flags,
            offset,
            length,
        })
    }

    /// The entry as it is stored.
    pub(crate) fn encode(&self) -> [u8; SECTION_ENTRY_LENGTH] {
        let mut entry = [0; SECTION_ENTRY_LENGTH];
        entry[0..4].copy_from_slice(&self.kind.number().to_le_bytes());
        entry[4..8].copy_from_slice(&self.flags.to_le_bytes());
        entry[8..16].copy_from_slice(&self.offset.to_le_bytes());
        entry[16..24].copy_from_slice(&self.length.to_le_bytes());
        entry
    }
}
