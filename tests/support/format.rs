//! The file format, read a second time from its description: where the parts of a bundle are, for tests that damage
//! them and for outside judges.

use std::ops::Range;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Alignment of every part, and the size of a block.
pub const BLOCK: usize = 4096;

/// What is signed begins with this; the stored bytes of the manifest follow.
pub const PURPOSE: &[u8] = b"polecat bundle manifest v1\0";

/// Where the section table begins in the superblock.
pub const SECTION_TABLE: usize = 40;

/// Length of an entry of the section table.
pub const SECTION_SIZE: usize = 32;

/// Where the records begin in the signature block.
pub const SIGNATURE_RECORDS: usize = 8;

/// Length of a signature record.
pub const SIGNATURE_SIZE: usize = 128;

const MAGIC: &[u8; 16] = b"\x89POLECAT\r\n\x1a\n\0\0\0\0";
const CHECKSUM: usize = 4064;

/// A bundle's bytes and where its parts are.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The static executable, without padding.
    pub stub: Range<usize>,
    /// One block.
    pub superblock: Range<usize>,
    /// Exactly the manifest's bytes.
    pub manifest: Range<usize>,
    /// One block.
    pub signatures: Range<usize>,
    /// The squashfs image, padded to whole blocks.
    pub image: Range<usize>,
    /// The hash tree. Empty over a single block.
    pub tree: Range<usize>,
}

impl Layout {
    /// Reads the file.
    ///
    /// # Panics
    /// Where it is not a bundle of format version 1.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let stub = 0..elf_end(&bytes);
        let start = stub.end.next_multiple_of(BLOCK);
        let superblock = start..start + BLOCK;
        assert_eq!(
            &bytes[start..start + MAGIC.len()],
            MAGIC,
            "no superblock behind the stub"
        );
        assert_eq!(number(&bytes, start + 16, 4), 1, "format version");
        assert_eq!(number(&bytes, start + 24, 8), bytes.len(), "length of the file");
        let count = number(&bytes, start + 32, 4);
        let section = |kind: usize| {
            let mut entries = (0..count).map(|index| start + SECTION_TABLE + index * SECTION_SIZE);
            let entry = entries.find(|entry| number(&bytes, *entry, 4) == kind);
            let entry = entry.unwrap_or_else(|| panic!("no section of kind {kind}"));
            let offset = number(&bytes, entry + 8, 8);
            offset..offset + number(&bytes, entry + 16, 8)
        };
        let (manifest, signatures, image, tree) = (section(1), section(2), section(3), section(4));
        Self {
            stub,
            superblock,
            manifest,
            signatures,
            image,
            tree,
            bytes,
        }
    }

    /// The manifest, parsed.
    ///
    /// # Panics
    /// Where it is not JSON.
    #[must_use]
    pub fn manifest(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes[self.manifest.clone()]).expect("a manifest of JSON")
    }

    /// Makes the checksum of the superblock right again, as anyone can who changes a bundle.
    ///
    /// # Panics
    /// Never: the parts lie inside the file.
    pub fn renew_checksum(&mut self) {
        let covered = [
            self.superblock.start..self.superblock.start + CHECKSUM,
            self.manifest.clone(),
            self.signatures.clone(),
        ];
        let mut hasher = Sha256::new();
        covered.into_iter().for_each(|part| hasher.update(&self.bytes[part]));
        let checksum = hasher.finalize();
        self.bytes[self.superblock.start + CHECKSUM..self.superblock.end].copy_from_slice(&checksum);
    }

    /// What the signatures sign.
    #[must_use]
    pub fn signed_message(&self) -> Vec<u8> {
        [PURPOSE, &self.bytes[self.manifest.clone()]].concat()
    }

    /// Key id, public key and signature of every record.
    #[must_use]
    pub fn signatures(&self) -> Vec<SignatureRecord> {
        let start = self.signatures.start;
        let count = number(&self.bytes, start, 4);
        (0..count)
            .map(|index| {
                let record = &self.bytes[start + SIGNATURE_RECORDS + index * SIGNATURE_SIZE..];
                SignatureRecord {
                    algorithm: number(record, 0, 4),
                    key_id: record[8..16].to_vec(),
                    public_key: record[16..48].to_vec(),
                    signature: record[48..112].to_vec(),
                }
            })
            .collect()
    }
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureRecord {
    /// 1: ed25519.
    pub algorithm: usize,
    /// The first 8 bytes of the public key's SHA-256.
    pub key_id: Vec<u8>,
    /// 32 bytes.
    pub public_key: Vec<u8>,
    /// 64 bytes.
    pub signature: Vec<u8>,
}

/// An unsigned little-endian number.
fn number(bytes: &[u8], offset: usize, size: usize) -> usize {
    bytes[offset..offset + size]
        .iter()
        .rev()
        .fold(0, |value, byte| (value << 8) | usize::from(*byte))
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a 64-bit ELF file ends: behind its last segment and its section headers.
#[must_use]
pub fn elf_end(bytes: &[u8]) -> usize {
    let (program_headers, section_headers) = (number(bytes, 32, 8), number(bytes, 40, 8));
    let segments = (0..number(bytes, 56, 2)).map(|index| program_headers + index * number(bytes, 54, 2));
    let ends = segments.map(|header| number(bytes, header + 8, 8) + number(bytes, header + 32, 8));
    ends.max()
        .unwrap_or(0)
        .max(section_headers + number(bytes, 58, 2) * number(bytes, 60, 2))
}

/// Types of a 64-bit ELF file's program headers, elf(5).
#[must_use]
pub fn segment_types(bytes: &[u8]) -> Vec<usize> {
    let program_headers = number(bytes, 32, 8);
    (0..number(bytes, 56, 2))
        .map(|index| number(bytes, program_headers + index * number(bytes, 54, 2), 4))
        .collect()
}
