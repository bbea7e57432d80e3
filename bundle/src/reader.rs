//! Reading a bundle: from a file of unknown origin to fields that fit each other.

use crate::cursor::{Extent, first_nonzero};
use crate::elf_end::{ElfEndError, elf_end};
use crate::error::{Damage, NotABundle, ReadError};
use crate::layout::{
    BLOCK_SIZE, ELF_HEAD_LENGTH, FORMAT_VERSION, HEAD_READ_LENGTH, MAGIC, MAX_HEAD_LENGTH, MAX_MANIFEST_LENGTH,
    SIGNED_MESSAGE_PREFIX, align_up,
};
use crate::manifest::Manifest;
use crate::read_at::ReadAt;
use crate::section::SectionKind;
use crate::signatures::{self, Ed25519Record, SignatureRecord};
use crate::superblock::{self, KnownSections, Superblock};

/// The head of a bundle: everything in front of the image, read and free of contradictions.
///
/// Nothing of it is proven to come from anyone. That is for whoever checks [`Bundle::signatures`] over
/// [`Bundle::signed_message`], and parses [`Bundle::manifest_bytes`] only then.
#[derive(Debug, Clone)]
pub struct Bundle {
    stub_length: u64,
    superblock_offset: u64,
    superblock: Superblock,
    sections: KnownSections,
    manifest: Vec<u8>,
    signatures: Vec<SignatureRecord>,
}

impl Bundle {
    /// Finds the superblock behind the ELF executable in front and reads what belongs to it: two reads for any usual
    /// bundle, never more than a little over a mebibyte of memory.
    ///
    /// # Errors
    /// [`ReadError`], all kinds but [`ReadError::Manifest`] and [`ReadError::Disagreement`].
    pub fn read(reader: &(impl ReadAt + ?Sized)) -> Result<Self, ReadError> {
        let file_length = reader.length().map_err(|source| ReadError::Io { offset: 0, source })?;
        let stub_length = find_stub_end(reader, file_length)?;
        let mut head = Head::read(reader, file_length, stub_length)?;
        let (superblock, checksum) = head.superblock()?;
        let manifest = superblock
            .section(SectionKind::Manifest)
            .map_or(0, |section| section.length);
        if manifest > MAX_MANIFEST_LENGTH {
            return Err(Damage::SectionLength {
                kind: SectionKind::Manifest,
            }
            .into());
        }
        let manifest_start = head.superblock_offset + BLOCK_SIZE;
        let signatures_start = manifest_start + manifest.next_multiple_of(BLOCK_SIZE);
        head.extend(reader, signatures_start + BLOCK_SIZE, superblock.file_length)?;

        let manifest_end = manifest_start + manifest;
        let manifest = head.bytes(manifest_start, manifest_end)?;
        let signature_block = head.extent.block(signatures_start).ok_or_else(|| head.truncated(0))?;
        let fields = head
            .extent
            .block(head.superblock_offset)
            .ok_or_else(|| head.truncated(0))?;
        if superblock::checksum(fields, manifest, signature_block) != checksum {
            return Err(Damage::Checksum.into());
        }
        let sections = superblock.check(head.superblock_offset)?;
        if superblock.file_length > file_length {
            return Err(ReadError::Truncated {
                expected: superblock.file_length,
                found: file_length,
            });
        }
        let bundle = Bundle {
            stub_length,
            superblock_offset: head.superblock_offset,
            sections,
            manifest: manifest.to_vec(),
            signatures: signatures::decode(signature_block)?,
            superblock,
        };
        head.check_padding(stub_length, head.superblock_offset)?;
        head.check_padding(manifest_end, signatures_start)?;
        head.extend(reader, bundle.sections.image.offset, file_length)?;
        head.check_padding(signatures_start + BLOCK_SIZE, bundle.sections.image.offset)?;
        Ok(bundle)
    }

    /// Length of the ELF executable in front, in bytes, without the padding behind it.
    pub fn stub_length(&self) -> u64 {
        self.stub_length
    }

    /// The superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Where the superblock begins, in bytes from the beginning of the file.
    pub fn superblock_offset(&self) -> u64 {
        self.superblock_offset
    }

    /// The sections of version 1.
    pub fn sections(&self) -> &KnownSections {
        &self.sections
    }

    /// The manifest exactly as it is stored.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest
    }

    /// The records of the signature block, those of unknown algorithms among them.
    pub fn signatures(&self) -> &[SignatureRecord] {
        &self.signatures
    }

    /// The records of algorithm ed25519.
    pub fn ed25519_signatures(&self) -> impl Iterator<Item = &Ed25519Record> {
        self.signatures.iter().filter_map(|record| match record {
            SignatureRecord::Ed25519(record) => Some(record),
            SignatureRecord::Unknown { .. } => None,
        })
    }

    /// The message that the signatures are over: [`SIGNED_MESSAGE_PREFIX`] and the stored manifest.
    pub fn signed_message(&self) -> Vec<u8> {
        [SIGNED_MESSAGE_PREFIX, &self.manifest].concat()
    }

    /// Checks that a manifest, parsed from [`Bundle::manifest_bytes`] once their signature was checked, says of the file
    /// what the superblock says: the superblock is not signed, the manifest is.
    ///
    /// # Errors
    /// [`ReadError::Disagreement`].
    pub fn check_manifest(&self, manifest: &Manifest) -> Result<(), ReadError> {
        let KnownSections { image, hash_tree, .. } = &self.sections;
        let pairs = [
            (
                "formatVersion",
                u64::from(manifest.format_version),
                u64::from(FORMAT_VERSION),
            ),
            ("stub.length", manifest.stub.length, self.stub_length),
            ("image.offset", manifest.image.offset, image.offset),
            ("image.length", manifest.image.length, image.length),
            ("hashTree.offset", manifest.hash_tree.offset, hash_tree.offset),
            ("hashTree.length", manifest.hash_tree.length, hash_tree.length),
        ];
        match pairs.into_iter().find(|(_, manifest, file)| manifest != file) {
            Some((field, manifest, file)) => Err(ReadError::Disagreement { field, manifest, file }),
            None => Ok(()),
        }
    }
}

/// Where the ELF executable in front ends; the file has at least so many bytes.
fn find_stub_end(reader: &(impl ReadAt + ?Sized), file_length: u64) -> Result<u64, ReadError> {
    let first = read(reader, 0, file_length.min(ELF_HEAD_LENGTH as u64))?;
    match elf_end(&first.bytes) {
        Ok(end) if end > file_length => Err(ReadError::Truncated {
            expected: end,
            found: file_length,
        }),
        Ok(end) if end == file_length => Err(NotABundle::BareExecutable.into()),
        Ok(end) => Ok(end),
        Err(ElfEndError::NotElf) => Err(NotABundle::NotElf.into()),
        Err(ElfEndError::Cut { needed }) => Err(ReadError::Truncated {
            expected: needed,
            found: file_length,
        }),
        Err(ElfEndError::Unusual { what }) => Err(NotABundle::UnusualElf { what }.into()),
    }
}

/// Reads `length` bytes at `start`; the caller has bounded the length by the file's.
fn read(reader: &(impl ReadAt + ?Sized), start: u64, length: u64) -> Result<Extent, ReadError> {
    let io = |source| ReadError::Io { offset: start, source };
    let length = usize::try_from(length).map_err(|_| io(std::io::ErrorKind::OutOfMemory.into()))?;
    let mut bytes = vec![0; length];
    reader.read_exact_at(&mut bytes, start).map_err(io)?;
    Ok(Extent { start, bytes })
}

/// What was read of the file from the end of the stub on.
struct Head {
    extent: Extent,
    superblock_offset: u64,
    /// Length of the file as it is.
    found: u64,
}

impl Head {
    fn read(reader: &(impl ReadAt + ?Sized), found: u64, stub_end: u64) -> Result<Self, ReadError> {
        // Beyond 64 bits there is no file: the stub ends before `found` does.
        let superblock_offset = align_up(stub_end).unwrap_or(u64::MAX);
        let wanted = superblock_offset.saturating_add(HEAD_READ_LENGTH).min(found);
        Ok(Head {
            extent: read(reader, stub_end, wanted - stub_end)?,
            superblock_offset,
            found,
        })
    }

    /// The error for a file that should go on: it should reach at least to the superblock's end.
    fn truncated(&self, expected: u64) -> ReadError {
        let least = self
            .superblock_offset
            .saturating_add(BLOCK_SIZE)
            .max(self.found.saturating_add(1));
        ReadError::Truncated {
            expected: expected.max(least),
            found: self.found,
        }
    }

    fn bytes(&self, from: u64, to: u64) -> Result<&[u8], ReadError> {
        self.extent.range(from, to).ok_or_else(|| self.truncated(to))
    }

    /// Reads on up to `end` where the first read did not reach so far. `expected` is how long the file should be.
    fn extend(&mut self, reader: &(impl ReadAt + ?Sized), end: u64, expected: u64) -> Result<(), ReadError> {
        if end <= self.extent.end() {
            return Ok(());
        }
        if end > self.found {
            return Err(self.truncated(expected));
        }
        debug_assert!(end - self.superblock_offset <= MAX_HEAD_LENGTH);
        let more = read(reader, self.extent.end(), end - self.extent.end())?;
        self.extent.bytes.extend_from_slice(&more.bytes);
        Ok(())
    }

    /// Whether every byte from `from` to `to` is zero.
    fn check_padding(&self, from: u64, to: u64) -> Result<(), ReadError> {
        match first_nonzero(self.bytes(from, to)?) {
            Some(position) => Err(Damage::Padding {
                offset: from + position as u64,
            }
            .into()),
            None => Ok(()),
        }
    }

    /// The superblock's fields and its checksum.
    fn superblock(&self) -> Result<(Superblock, [u8; 32]), ReadError> {
        if let Some(block) = self.extent.block(self.superblock_offset) {
            return Superblock::decode(block);
        }
        // The file ends in the superblock or before it: is what is there the beginning of one?
        let padding_end = self.superblock_offset.min(self.found);
        let padding = self.extent.range(self.extent.start, padding_end).unwrap_or_default();
        let cut = self
            .extent
            .range(self.superblock_offset, self.found)
            .unwrap_or_default();
        if first_nonzero(padding).is_some() || cut.iter().zip(&MAGIC).any(|(found, magic)| found != magic) {
            return Err(NotABundle::ForeignData.into());
        }
        let (version, file_length) = superblock::decode_cut(cut);
        version.map_or(Ok(()), superblock::check_version)?;
        Err(self.truncated(file_length.unwrap_or(0)))
    }
}
