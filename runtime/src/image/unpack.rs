//! The image written out as files.

use std::fmt;
use std::path::Path;

use super::{CheckError, OwnerMap, VerifiedImage};

/// Writes the tree of `image` into `target`, an empty directory that is made when it is missing.
///
/// # Errors
/// See [`UnpackError`]. What was written so far stays.
pub fn unpack(image: &VerifiedImage, target: &Path, owner: OwnerMap) -> Result<(), UnpackError> {
    let _ = (image, target, owner);
    todo!()
}

/// Why the tree is not complete.
#[derive(Debug)]
#[non_exhaustive]
pub enum UnpackError {
    /// The image is not what was signed.
    Unverified(CheckError),
}

impl UnpackError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for UnpackError {}
