//! The manifest: what a bundle says of itself, signed exactly as it is stored.
//!
//! Names follow the OCI runtime specification where it has one (`process.args`, `process.env`, `process.cwd`).

mod entry_point;
mod fields;
mod record;
mod seccomp;
#[cfg(test)]
mod tests;
mod validate;

use serde::Serialize;

use crate::hash_tree::BlockDigest;
pub use entry_point::EntryPoint;
pub use seccomp::{Seccomp, SeccompArgument, SeccompPlace, SeccompRule};
pub use validate::ManifestError;
pub(crate) use validate::encode_hex;

/// Everything the stub acts on. Only ever parsed from bytes whose signature was checked, see `runtime::verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    /// More programs that can be started, in the order of their names' bytes; none but the command where the packer was asked for none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entry_points: Vec<EntryPoint>,
    /// What packages the image is made of; none where the packer could not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<SectionRecord>,
    /// Why each path is in the image; none where the packer was asked to leave that out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<SectionRecord>,
    /// Which paths the root file system had, for telling what was not packed; none where the packer was asked not to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<SectionRecord>,
    /// Names of what a reader must know beyond version 1 to use the bundle as it is meant, such as [`ISOLATION_OPTIONS`]. A
    /// reader refuses a name it does not know. (Fields that a reader does not know and no name asks for are ignored.)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// The bytes in front of the superblock, without the padding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StubRecord {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of those bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// Where the image is and what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HashTreeRecord {
    /// Offset in the file, a multiple of 4096.
    pub offset: u64,
    /// Length in bytes, a multiple of 4096. Zero when the image is a single block.
    pub length: u64,
    /// Salt, lower-case hexadecimal, an even number of digits, at most 64.
    pub salt: String,
    /// Root digest, 64 lower-case hexadecimal digits.
    pub root_digest: String,
}

/// An ignorable section: no signature covers it but through this record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SectionRecord {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of those bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// The entry point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Absolute path of the executable inside the image.
    pub path: String,
    /// `argv[0]` and the fixed first arguments; the caller's arguments follow.
    pub args: Vec<String>,
    /// `NAME=value` that the app gets beside (and over) the caller's environment: at least PATH.
    pub env: Vec<String>,
    /// Working directory inside; none: the caller's where it is shared, else `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// What the app shares with the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Isolation {
    /// A closed box: no home, no current directory, no environment of the caller's.
    pub contain: bool,
    /// More of it, as words: `NAME` or `NAME=VALUE`. Only with [`ISOLATION_OPTIONS`] among [`Manifest::requires`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What becomes of the program's system calls; none: the reader's own default. Only with [`ISOLATION_OPTIONS`] among
    /// [`Manifest::requires`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
}

/// What a manifest requires that has [`Isolation::options`] or [`Isolation::seccomp`].
pub const ISOLATION_OPTIONS: &str = "isolation-options";

impl Manifest {
    /// The manifest in these bytes. Only for bytes whose signature was checked.
    ///
    /// # Errors
    /// [`ManifestError`] when they are not JSON, a field is missing or a value is one that it cannot have.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        record::read(bytes, &mut manifest)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The bytes to store and sign: indented JSON in the order of the fields, with a line feed at the end.
    ///
    /// # Errors
    /// [`ManifestError`] when a value is one that it cannot have, or the whole is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        self.validate()?;
        self.encode()
    }

    /// An upper bound for the length of [`Manifest::to_bytes`] once the writer has filled in what it knows: for
    /// [`crate::writer::BundleWriter::create`].
    ///
    /// # Errors
    /// [`ManifestError`] when the whole is too long.
    pub fn capacity(&self) -> Result<u64, ManifestError> {
        let digest = "0".repeat(64);
        let mut longest = self.clone();
        longest.stub = StubRecord {
            length: u64::MAX,
            sha256: digest.clone(),
        };
        longest.image = ImageRecord {
            offset: u64::MAX,
            length: u64::MAX,
            entries: u64::MAX,
            unpacked_size: u64::MAX,
        };
        longest.hash_tree = HashTreeRecord {
            offset: u64::MAX,
            length: u64::MAX,
            salt: digest.clone(),
            root_digest: digest.clone(),
        };
        let section = SectionRecord {
            offset: u64::MAX,
            length: u64::MAX,
            sha256: digest,
        };
        longest.paths = longest.paths.map(|_| section.clone());
        longest.packages = longest.packages.map(|_| section.clone());
        longest.reasons = longest.reasons.map(|_| section);
        Ok(longest.encode()?.len() as u64)
    }

    fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(ManifestError::from_json)?;
        bytes.push(b'\n');
        match bytes.len() as u64 {
            0..=crate::layout::MAX_MANIFEST_LENGTH => Ok(bytes),
            length => Err(ManifestError::TooLong { length }),
        }
    }
}

impl HashTreeRecord {
    /// The salt.
    ///
    /// # Errors
    /// [`ManifestError::Value`] when it is not hexadecimal.
    pub fn salt_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        validate::decode_hex("hashTree.salt", &self.salt)
    }

    /// The root digest.
    ///
    /// # Errors
    /// [`ManifestError::Value`] when it is not 64 hexadecimal digits.
    pub fn root_digest_bytes(&self) -> Result<BlockDigest, ManifestError> {
        validate::decode_digest("hashTree.rootDigest", &self.root_digest)
    }
}

impl StubRecord {
    /// The digest.
    ///
    /// # Errors
    /// [`ManifestError::Value`] when it is not 64 hexadecimal digits.
    pub fn sha256_bytes(&self) -> Result<BlockDigest, ManifestError> {
        validate::decode_digest("stub.sha256", &self.sha256)
    }
}
