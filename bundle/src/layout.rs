//! Numbers of the format, each with its reason. Normative: `docs/format.md`.

/// Everything of the bundle begins at a multiple of this many bytes, and the hash tree has blocks of this size: the page
/// size that every Linux can map, the block size of dm-verity and the least alignment a loop device takes with direct I/O.
pub const BLOCK_SIZE: u64 = 4096;

/// [`BLOCK_SIZE`] as a length in memory.
pub const BLOCK_LENGTH: usize = 4096;

/// First bytes of the superblock. Modelled on PNG: a byte that is not ASCII, both line ends and a Ctrl-Z show what a
/// transfer in text mode has done; the zeros fill it to 16.
pub const MAGIC: [u8; 16] = *b"\x89POLECAT\r\n\x1a\n\0\0\0\0";

/// The version of the format that this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// Longest manifest in bytes. A manifest is some kilobytes; a mebibyte leaves room for a hundred thousand words and is
/// still nothing to allocate on the smallest board.
pub const MAX_MANIFEST_LENGTH: u64 = 1 << 20;

/// Length of a section table entry in bytes.
pub const SECTION_ENTRY_LENGTH: usize = 32;

/// Where the section table begins in the superblock.
pub const SECTION_TABLE_OFFSET: usize = 40;

/// Where the checksum begins in the superblock: its last 32 bytes.
pub const CHECKSUM_OFFSET: usize = BLOCK_LENGTH - DIGEST_LENGTH;

/// Most entries of the section table: what fits between its beginning and the checksum.
pub const MAX_SECTIONS: usize = (CHECKSUM_OFFSET - SECTION_TABLE_OFFSET) / SECTION_ENTRY_LENGTH;

/// Length of the signature block in bytes. Fixed, so that a signature is added without moving anything.
pub const SIGNATURE_BLOCK_LENGTH: usize = BLOCK_LENGTH;

/// Length of a signature record in bytes.
pub const SIGNATURE_RECORD_LENGTH: usize = 128;

/// Where the records begin in the signature block.
pub const SIGNATURE_RECORDS_OFFSET: usize = 8;

/// Most records of the signature block: what fits behind its first eight bytes.
pub const MAX_SIGNATURES: usize = (SIGNATURE_BLOCK_LENGTH - SIGNATURE_RECORDS_OFFSET) / SIGNATURE_RECORD_LENGTH;

/// Length of a SHA-256 digest in bytes.
pub const DIGEST_LENGTH: usize = 32;

/// Digests in one block of the hash tree.
pub const DIGESTS_PER_BLOCK: u64 = BLOCK_SIZE / DIGEST_LENGTH as u64;

/// Longest salt of a hash tree in bytes. dm-verity would take 256; more than a digest's length adds nothing.
pub const MAX_SALT_LENGTH: usize = DIGEST_LENGTH;

/// Longest distance from the superblock to the image: superblock, the longest manifest, signature block. What a reader
/// may have to hold in memory before it has checked anything.
pub const MAX_HEAD_LENGTH: u64 = BLOCK_SIZE + MAX_MANIFEST_LENGTH + BLOCK_SIZE;

/// How much a reader fetches at once from the end of the stub on: enough for any usual manifest.
pub const HEAD_READ_LENGTH: u64 = 64 << 10;

/// How much of the stub is read to find its end. The ELF header and its program headers must lie in it; a linker puts
/// them first, and 71 program headers fit.
pub const ELF_HEAD_LENGTH: usize = BLOCK_LENGTH;

/// What stands before the manifest's bytes in the message that is signed, so that a signature made for anything else
/// is none for a bundle.
pub const SIGNED_MESSAGE_PREFIX: &[u8] = b"polecat bundle manifest v1\0";

/// Section kinds from here on are never assigned: writers put one into every bundle so that readers keep skipping what
/// they do not know.
pub const FIRST_UNASSIGNED_KIND: u32 = 0x8000_0000;

/// `value` rounded up to a multiple of [`BLOCK_SIZE`]; none when that is more than 64 bits hold.
pub const fn align_up(value: u64) -> Option<u64> {
    value.checked_next_multiple_of(BLOCK_SIZE)
}

/// Whether `value` is a multiple of [`BLOCK_SIZE`].
pub const fn is_aligned(value: u64) -> bool {
    value.is_multiple_of(BLOCK_SIZE)
}
