//! Building the packer with the stub inside.

use std::path::PathBuf;

use crate::error::Error;
use crate::{paths, programs};

/// Builds `polecat` as a user would, and gives the path of the executable.
pub(crate) fn packer() -> Result<PathBuf, Error> {
    let mut build = programs::cargo();
    build
        .current_dir(paths::workspace())
        .args(["build", "--release", "--package", "polecat"]);
    programs::run(&mut build)?;
    Ok(paths::target()?.join("release/polecat"))
}
