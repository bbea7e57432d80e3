//! The manifest: what a bundle says of itself, signed exactly as it is stored.
//!
//! Names follow the OCI runtime specification where it has one (`process.args`, `process.env`, `process.cwd`).

use serde::{Deserialize, Serialize};

/// Everything the stub acts on. Only ever parsed from bytes whose signature was checked, see `runtime::verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of the format, the same as the superblock's.
    pub format_version: u32,
    /// What people call the program: the command as it was given to the packer.
    pub name: String,
    /// Machine of the entry point and of the stub, as `uname -m` says it: `x86_64`, `aarch64`, …
    pub architecture: String,
    /// Seconds since the epoch that stand for "when", `SOURCE_DATE_EPOCH` or 0; never the clock.
    pub created: u64,
    /// Program and version that made the bundle.
    pub generator: String,
    /// The static executable in front.
    pub stub: StubRecord,
    /// The squashfs image.
    pub image: ImageRecord,
    /// Hash tree over the image.
    pub hash_tree: HashTreeRecord,
    /// What is executed.
    pub process: Process,
    /// How it is kept apart from the host.
    pub isolation: Isolation,
}

/// The bytes in front of the superblock, without the padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StubRecord {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of those bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// Where the image is and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// Offset in the file, a multiple of 4096.
    pub offset: u64,
    /// Length in bytes, padded with zeros to a multiple of 4096.
    pub length: u64,
    /// Regular files, directories, links and the rest, the root directory included.
    pub entries: u64,
    /// Sum of the regular files' sizes in bytes.
    pub unpacked_size: u64,
}

/// A dm-verity hash tree, version 1, SHA-256, 4096-byte data and hash blocks, without a verity superblock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HashTreeRecord {
    /// Offset in the file, a multiple of 4096.
    pub offset: u64,
    /// Length in bytes, a multiple of 4096. Zero when the image is a single block.
    pub length: u64,
    /// Salt, lower-case hexadecimal, 0 to 64 digits… an even number of them.
    pub salt: String,
    /// Root digest, 64 lower-case hexadecimal digits.
    pub root_digest: String,
}

/// The entry point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Absolute path of the executable inside the image.
    pub path: String,
    /// `argv[0]` and the fixed first arguments; the caller's arguments follow.
    pub args: Vec<String>,
    /// `NAME=value` that the app gets beside (and over) the caller's environment: at least PATH.
    pub env: Vec<String>,
    /// Working directory inside; none: the caller's where it is shared, else `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// What the app shares with the host. The caller may narrow it, never widen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Isolation {
    /// A closed box: no home, no current directory, no environment of the caller's.
    #[serde(default)]
    pub contain: bool,
}
