//! The superblock: the block behind the stub that says where everything is.
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 16 | magic |
//! | 16 | 4 | format version |
//! | 20 | 4 | flags, 0 |
//! | 24 | 8 | file length in bytes |
//! | 32 | 4 | number of sections |
//! | 36 | 4 | reserved, 0 |
//! | 40 | 32 each | section table |
//! | … | | zeros |
//! | 4064 | 32 | SHA-256 over bytes 0–4063, the manifest and the signature block |

#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

use crate::cursor::{Cursor, first_nonzero};
use crate::error::{Damage, NotABundle, ReadError};
use crate::hash_tree::Geometry;
use crate::layout::{
    BLOCK_LENGTH, BLOCK_SIZE, CHECKSUM_OFFSET, DIGEST_LENGTH, FORMAT_VERSION, MAGIC, MAX_HEAD_LENGTH,
    MAX_MANIFEST_LENGTH, MAX_SECTIONS, SECTION_ENTRY_LENGTH, SECTION_TABLE_OFFSET, SIGNATURE_BLOCK_LENGTH, align_up,
    is_aligned,
};
use crate::section::{CRITICAL, Section, SectionKind};

/// The superblock's fields. Its format version is always [`FORMAT_VERSION`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// Flags; none is defined yet.
    pub flags: u32,
    /// Length of the whole bundle in bytes. What lies behind is not part of it.
    pub file_length: u64,
    /// The section table.
    pub sections: Vec<Section>,
}

/// The four sections of version 1, each in a place where it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownSections {
    /// The manifest.
    pub manifest: Section,
    /// The signature block.
    pub signatures: Section,
    /// The image.
    pub image: Section,
    /// The hash tree.
    pub hash_tree: Section,
}

impl Superblock {
    /// The first section of this kind.
    pub fn section(&self, kind: SectionKind) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    /// Reads the fields, and the checksum beside them. What they mean together is checked by [`Superblock::check`], once
    /// the checksum has shown that they are as they were written.
    pub(crate) fn decode(block: &[u8; BLOCK_LENGTH]) -> Result<(Self, [u8; DIGEST_LENGTH]), ReadError> {
        let too_short = Damage::SectionCount;
        let mut cursor = Cursor::new(block);
        check_magic(&cursor.array().ok_or(too_short)?)?;
        check_version(cursor.u32().ok_or(too_short)?)?;
        let flags = cursor.u32().ok_or(too_short)?;
        let file_length = cursor.u64().ok_or(too_short)?;
        let count = cursor.u32().ok_or(too_short)?;
        let reserved = cursor.u32().ok_or(too_short)?;
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= MAX_SECTIONS)
            .ok_or(too_short)?;
        let mut sections = Vec::with_capacity(count);
        for _ in 0..count {
            sections.push(Section::decode(&mut cursor)?);
        }
        let unused = cursor
            .take((MAX_SECTIONS - count) * SECTION_ENTRY_LENGTH + UNUSABLE)
            .ok_or(too_short)?;
        if reserved != 0 || first_nonzero(unused).is_some() {
            return Err(Damage::Reserved { place: "superblock" }.into());
        }
        let checksum = cursor.array().ok_or(too_short)?;
        Ok((
            Superblock {
                flags,
                file_length,
                sections,
            },
            checksum,
        ))
    }

    /// The block as it is stored, with its checksum over what it is written with.
    pub(crate) fn encode(&self, manifest: &[u8], signature_block: &[u8]) -> Result<[u8; BLOCK_LENGTH], Damage> {
        let count = self.sections.len();
        if count > MAX_SECTIONS {
            return Err(Damage::SectionCount);
        }
        let mut fields = Vec::with_capacity(BLOCK_LENGTH);
        fields.extend_from_slice(&MAGIC);
        fields.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        fields.extend_from_slice(&self.flags.to_le_bytes());
        fields.extend_from_slice(&self.file_length.to_le_bytes());
        fields.extend_from_slice(&u32::try_from(count).map_err(|_| Damage::SectionCount)?.to_le_bytes());
        fields.extend_from_slice(&0u32.to_le_bytes());
        for section in &self.sections {
            fields.extend_from_slice(&section.encode());
        }
        let mut block = [0; BLOCK_LENGTH];
        block[..fields.len()].copy_from_slice(&fields);
        let checksum = checksum(&block, manifest, signature_block);
        block[CHECKSUM_OFFSET..].copy_from_slice(&checksum);
        Ok(block)
    }

    /// Checks the table against the rules of the format and gives the sections of version 1.
    ///
    /// # Errors
    /// [`ReadError::UnknownFlags`], [`ReadError::UnknownSection`] or [`ReadError::Damaged`].
    pub fn check(&self, superblock_offset: u64) -> Result<KnownSections, ReadError> {
        if self.flags != 0 {
            return Err(ReadError::UnknownFlags { flags: self.flags });
        }
        self.check_kinds()?;
        self.check_bounds(superblock_offset)?;
        let known = KnownSections {
            manifest: self.only(SectionKind::Manifest)?,
            signatures: self.only(SectionKind::Signatures)?,
            image: self.only(SectionKind::Image)?,
            hash_tree: self.only(SectionKind::HashTree)?,
        };
        known.check_places(superblock_offset)?;
        Ok(known)
    }

    fn check_kinds(&self) -> Result<(), ReadError> {
        for section in &self.sections {
            match section.kind {
                // Nobody may make critical what was ignorable from the beginning.
                kind
                @ (SectionKind::Unknown(_) | SectionKind::Packages | SectionKind::Reasons | SectionKind::Paths)
                    if section.is_critical() =>
                {
                    return Err(ReadError::UnknownSection { kind: kind.number() });
                }
                SectionKind::Unknown(_) | SectionKind::Packages | SectionKind::Reasons | SectionKind::Paths => {}
                kind if section.flags != CRITICAL => return Err(Damage::SectionFlags { kind }.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Every section inside the file and behind the superblock, no two of them sharing a byte.
    fn check_bounds(&self, superblock_offset: u64) -> Result<(), Damage> {
        let first = superblock_offset.checked_add(BLOCK_SIZE);
        // In order: the library's sort would take a kilobyte of the stub.
        let mut ranges: Vec<(u64, u64, SectionKind)> = Vec::with_capacity(self.sections.len());
        for &Section {
            kind, offset, length, ..
        } in &self.sections
        {
            match offset.checked_add(length) {
                Some(end) if Some(offset) >= first && end <= self.file_length => {
                    let range = (offset, end, kind);
                    if length > 0 {
                        ranges.insert(ranges.partition_point(|known| *known < range), range);
                    }
                }
                _ => return Err(Damage::SectionBounds { kind }),
            }
        }
        let overlap = ranges
            .iter()
            .zip(ranges.iter().skip(1))
            .find(|(before, after)| after.0 < before.1);
        overlap.map_or(Ok(()), |(_, after)| Err(Damage::SectionOverlap { kind: after.2 }))
    }

    fn only(&self, kind: SectionKind) -> Result<Section, Damage> {
        let mut found = self.sections.iter().filter(|section| section.kind == kind);
        match (found.next(), found.next()) {
            (None, _) => Err(Damage::MissingSection { kind }),
            (Some(section), None) => Ok(*section),
            (Some(_), Some(_)) => Err(Damage::RepeatedSection { kind }),
        }
    }
}

/// Bytes between the last entry that would fit in the table and the checksum.
const UNUSABLE: usize = CHECKSUM_OFFSET - SECTION_TABLE_OFFSET - MAX_SECTIONS * SECTION_ENTRY_LENGTH;

impl KnownSections {
    fn check_places(&self, superblock_offset: u64) -> Result<(), Damage> {
        let place = |at_its_place: bool, section: &Section| {
            if at_its_place {
                Ok(())
            } else {
                Err(Damage::SectionPlace { kind: section.kind })
            }
        };
        let length = |fits: bool, section: &Section| {
            if fits {
                Ok(())
            } else {
                Err(Damage::SectionLength { kind: section.kind })
            }
        };
        let KnownSections {
            manifest,
            signatures,
            image,
            hash_tree,
        } = self;
        place(
            Some(manifest.offset) == superblock_offset.checked_add(BLOCK_SIZE),
            manifest,
        )?;
        length((1..=MAX_MANIFEST_LENGTH).contains(&manifest.length), manifest)?;
        place(Some(signatures.offset) == manifest.end().and_then(align_up), signatures)?;
        length(signatures.length == SIGNATURE_BLOCK_LENGTH as u64, signatures)?;
        let furthest = superblock_offset.checked_add(MAX_HEAD_LENGTH);
        let nearest = signatures.end();
        place(
            is_aligned(image.offset) && Some(image.offset) >= nearest && Some(image.offset) <= furthest,
            image,
        )?;
        length(is_aligned(image.length), image)?;
        let geometry =
            Geometry::new(image.length / BLOCK_SIZE).map_err(|_| Damage::SectionLength { kind: image.kind })?;
        place(Some(hash_tree.offset) == image.end(), hash_tree)?;
        length(hash_tree.length == geometry.tree_length(), hash_tree)
    }
}

/// Format version and file length from the first bytes of a superblock that is cut short, as far as they are there.
pub(crate) fn decode_cut(bytes: &[u8]) -> (Option<u32>, Option<u64>) {
    let mut cursor = Cursor::new(bytes);
    let version = cursor.array::<{ MAGIC.len() }>().and_then(|_magic| cursor.u32());
    let flags = version.and_then(|_| cursor.u32());
    (version, flags.and_then(|_| cursor.u64()))
}

fn check_magic(found: &[u8; MAGIC.len()]) -> Result<(), ReadError> {
    match found {
        &MAGIC => Ok(()),
        // The name is there, the line ends behind it are not what they were.
        mangled if mangled.starts_with(b"\x89POLECAT") => Err(Damage::Magic.into()),
        _ => Err(NotABundle::ForeignData.into()),
    }
}

/// Whether this reader knows the version. Asked before anything else is looked at: all of it may be different there.
pub(crate) fn check_version(version: u32) -> Result<(), ReadError> {
    match version {
        0 => Err(Damage::Version.into()),
        FORMAT_VERSION => Ok(()),
        version => Err(ReadError::Newer { version }),
    }
}

/// SHA-256 over the block without its last 32 bytes, the manifest and the signature block.
pub(crate) fn checksum(block: &[u8; BLOCK_LENGTH], manifest: &[u8], signature_block: &[u8]) -> [u8; DIGEST_LENGTH] {
    let (fields, _) = block.split_at(CHECKSUM_OFFSET);
    Sha256::new()
        .chain_update(fields)
        .chain_update(manifest)
        .chain_update(signature_block)
        .finalize()
        .into()
}
