//! The image written out as files.
//!
//! Every block is checked as it is written. Nothing is reached by a path: each directory is made, then opened as what
//! was made, and its entries are made in it with `O_EXCL` or its like. So a hostile image ends in an error and not
//! outside of the target: names come without slashes and dots, a second entry of a name is refused, and what lies
//! beneath a symbolic link cannot be named at all.

mod directories;
mod files;
mod unpack_error;

use std::path::Path;

use super::{OwnerMap, VerifiedImage};

pub use unpack_error::{Step, UnpackError};

/// Writes the tree of `image` into `target`, an empty directory that is made when it is missing: names, bytes, holes,
/// modes, owners, times, symbolic and hard links, named pipes, sockets. The target itself gets what the image's root
/// directory has.
///
/// [`OwnerMap::AsStored`] needs the privilege to give files away. Devices are refused: bundles have none.
///
/// # Errors
/// See [`UnpackError`]. What was written so far stays.
pub fn unpack(image: &VerifiedImage, target: &Path, owner: OwnerMap) -> Result<(), UnpackError> {
    write(image, target, owner).map_err(|error| *error)
}

fn write(image: &VerifiedImage, target: &Path, owner: OwnerMap) -> Result<(), Box<UnpackError>> {
    let squashfs = image
        .open()
        .map_err(|error| UnpackError::image(Path::new("/"), error))?;
    directories::Walk::new(&squashfs, target, owner)?.run()
}
