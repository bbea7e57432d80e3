//! The hash tree over the image: the on-disk layout of dm-verity, hash format 1, SHA-256, 4096-byte blocks, without a
//! verity superblock.
//!
//! A data block's digest is SHA-256(salt || block). 128 digests fill a block of level 0, the last one of a level filled up
//! with zeros; the digests of a level's blocks make the next level, until a level has one block. That block's digest is the
//! root digest. Levels are stored from the top down. An image of one block has no tree: its digest is the root digest.
//!
//! `veritysetup verify --no-superblock` judges the same bytes; the kernel's `Documentation/admin-guide/device-mapper/verity.rst`
//! describes them.

mod builder;
mod geometry;
mod verifier;

pub use builder::{Tree, TreeBuilder};
pub use geometry::{Geometry, GeometryError, Level};
pub use verifier::{Verifier, VerifyError};

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type BlockDigest = [u8; crate::layout::DIGEST_LENGTH];

/// SHA-256 that has taken in the salt.
#[derive(Clone)]
struct SaltedHash(Sha256);

impl SaltedHash {
    fn new(salt: &[u8]) -> Self {
        SaltedHash(Sha256::new_with_prefix(salt))
    }

    fn digest(&self, block: &[u8]) -> BlockDigest {
        self.0.clone().chain_update(block).finalize().into()
    }
}

impl std::fmt::Debug for SaltedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltedHash")
    }
}
