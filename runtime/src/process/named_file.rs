//! Files of the host that the caller names.

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::error::Error;

/// Opens `path`; what is made has `mode`. A terminal does not become the controlling one.
pub(crate) fn open_named(path: &Path, flags: OFlag, mode: u32) -> Result<File, Error> {
    let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    match open(path, flags, Mode::from_bits_truncate(mode)) {
        Ok(file) => Ok(file.into()),
        Err(errno) => Err(fault("open", path, errno)),
    }
}

#[cold]
pub(crate) fn fault(step: &'static str, path: &Path, errno: Errno) -> Error {
    Error::File {
        step,
        path: path.to_owned(),
        errno,
    }
}
