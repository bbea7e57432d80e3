//! Trust before use: signatures over the stored bytes of the manifest, then the manifest, then the image it vouches for.
//!
//! The chain is one of types. [`Opened`] has the outline of a bundle and nothing of it is believed; [`Opened::verify`]
//! is the only way to a [`Verified`], and only that gives out a manifest and an image. A right signature says that
//! nobody changed the bundle since the holder of a key signed it. Whether that is someone to believe is for whoever
//! has a trust store: [`Verified::signer_keys`].

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bundle::manifest::Manifest;
use bundle::{Bundle, ReadError};
use sha2::{Digest, Sha256};
use signing::{KeyId, PublicKey, Purpose, Signature};

use crate::image::VerifiedImage;

/// How much of the stub is read at once, bytes.
const CHUNK_LENGTH: usize = 64 << 10;

/// A file that has the outline of a bundle. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Opened {
    file: Arc<File>,
    bundle: Bundle,
}

impl Opened {
    /// Reads superblock, manifest and signatures of `file`, usually at once. The file stays open: what is verified
    /// and used later is read from it, whatever happens to its name.
    ///
    /// # Errors
    /// [`VerifyError::Read`].
    pub fn new(file: File) -> Result<Self, VerifyError> {
        let bundle = Bundle::read(&file)?;
        Ok(Self {
            file: Arc::new(file),
            bundle,
        })
    }

    /// Checks every signature of a kind that is known, at least one, over the manifest as it is stored; then parses it
    /// and compares it with the section table.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(self) -> Result<Verified, VerifyError> {
        let signers = verify_signatures(&self.bundle)?;
        let manifest = Manifest::parse(self.bundle.manifest_bytes()).map_err(ReadError::Manifest)?;
        self.bundle.check_manifest(&manifest)?;
        let image = VerifiedImage::new(Arc::clone(&self.file), &manifest).map_err(ReadError::Manifest)?;
        Ok(Verified {
            file: self.file,
            manifest,
            signer_ids: signers.iter().map(PublicKey::key_id).collect(),
            signers,
            image,
        })
    }
}

/// The keys that signed the manifest of `bundle`. One wrong signature spoils them all: whoever changed the manifest
/// could have added a signature of their own and left the old one standing.
fn verify_signatures(bundle: &Bundle) -> Result<Vec<PublicKey>, VerifyError> {
    let mut signers = Vec::new();
    for record in bundle.ed25519_signatures() {
        let key_id = KeyId::from_bytes(record.key_id);
        let key = PublicKey::from_bytes(record.public_key).map_err(|source| VerifyError::Key { key_id, source })?;
        let signature = Signature(record.signature);
        signing::verify(Purpose::BundleManifest, bundle.manifest_bytes(), &key, &signature)
            .map_err(|_| VerifyError::Signature { key_id })?;
        signers.push(key);
    }
    if signers.is_empty() {
        let unknown = bundle.signatures().len();
        return Err(VerifyError::Unsigned { unknown });
    }
    Ok(signers)
}

/// A bundle whose manifest is what its signers signed. Made by [`Opened::verify`] and nowhere else.
#[derive(Debug)]
pub struct Verified {
    file: Arc<File>,
    manifest: Manifest,
    signers: Vec<PublicKey>,
    signer_ids: Vec<KeyId>,
    image: VerifiedImage,
}

impl Verified {
    /// What the bundle says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The open file, the same that was verified.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The keys whose signatures are right, by their short names: at least one, in the order of the file.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signer_ids
    }

    /// The same keys, in full, to look them up among those that are trusted.
    #[must_use]
    pub fn signer_keys(&self) -> &[PublicKey] {
        &self.signers
    }

    /// Checks the executable in front against its digest in the manifest. For those who look at a bundle from outside:
    /// a stub that was changed does not check itself.
    ///
    /// # Errors
    /// [`VerifyError::Stub`], [`VerifyError::Read`].
    pub fn check_stub(&self) -> Result<(), VerifyError> {
        let stub = &self.manifest.stub;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK_LENGTH];
        let mut offset = 0;
        while offset < stub.length {
            let left = usize::try_from(stub.length - offset).unwrap_or(CHUNK_LENGTH);
            let chunk = buffer.get_mut(..left.min(CHUNK_LENGTH)).unwrap_or_default();
            self.file
                .read_exact_at(chunk, offset)
                .map_err(|source| ReadError::Io { offset, source })?;
            hash.update(&*chunk);
            offset += chunk.len() as u64;
        }
        let expected = stub.sha256_bytes().map_err(ReadError::Manifest)?;
        if hash.finalize()[..] == expected {
            Ok(())
        } else {
            Err(VerifyError::Stub)
        }
    }

    /// The image, whose blocks are checked as they are read.
    #[must_use]
    pub fn image(&self) -> VerifiedImage {
        self.image.clone()
    }
}

/// Why a file is not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is not a bundle, not a whole one, not one that this version can read, or one that contradicts itself.
    Read(ReadError),
    /// There is no signature of a kind that this version knows.
    Unsigned {
        /// How many there are of kinds that it does not know.
        unknown: usize,
    },
    /// A signature names something as its key that is none.
    Key {
        /// The key id of the signature.
        key_id: KeyId,
        /// Why it is no key.
        source: signing::Error,
    },
    /// A signature was not made by its key over this manifest.
    Signature {
        /// The key that the signature names.
        key_id: KeyId,
    },
    /// The executable in front is not the one that was signed.
    Stub,
}

impl VerifyError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read(error) => return error.hint(),
            Self::Unsigned { unknown: 0 } => "ask whoever made it for a signed one, or sign it with `polecat sign`",
            Self::Unsigned { .. } => "use a newer polecat, which may know these signatures",
            Self::Key { .. } | Self::Signature { .. } | Self::Stub => {
                "copy or download the file again; if that does not help, someone changed it after it was signed"
            }
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Unsigned { unknown: 0 } => f.write_str("the bundle is not signed"),
            Self::Unsigned { unknown } => {
                write!(
                    f,
                    "the bundle is not signed in a way that is known here ({unknown} unknown signatures)"
                )
            }
            Self::Key { key_id, source } => write!(f, "the bundle's signature by key {key_id}: {source}"),
            Self::Signature { key_id } => {
                write!(
                    f,
                    "the bundle's signature by key {key_id} is wrong: the manifest is not what was signed"
                )
            }
            Self::Stub => f.write_str("the executable at the front of the bundle is not the one that was signed"),
        }
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Key { source, .. } => Some(source),
            Self::Unsigned { .. } | Self::Signature { .. } | Self::Stub => None,
        }
    }
}

impl From<ReadError> for VerifyError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
