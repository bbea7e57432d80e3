//! Writing a bundle: the stub first, the image where it belongs, the head last, when everything it says is known.

mod error;
mod output;
mod window;

use std::io::SeekFrom;

use sha2::{Digest, Sha256};

use crate::elf_end::elf_end;
use crate::hash_tree::{BlockDigest, Tree, TreeBuilder};
use crate::layout::{
    BLOCK_SIZE, ELF_HEAD_LENGTH, FIRST_UNASSIGNED_KIND, MAX_MANIFEST_LENGTH, MAX_SALT_LENGTH, SIGNATURE_BLOCK_LENGTH,
    align_up,
};
use crate::manifest::{HashTreeRecord, Manifest, SectionRecord, StubRecord, encode_hex};
use crate::section::{Section, SectionKind};
use crate::signatures::{self, SignatureRecord};
use crate::superblock::Superblock;

pub use error::WriteError;
pub use output::Output;
pub use window::Window;

/// How much of the image is read at once to make its hash tree.
const IMAGE_READ_LENGTH: usize = 1 << 20;

/// Writes a bundle. The order is [`BundleWriter::create`], the image into [`BundleWriter::image`], [`BundleWriter::finish`].
#[derive(Debug)]
pub struct BundleWriter<W> {
    output: W,
    stub: StubRecord,
    superblock_offset: u64,
    manifest_capacity: u64,
    image_offset: u64,
    packages: Option<Vec<u8>>,
    reasons: Option<Vec<u8>>,
    paths: Option<Vec<u8>>,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The manifest with everything filled in.
    pub manifest: Manifest,
    /// Length of the bundle in bytes.
    pub file_length: u64,
    /// Where the superblock begins, in bytes from the beginning.
    pub superblock_offset: u64,
    /// The signatures.
    pub signatures: Vec<SignatureRecord>,
}

impl<W: Output> BundleWriter<W> {
    /// Empties the file and writes the stub. `manifest_capacity` is what is left for the manifest, in bytes: see
    /// [`Manifest::capacity`].
    ///
    /// # Errors
    /// [`WriteError::Stub`], [`WriteError::Capacity`] when the format does not allow so long a manifest, [`WriteError::Io`].
    pub fn create(mut output: W, stub: &[u8], manifest_capacity: u64) -> Result<Self, WriteError> {
        let length = stub.len() as u64;
        let end = elf_end(stub.chunks(ELF_HEAD_LENGTH).next().unwrap_or_default()).ok();
        if end != Some(length) {
            return Err(WriteError::Stub { elf_end: end, length });
        }
        if manifest_capacity > MAX_MANIFEST_LENGTH {
            return Err(WriteError::Capacity {
                length: manifest_capacity,
                capacity: MAX_MANIFEST_LENGTH,
            });
        }
        let superblock_offset = align_up(length).ok_or(WriteError::Overflow)?;
        let manifest_capacity = manifest_capacity.max(1).next_multiple_of(BLOCK_SIZE);
        let image_offset = superblock_offset + BLOCK_SIZE + manifest_capacity + SIGNATURE_BLOCK_LENGTH as u64;
        let io = |source| WriteError::Io { offset: 0, source };
        output.set_length(0).map_err(io)?;
        output.rewind().map_err(io)?;
        output.write_all(stub).map_err(io)?;
        output.set_length(image_offset).map_err(io)?;
        let stub = StubRecord {
            length,
            sha256: encode_hex(&Sha256::digest(stub)),
        };
        Ok(BundleWriter {
            output,
            stub,
            superblock_offset,
            manifest_capacity,
            image_offset,
            packages: None,
            reasons: None,
            paths: None,
        })
    }

    /// Gives the bundle a section of packages. Room for its record is left where the manifest that [`Manifest::capacity`] was asked
    /// of had one.
    pub fn packages(&mut self, contents: Vec<u8>) {
        self.packages = Some(contents);
    }

    /// Gives the bundle a section of reasons, the same way.
    pub fn reasons(&mut self, contents: Vec<u8>) {
        self.reasons = Some(contents);
    }

    /// Gives the bundle a section of paths, which [`crate::path_set`] makes, the same way.
    pub fn paths(&mut self, contents: Vec<u8>) {
        self.paths = Some(contents);
    }

    /// Where the image begins, in bytes from the beginning of the file.
    pub fn image_offset(&self) -> u64 {
        self.image_offset
    }

    /// The place for the image: a file of its own that begins at [`BundleWriter::image_offset`].
    pub fn image(&mut self) -> Window<'_, W> {
        Window::new(&mut self.output, self.image_offset)
    }

    /// Ends the bundle: pads the image, which is `image_length` bytes long (whatever was written behind is dropped), writes
    /// the hash tree, the manifest, the signatures and the superblock.
    ///
    /// Of `manifest`, the writer fills in `stub`, `image.offset`, `image.length`, `hash_tree`, `packages`, `reasons` and `paths`. `sign`
    /// is given the manifest's bytes as they are stored, without the prefix of the signed message, and answers with the records to store.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn finish(
        mut self,
        image_length: u64,
        mut manifest: Manifest,
        salt: &[u8],
        sign: impl FnOnce(&[u8]) -> Vec<SignatureRecord>,
    ) -> Result<Summary, WriteError> {
        if salt.len() > MAX_SALT_LENGTH {
            return Err(WriteError::Salt { length: salt.len() });
        }
        let image = self.pad_image(image_length)?;
        let tree = self.hash_image(&image, salt)?;
        let hash_tree = Section::known(
            SectionKind::HashTree,
            image.offset + image.length,
            tree.bytes.len() as u64,
        );
        self.write(hash_tree.offset, &tree.bytes)?;
        manifest.stub = self.stub.clone();
        manifest.image.offset = image.offset;
        manifest.image.length = image.length;
        manifest.hash_tree = HashTreeRecord {
            offset: hash_tree.offset,
            length: hash_tree.length,
            salt: encode_hex(salt),
            root_digest: encode_hex(&tree.root_digest),
        };
        let mut sections = vec![image, hash_tree];
        let optional = [
            (SectionKind::Packages, self.packages.take(), &mut manifest.packages),
            (SectionKind::Reasons, self.reasons.take(), &mut manifest.reasons),
            (SectionKind::Paths, self.paths.take(), &mut manifest.paths),
        ];
        for (kind, contents, record) in optional {
            *record = match contents {
                Some(contents) => Some(self.write_ignorable(kind, &contents, &mut sections)?),
                None => None,
            };
        }
        self.write_head(manifest, sections, salt, sign)
    }

    /// Writes an ignorable section behind those that are there, and adds it to them.
    fn write_ignorable(
        &mut self,
        kind: SectionKind,
        contents: &[u8],
        sections: &mut Vec<Section>,
    ) -> Result<SectionRecord, WriteError> {
        let offset = sections.last().and_then(Section::end).ok_or(WriteError::Overflow)?;
        self.write(offset, contents)?;
        let length = contents.len() as u64;
        sections.push(Section {
            kind,
            flags: 0,
            offset,
            length,
        });
        Ok(SectionRecord {
            offset,
            length,
            sha256: encode_hex(&Sha256::digest(contents)),
        })
    }

    /// Writes manifest, signatures and superblock. `behind` are the image and what follows it.
    fn write_head(
        mut self,
        manifest: Manifest,
        behind: Vec<Section>,
        salt: &[u8],
        sign: impl FnOnce(&[u8]) -> Vec<SignatureRecord>,
    ) -> Result<Summary, WriteError> {
        let bytes = manifest.to_bytes().map_err(WriteError::Manifest)?;
        let length = bytes.len() as u64;
        if length > self.manifest_capacity {
            return Err(WriteError::Capacity {
                length,
                capacity: self.manifest_capacity,
            });
        }
        let records = sign(&bytes);
        let signature_block =
            signatures::encode(&records).map_err(|_| WriteError::Signatures { count: records.len() })?;
        let at_manifest = Section::known(SectionKind::Manifest, self.superblock_offset + BLOCK_SIZE, length);
        let signatures_offset = at_manifest.offset + length.next_multiple_of(BLOCK_SIZE);
        let at_signatures = Section::known(
            SectionKind::Signatures,
            signatures_offset,
            SIGNATURE_BLOCK_LENGTH as u64,
        );
        let file_length = behind
            .iter()
            .filter_map(Section::end)
            .max()
            .ok_or(WriteError::Overflow)?;
        let sections = [vec![at_manifest, at_signatures], behind].concat();
        let sections = with_unknown_section(sections, file_length, salt);
        let superblock = Superblock {
            flags: 0,
            file_length,
            sections,
        };
        let block = superblock
            .encode(&bytes, &signature_block)
            .map_err(|_| WriteError::Superblock)?;
        self.write(at_manifest.offset, &bytes)?;
        self.write(at_signatures.offset, &signature_block)?;
        self.write(self.superblock_offset, &block)?;
        self.output.flush().map_err(|source| WriteError::Io {
            offset: file_length,
            source,
        })?;
        Ok(Summary {
            manifest,
            file_length,
            superblock_offset: self.superblock_offset,
            signatures: records,
        })
    }

    /// Cuts what lies behind the image and fills it up with zeros to whole blocks.
    fn pad_image(&mut self, length: u64) -> Result<Section, WriteError> {
        let padded = align_up(length).ok_or(WriteError::Overflow)?;
        let end = self.image_offset.checked_add(padded).ok_or(WriteError::Overflow)?;
        let io = |source| WriteError::Io {
            offset: self.image_offset,
            source,
        };
        let written = self
            .output
            .seek(SeekFrom::End(0))
            .map_err(io)?
            .saturating_sub(self.image_offset);
        if length > written {
            return Err(WriteError::ImageLength { length, written });
        }
        for file_length in [self.image_offset + length, end] {
            self.output.set_length(file_length).map_err(|source| WriteError::Io {
                offset: file_length,
                source,
            })?;
        }
        Ok(Section::known(SectionKind::Image, self.image_offset, padded))
    }

    /// Reads the image back and makes its hash tree.
    fn hash_image(&mut self, image: &Section, salt: &[u8]) -> Result<Tree, WriteError> {
        let mut builder = TreeBuilder::new(salt);
        let mut buffer = vec![0; IMAGE_READ_LENGTH];
        let mut offset = image.offset;
        let mut left = image.length;
        self.output
            .seek(SeekFrom::Start(offset))
            .map_err(|source| WriteError::Io { offset, source })?;
        while left > 0 {
            let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let (part, _) = buffer.split_at_mut(length);
            self.output
                .read_exact(part)
                .map_err(|source| WriteError::Io { offset, source })?;
            builder.update(part);
            offset += length as u64;
            left -= length as u64;
        }
        builder.finish().map_err(WriteError::Image)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { offset, source };
        self.output.seek(SeekFrom::Start(offset)).map_err(io)?;
        self.output.write_all(bytes).map_err(io)
    }
}

/// The sections and, somewhere among the first of them, an empty ignorable one of a kind that is never assigned. Readers meet one in
/// every bundle, so that none of them comes to rely on there being no other; which kind and where follows from the salt.
fn with_unknown_section(mut sections: Vec<Section>, file_length: u64, salt: &[u8]) -> Vec<Section> {
    let digest: BlockDigest = Sha256::new_with_prefix(b"polecat unknown section")
        .chain_update(salt)
        .finalize()
        .into();
    let [a, b, c, d, place, ..] = digest;
    let kind = SectionKind::Unknown(u32::from_le_bytes([a, b, c, d]) | FIRST_UNASSIGNED_KIND);
    let place = usize::from(place) % (SectionKind::KNOWN.len() + 1);
    sections.insert(
        place,
        Section {
            kind,
            flags: 0,
            offset: file_length,
            length: 0,
        },
    );
    sections
}
