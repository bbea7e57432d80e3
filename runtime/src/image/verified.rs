//! The image of a verified bundle.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use bundle::hash_tree::{BlockDigest, Verifier};
use bundle::layout::{BLOCK_LENGTH, BLOCK_SIZE};
use bundle::manifest::{Manifest, ManifestError};

use super::CheckError;
use super::sweep::Sweep;
use crate::ladder::Size;

/// The image of a verified bundle: bytes come out of it checked or not at all. Cheap to clone.
///
/// Every block is checked each time it is read, against a digest that leads up to the signed root digest. To remember
/// which blocks were right once would save 2.4 µs a block and believe a file that others may write to; what is checked
/// here are the very bytes that are returned. Blocks of the hash tree are kept in memory once they were checked, never
/// believed from the file a second time.
#[derive(Debug, Clone)]
pub struct VerifiedImage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: Arc<File>,
    offset: u64,
    length: u64,
    unpacked: u64,
    root_digest: BlockDigest,
    verifier: Verifier,
    failure: OnceLock<CheckError>,
}

impl VerifiedImage {
    /// The image that `manifest`, whose signature was checked, vouches for in `file`.
    pub(crate) fn new(file: Arc<File>, manifest: &Manifest) -> Result<Self, ManifestError> {
        let (image, tree) = (&manifest.image, &manifest.hash_tree);
        let root_digest = tree.root_digest_bytes()?;
        let verifier = Verifier::new(root_digest, &tree.salt_bytes()?, image.length / BLOCK_SIZE, tree.offset)
            .map_err(|_| ManifestError::Value {
                field: "image.length",
                expected: "what a hash tree can be over",
            })?;
        Ok(Self {
            shared: Arc::new(Shared {
                file,
                offset: image.offset,
                length: image.length,
                unpacked: image
                    .entries
                    .saturating_mul(BLOCK_SIZE)
                    .saturating_add(image.unpacked_size),
                root_digest,
                verifier,
                failure: OnceLock::new(),
            }),
        })
    }

    /// The file that the image lies in, the same that was verified.
    pub(super) fn file(&self) -> &File {
        &self.shared.file
    }

    /// Where the image begins in the file, bytes, a multiple of 4096.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.shared.offset
    }

    /// Root digest of the hash tree over the image.
    #[must_use]
    pub fn root_digest(&self) -> BlockDigest {
        self.shared.root_digest
    }

    /// Length of the image in bytes, a multiple of 4096.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.shared.length
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            stored: self.shared.length,
            unpacked: self.shared.unpacked,
        }
    }

    /// The root digest in hexadecimal: no other image has it.
    pub(crate) fn name(&self) -> String {
        hex(&self.shared.root_digest)
    }

    /// Reads what is in the image.
    ///
    /// # Errors
    /// What [`squashfs::Image::open`] says; [`CheckError::beneath`] tells whether a check failed.
    pub fn open(&self) -> Result<squashfs::Image<Self>, squashfs::Error> {
        squashfs::Image::open(self.clone())
    }

    /// Checks every block of the image and with them every block of the hash tree; `progress` is told how many bytes
    /// of the image are done.
    ///
    /// # Errors
    /// The first block that cannot be read or is not what was signed.
    pub fn check_all(&self, mut progress: impl FnMut(u64)) -> Result<(), CheckError> {
        Sweep::new(self)
            .run(&mut progress)
            .inspect_err(|error| self.note(error))
    }

    /// The first read since the image was made, through this handle or a clone of it, that found the file not to be
    /// what was signed.
    #[must_use]
    pub fn failure(&self) -> Option<&CheckError> {
        self.shared.failure.get()
    }

    /// Fills `buf` from `offset` of the image on, as far as it goes in whole blocks without a copy.
    fn read(&self, mut buf: &mut [u8], mut offset: u64) -> Result<(), CheckError> {
        while !buf.is_empty() {
            let block = offset / BLOCK_SIZE;
            // Below 4096, so it fits.
            let within = usize::try_from(offset % BLOCK_SIZE).unwrap_or_default();
            let whole = buf.len() - buf.len() % BLOCK_LENGTH;
            let (piece, rest) = if within == 0 && whole > 0 {
                let (blocks, rest) = buf.split_at_mut(whole);
                self.read_blocks(blocks, block)?;
                (blocks, rest)
            } else {
                let (part, rest) = buf.split_at_mut(buf.len().min(BLOCK_LENGTH - within));
                let mut around = [0; BLOCK_LENGTH];
                self.read_blocks(&mut around, block)?;
                part.copy_from_slice(around.get(within..within + part.len()).unwrap_or_default());
                (part, rest)
            };
            offset += piece.len() as u64;
            buf = rest;
        }
        Ok(())
    }

    /// [`check_blocks`](Self::check_blocks) that is remembered when it fails.
    fn read_blocks(&self, blocks: &mut [u8], first: u64) -> Result<(), CheckError> {
        self.check_blocks(blocks, first).inspect_err(|error| self.note(error))
    }

    /// Fills `blocks`, a whole number of blocks inside the image, from block `first` on. What fails is wiped.
    pub(super) fn check_blocks(&self, blocks: &mut [u8], first: u64) -> Result<(), CheckError> {
        let shared = &*self.shared;
        let offset = shared.offset + first * BLOCK_SIZE;
        let checked = match shared.file.read_exact_at(blocks, offset) {
            Ok(()) => shared
                .verifier
                .verify_blocks(&shared.file, first, blocks)
                .map_err(|error| CheckError::of(&error, shared.offset, first)),
            Err(error) => Err(CheckError::read(offset, &error)),
        };
        checked.inspect_err(|_| blocks.fill(0))
    }

    fn note(&self, error: &CheckError) {
        if error.is_tampering() {
            self.shared.failure.get_or_init(|| error.clone());
        }
    }
}

impl squashfs::ReadAt for VerifiedImage {
    /// Fills `buf` from `offset` of the image on with bytes that were checked.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] behind the end of the image; else a [`CheckError`] inside of the error.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.length() => Ok(self.read(buf, offset)?),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// As digests are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
