//! The file format of polecat bundles, both directions.
//!
//! ```text
//! offset 0        stub: a static ELF executable, as the kernel runs it
//! align 4096      superblock: magic, format version, section table, checksum
//!                 manifest: JSON, signed exactly as it is stored
//! align 4096      signature block: keys and signatures over the manifest
//! align 4096      image: squashfs 4.0
//!                 hash tree over the image: dm-verity's layout
//! ```
//!
//! `docs/format.md` is the specification; this crate follows it. [`reader::Bundle`] reads the head of a file,
//! [`writer::BundleWriter`] writes a whole one, [`hash_tree`] makes and checks the tree, [`signatures`] changes who has signed.
//!
//! The chain that a reader follows: the signature is over the manifest, the manifest holds the digest of the stub and the root
//! digest of the tree, the tree holds the digest of each block of the image. What stands outside of that chain, the superblock
//! and the padding, has one valid content only: a reader refuses any other.
//!
//! No unsafe code, no policy, and no I/O beyond [`ReadAt`], `Read`, `Write` and `Seek`. Whatever the input, nothing here
//! panics or allocates by a length that was not checked.
#![forbid(unsafe_code)]

mod cursor;
pub mod elf_end;
pub mod error;
pub mod hash_tree;
pub mod layout;
pub mod manifest;
pub mod path_set;
mod read_at;
pub mod reader;
pub mod section;
pub mod signatures;
pub mod superblock;
pub mod writer;

pub use error::{Damage, NotABundle, ReadError};
pub use manifest::{Manifest, ManifestError};
pub use path_set::{PathSet, PathSetError};
pub use read_at::ReadAt;
pub use reader::Bundle;
pub use section::{Section, SectionKind, SectionReadError};
pub use signatures::{Ed25519Record, SignatureRecord};
pub use superblock::Superblock;
pub use writer::{BundleWriter, WriteError};
