//! Finding the file that this program is the front of.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use runtime::sys::auxv;

use crate::error::Error;

/// The kernel's own handle on the file, whatever it is called by now.
pub(crate) const SELF: &str = "/proc/self/exe";

/// Opens it, once: what is verified is what is mounted, even if another file takes its name meanwhile.
pub(crate) fn own_file() -> Result<File, Error> {
    let path = match File::open(SELF) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => executed_path()?,
        result => {
            return result.map_err(|source| Error::Locate {
                path: SELF.into(),
                source,
            });
        }
    };
    File::open(&path).map_err(|source| Error::Locate { path, source })
}

/// Without /proc: the path that was executed.
fn executed_path() -> Result<PathBuf, Error> {
    auxv::executable_name().map(Path::to_owned).ok_or(Error::NoName)
}
