//! Which digest stands where.

use std::fmt;

use crate::layout::{BLOCK_SIZE, DIGEST_LENGTH, DIGESTS_PER_BLOCK};

/// Most data blocks: four pebibytes of them, so that no sum here comes near 64 bits.
const MAX_DATA_BLOCKS: u64 = 1 << 40;

/// Why there is no tree over so many blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryError {
    /// No block at all.
    Empty,
    /// More blocks than the format allows.
    TooLarge {
        /// How many there are.
        data_blocks: u64,
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no hash tree over nothing"),
            Self::TooLarge { data_blocks } => write!(f, "{data_blocks} blocks are more than a hash tree can have"),
        }
    }
}

impl std::error::Error for GeometryError {}

/// One level of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Its first block, counted from the beginning of the tree.
    pub first_block: u64,
    /// How many blocks it has.
    pub blocks: u64,
}

/// The shape of the tree over a number of data blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    data_blocks: u64,
    /// From the bottom, whose digests are those of the data, to the top.
    levels: Vec<Level>,
}

/// Where a digest stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DigestPlace {
    /// The tree block, counted from the beginning of the tree.
    pub(super) tree_block: u64,
    /// Where in that block, in bytes.
    pub(super) offset: usize,
}

impl Geometry {
    /// The tree over so many data blocks.
    ///
    /// # Errors
    /// [`GeometryError`] for none and for more than 2^40.
    pub fn new(data_blocks: u64) -> Result<Self, GeometryError> {
        match data_blocks {
            0 => return Err(GeometryError::Empty),
            1..=MAX_DATA_BLOCKS => {}
            _ => return Err(GeometryError::TooLarge { data_blocks }),
        }
        let mut levels = Vec::new();
        let mut below = data_blocks;
        while below > 1 {
            below = below.div_ceil(DIGESTS_PER_BLOCK);
            levels.push(Level {
                first_block: 0,
                blocks: below,
            });
        }
        let mut first_block = 0;
        for level in levels.iter_mut().rev() {
            level.first_block = first_block;
            first_block += level.blocks;
        }
        Ok(Geometry { data_blocks, levels })
    }

    /// Number of data blocks.
    pub const fn data_blocks(&self) -> u64 {
        self.data_blocks
    }

    /// The levels from the bottom, whose digests are those of the data, to the top. None over a single block.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Number of blocks of the tree.
    pub fn tree_blocks(&self) -> u64 {
        self.levels.iter().map(|level| level.blocks).sum()
    }

    /// Length of the tree in bytes.
    pub fn tree_length(&self) -> u64 {
        self.tree_blocks() * BLOCK_SIZE
    }

    /// Where the digest of a block stands that is the `index`th of those whose digests are in `level`; none above the top.
    pub(super) fn digest_place(&self, level: usize, index: u64) -> Option<DigestPlace> {
        let level = self.levels.get(level)?;
        let slot = usize::try_from(index % DIGESTS_PER_BLOCK).ok()?;
        Some(DigestPlace {
            tree_block: level.first_block + index / DIGESTS_PER_BLOCK,
            offset: slot * DIGEST_LENGTH,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        // data blocks, blocks of each level from the bottom
        let table: &[(u64, &[u64])] = &[
            (1, &[]),
            (2, &[1]),
            (127, &[1]),
            (128, &[1]),
            (129, &[2, 1]),
            (128 * 128, &[128, 1]),
            (128 * 128 + 1, &[129, 2, 1]),
            (1 << 40, &[1 << 33, 1 << 26, 1 << 19, 1 << 12, 1 << 5, 1]),
        ];
        for &(data_blocks, blocks) in table {
            let geometry = Geometry::new(data_blocks).unwrap();
            let found: Vec<u64> = geometry.levels().iter().map(|level| level.blocks).collect();
            assert_eq!(found, blocks, "{data_blocks} data blocks");
            assert_eq!(
                geometry.tree_length(),
                blocks.iter().sum::<u64>() * 4096,
                "{data_blocks} data blocks"
            );
        }
    }

    #[test]
    fn levels_are_stored_from_the_top_down_without_gaps() {
        let geometry = Geometry::new(128 * 128 + 1).unwrap();
        let firsts: Vec<u64> = geometry.levels().iter().map(|level| level.first_block).collect();
        assert_eq!(firsts, [3, 1, 0]);
    }

    #[test]
    fn refused_sizes() {
        assert_eq!(Geometry::new(0), Err(GeometryError::Empty));
        for data_blocks in [(1 << 40) + 1, u64::MAX] {
            assert_eq!(Geometry::new(data_blocks), Err(GeometryError::TooLarge { data_blocks }));
        }
    }

    #[test]
    fn places() {
        let geometry = Geometry::new(128 * 128 + 1).unwrap();
        let place = |level, index| {
            geometry
                .digest_place(level, index)
                .map(|place| (place.tree_block, place.offset))
        };
        assert_eq!(place(0, 0), Some((3, 0)));
        assert_eq!(place(0, 127), Some((3, 127 * 32)));
        assert_eq!(place(0, 128), Some((4, 0)));
        assert_eq!(place(1, 128), Some((2, 0)));
        assert_eq!(place(2, 1), Some((0, 32)));
        assert_eq!(place(3, 0), None);
    }
}
