//! Trust before use: signatures over the stored bytes of the manifest, then the manifest, then the image it vouches for.

use std::fmt;
use std::fs::File;

use bundle::manifest::Manifest;

use crate::image::VerifiedImage;

/// Eight bytes that name a public key, shown as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

/// A file that has the outline of a bundle. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Opened {
    file: File,
}

impl Opened {
    /// Reads superblock, manifest and signatures of `file`.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn new(file: File) -> Result<Self, VerifyError> {
        let _ = file;
        todo!()
    }

    /// Checks every signature, then parses the manifest and compares it with the section table.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(self) -> Result<Verified, VerifyError> {
        let _ = self.file;
        todo!()
    }
}

/// A bundle whose manifest is what its signers signed. Made by [`Opened::verify`] and nowhere else.
#[derive(Debug)]
pub struct Verified {
    manifest: Manifest,
    file: File,
    signers: Vec<KeyId>,
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

    /// Keys whose signatures are right, in the order of the file; at least one. Whether they are trusted is another
    /// question.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
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
    /// No signature of a kind this version knows.
    Unsigned,
}

impl VerifyError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for VerifyError {}
