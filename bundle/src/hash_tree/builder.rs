//! Making the tree while the data passes by.

use super::{BlockDigest, Geometry, GeometryError, SaltedHash};
use crate::layout::BLOCK_LENGTH;

/// Takes in the data once, from the beginning to the end, and holds no more of it than its digests: 1/128 of its length.
#[derive(Debug)]
pub struct TreeBuilder {
    hash: SaltedHash,
    /// Data of a block that is not yet full.
    partial: Vec<u8>,
    /// Digests of the full blocks.
    digests: Vec<u8>,
    data_blocks: u64,
}

/// A finished tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The tree as it is stored.
    pub bytes: Vec<u8>,
    /// What the whole of the data is known by.
    pub root_digest: BlockDigest,
    /// Its shape.
    pub geometry: Geometry,
}

impl TreeBuilder {
    /// A tree whose digests begin with `salt`.
    pub fn new(salt: &[u8]) -> Self {
        let partial = Vec::with_capacity(BLOCK_LENGTH);
        TreeBuilder {
            hash: SaltedHash::new(salt),
            partial,
            digests: Vec::new(),
            data_blocks: 0,
        }
    }

    /// Takes in the next bytes of the data, any number of them.
    pub fn update(&mut self, mut data: &[u8]) {
        if !self.partial.is_empty() {
            let (head, rest) = data.split_at(data.len().min(BLOCK_LENGTH - self.partial.len()));
            self.partial.extend_from_slice(head);
            data = rest;
            if self.partial.len() < BLOCK_LENGTH {
                return;
            }
            self.finish_partial();
        }
        let (blocks, rest) = data.as_chunks::<BLOCK_LENGTH>();
        for block in blocks {
            self.push(self.hash.digest(block));
        }
        self.partial.extend_from_slice(rest);
    }

    /// The tree; the last block of the data counts as filled up with zeros.
    ///
    /// # Errors
    /// [`GeometryError`] when there was no data or too much of it.
    pub fn finish(mut self) -> Result<Tree, GeometryError> {
        if !self.partial.is_empty() {
            self.finish_partial();
        }
        let geometry = Geometry::new(self.data_blocks)?;
        let mut levels = Vec::with_capacity(geometry.levels().len());
        let mut digests = self.digests;
        while digests.len() > size_of::<BlockDigest>() {
            digests.resize(digests.len().next_multiple_of(BLOCK_LENGTH), 0);
            let above = digests
                .as_chunks::<BLOCK_LENGTH>()
                .0
                .iter()
                .flat_map(|block| self.hash.digest(block))
                .collect();
            levels.push(std::mem::replace(&mut digests, above));
        }
        let root_digest = digests.first_chunk().copied().ok_or(GeometryError::Empty)?;
        levels.reverse();
        let bytes = levels.concat();
        Ok(Tree {
            bytes,
            root_digest,
            geometry,
        })
    }

    fn finish_partial(&mut self) {
        self.partial.resize(BLOCK_LENGTH, 0);
        let digest = self.hash.digest(&self.partial);
        self.partial.clear();
        self.push(digest);
    }

    fn push(&mut self, digest: BlockDigest) {
        self.digests.extend_from_slice(&digest);
        self.data_blocks += 1;
    }
}
