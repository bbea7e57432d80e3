//! Checking data against the tree, block by block, as it is read.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{BlockDigest, Geometry, GeometryError, SaltedHash};
use crate::layout::{BLOCK_LENGTH, BLOCK_SIZE, DIGEST_LENGTH};
use crate::read_at::ReadAt;

/// Verified tree blocks that are kept: 256 KiB, enough for the lowest level over 32 MiB of data.
const CACHE_SLOTS: usize = 64;

type Block = [u8; BLOCK_LENGTH];

/// Checks data blocks against the root digest. Shared by any number of threads.
#[derive(Debug)]
pub struct Verifier {
    geometry: Geometry,
    hash: SaltedHash,
    root_digest: BlockDigest,
    /// Where the tree begins, in bytes from the beginning of the file.
    tree_offset: u64,
    /// A tree block that was verified is kept in the slot of its number, until another one takes it.
    cache: Vec<Mutex<Option<VerifiedBlock>>>,
}

#[derive(Debug, Clone)]
struct VerifiedBlock {
    number: u64,
    block: Arc<Block>,
}

/// Why data was not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// A block does not have the digest that the tree has for it.
    Mismatch {
        /// The data block that was asked for, counted from the beginning of the image.
        block: u64,
        /// 0: the data block itself; from 1 on: the tree block over it on that level, 1 being the lowest.
        level: usize,
    },
    /// There is no such data block.
    OutOfRange {
        /// The data block, counted from the beginning of the image.
        block: u64,
    },
    /// The data is not a whole number of blocks.
    PartialBlock {
        /// Its length in bytes.
        length: usize,
    },
    /// A block of the tree could not be read.
    Io {
        /// Where, in bytes from the beginning of the file.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl Verifier {
    /// A verifier for `data_blocks` blocks whose tree begins at `tree_offset` in the file.
    ///
    /// # Errors
    /// [`GeometryError`] when there is no tree over so many blocks.
    pub fn new(
        root_digest: BlockDigest,
        salt: &[u8],
        data_blocks: u64,
        tree_offset: u64,
    ) -> Result<Self, GeometryError> {
        let geometry = Geometry::new(data_blocks)?;
        let slots = usize::try_from(geometry.tree_blocks()).map_or(CACHE_SLOTS, |blocks| blocks.min(CACHE_SLOTS));
        let cache = (0..slots).map(|_| Mutex::new(None)).collect();
        Ok(Verifier {
            geometry,
            hash: SaltedHash::new(salt),
            root_digest,
            tree_offset,
            cache,
        })
    }

    /// The shape of the tree.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Checks `data`, a whole number of blocks that begin with data block `first_block`. `reader` is the file of the
    /// tree; blocks of it are read, and verified themselves, as they are needed.
    ///
    /// # Errors
    /// [`VerifyError`], for the first block that is not as it was.
    pub fn verify_blocks(
        &self,
        reader: &(impl ReadAt + ?Sized),
        first_block: u64,
        data: &[u8],
    ) -> Result<(), VerifyError> {
        let (blocks, rest) = data.as_chunks::<BLOCK_LENGTH>();
        if !rest.is_empty() {
            return Err(VerifyError::PartialBlock { length: data.len() });
        }
        let data_blocks = self.geometry.data_blocks();
        let end = u64::try_from(blocks.len())
            .ok()
            .and_then(|count| first_block.checked_add(count));
        if end.is_none_or(|end| end > data_blocks) {
            return Err(VerifyError::OutOfRange {
                block: first_block.max(data_blocks),
            });
        }
        let mut parent: Option<VerifiedBlock> = None;
        for (block, number) in blocks.iter().zip(first_block..) {
            let expected = self.expected_digest(reader, number, 0, number, &mut parent)?;
            if self.hash.digest(block) != expected {
                return Err(VerifyError::Mismatch {
                    block: number,
                    level: 0,
                });
            }
        }
        Ok(())
    }

    /// The digest that the tree has in `level` for the `index`th block below it. `parent` is the tree block used last.
    fn expected_digest(
        &self,
        reader: &(impl ReadAt + ?Sized),
        data_block: u64,
        level: usize,
        index: u64,
        parent: &mut Option<VerifiedBlock>,
    ) -> Result<BlockDigest, VerifyError> {
        let Some(place) = self.geometry.digest_place(level, index) else {
            return Ok(self.root_digest);
        };
        let tree_block = match parent.take() {
            Some(known) if known.number == place.tree_block => known,
            _ => self.tree_block(reader, data_block, level, place.tree_block)?,
        };
        let digest = tree_block
            .block
            .get(place.offset..)
            .and_then(|rest| rest.first_chunk::<DIGEST_LENGTH>())
            .copied();
        *parent = Some(tree_block);
        digest.ok_or(VerifyError::OutOfRange { block: data_block })
    }

    /// A block of the tree, verified up to the root or kept from when it was.
    fn tree_block(
        &self,
        reader: &(impl ReadAt + ?Sized),
        data_block: u64,
        level: usize,
        number: u64,
    ) -> Result<VerifiedBlock, VerifyError> {
        if let Some(known) = self.cached(number) {
            return Ok(known);
        }
        let offset = self.tree_offset.saturating_add(number * BLOCK_SIZE);
        let mut block = Arc::new([0; BLOCK_LENGTH]);
        let bytes = Arc::make_mut(&mut block);
        reader
            .read_exact_at(bytes, offset)
            .map_err(|source| VerifyError::Io { offset, source })?;
        let digest = self.hash.digest(bytes);
        let first_of_level = self.geometry.levels().get(level).map_or(0, |level| level.first_block);
        let expected = self.expected_digest(reader, data_block, level + 1, number - first_of_level, &mut None)?;
        if digest != expected {
            return Err(VerifyError::Mismatch {
                block: data_block,
                level: level + 1,
            });
        }
        let verified = VerifiedBlock { number, block };
        self.keep(verified.clone());
        Ok(verified)
    }

    fn slot(&self, number: u64) -> Option<&Mutex<Option<VerifiedBlock>>> {
        let slots = u64::try_from(self.cache.len()).ok()?;
        self.cache.get(usize::try_from(number.checked_rem(slots)?).ok()?)
    }

    fn cached(&self, number: u64) -> Option<VerifiedBlock> {
        let slot = self.slot(number)?.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|kept| kept.number == number).cloned()
    }

    fn keep(&self, verified: VerifiedBlock) {
        if let Some(slot) = self.slot(verified.number) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(verified);
        }
    }
}

impl VerifyError {
    /// What to try; none when nothing helps but what the text says.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Mismatch { .. } => {
                Some("copy or download the file again; if that does not help, do not use it".to_owned())
            }
            _ => None,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch { block, level: 0 } => write!(f, "block {block} of the image is not what was signed"),
            Self::Mismatch { block, level } => {
                write!(
                    f,
                    "the hash tree over block {block} of the image is not what was signed (level {level})"
                )
            }
            Self::OutOfRange { block } => write!(f, "the image has no block {block}"),
            Self::PartialBlock { length } => {
                write!(f, "{length} bytes are not a whole number of {BLOCK_SIZE}-byte blocks")
            }
            Self::Io { offset, source } => write!(f, "cannot read the hash tree at offset {offset}: {source}"),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
