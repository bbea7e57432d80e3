//! Changing a sample by hand, byte offsets taken from `docs/format.md`, with checksum and signature made to fit again: so that
//! a reader has to find the defect itself.

use sha2::{Digest, Sha256};

use super::sample::{self, MANIFEST, SUPERBLOCK};

/// A bundle under the forger's hands.
pub struct Forged(pub Vec<u8>);

impl Forged {
    pub fn put(mut self, offset: usize, bytes: &[u8]) -> Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn put_u32(self, offset: usize, value: u32) -> Self {
        self.put(offset, &value.to_le_bytes())
    }

    pub fn put_u64(self, offset: usize, value: u64) -> Self {
        self.put(offset, &value.to_le_bytes())
    }

    pub fn flip(mut self, offset: usize) -> Self {
        self.0[offset] ^= 1;
        self
    }

    pub fn cut(mut self, length: usize) -> Self {
        self.0.truncate(length);
        self
    }

    pub fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.0[offset..offset + 8].try_into().unwrap())
    }

    pub fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.0[offset..offset + 4].try_into().unwrap())
    }

    /// Where the section table's entry of this kind is: the first of those that `matches`.
    fn entry_that(&self, matches: impl Fn(u32) -> bool) -> usize {
        let count = usize::try_from(self.u32(SUPERBLOCK + 32)).unwrap();
        let mut entries = (0..count).map(|index| SUPERBLOCK + 40 + index * 32);
        entries
            .find(|&entry| matches(self.u32(entry)))
            .expect("an entry of this kind")
    }

    pub fn entry(&self, kind: u32) -> usize {
        self.entry_that(|found| found == kind)
    }

    /// The entry of the unknown section that the writer puts into every bundle.
    pub fn unknown_entry(&self) -> usize {
        self.entry_that(|found| found >= 0x8000_0000)
    }

    pub fn section_offset(&self, kind: u32) -> usize {
        usize::try_from(self.u64(self.entry(kind) + 8)).unwrap()
    }

    pub fn manifest(&self) -> &[u8] {
        let length = usize::try_from(self.u64(self.entry(1) + 16)).unwrap();
        &self.0[MANIFEST..MANIFEST + length]
    }

    fn signature_block(&self) -> usize {
        MANIFEST + self.manifest().len().next_multiple_of(4096)
    }

    /// The checksum made to fit.
    pub fn seal(self) -> Self {
        let block = self.signature_block();
        let checksum = Sha256::new()
            .chain_update(&self.0[SUPERBLOCK..SUPERBLOCK + 4064])
            .chain_update(self.manifest())
            .chain_update(&self.0[block..block + 4096])
            .finalize();
        self.put(SUPERBLOCK + 4064, &checksum)
    }

    /// The first signature made to fit, by the first sample key, and the checksum.
    pub fn sign(self) -> Self {
        let signature = sample::keys()[0].sign(signing::Purpose::BundleManifest, self.manifest());
        let record = self.signature_block() + 8;
        self.put(record + 48, &signature.0).seal()
    }

    /// Another manifest of at most a block in place of the old one, signed.
    pub fn with_manifest(self, manifest: &[u8]) -> Self {
        assert!(manifest.len() <= 4096 && self.manifest().len() <= 4096);
        let length_field = self.entry(1) + 16;
        self.put(MANIFEST, &[0; 4096])
            .put(MANIFEST, manifest)
            .put_u64(length_field, manifest.len() as u64)
            .sign()
    }

    /// The manifest with one text in it replaced, signed.
    pub fn edit_manifest(self, from: &str, to: &str) -> Self {
        let manifest = String::from_utf8(self.manifest().to_vec()).unwrap();
        assert!(manifest.contains(from), "{from} is not in {manifest}");
        let edited = manifest.replacen(from, to, 1);
        self.with_manifest(edited.as_bytes())
    }
}
