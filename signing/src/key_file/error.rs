//! Why a key file is not read or written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::{PemError, RandomError};

/// Why a key file is not read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system does not let it be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a regular file.
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Longer than any key.
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A secret key that others may read.
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is a file already.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The text in the file is not a key.
    Pem {
        /// The file.
        path: PathBuf,
        /// In what way.
        source: PemError,
    },
    /// A new key could not be made.
    Random(RandomError),
}

impl KeyFileError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn pem(path: &Path, source: PemError) -> Self {
        Self::Pem {
            path: path.to_owned(),
            source,
        }
    }

    /// What to try; none when nothing helps but what the text says.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("`polecat key generate` makes a key".to_owned())
            }
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Exists { path } => Some(format!(
                "remove {} first; what it has signed stays signed by it",
                path.display()
            )),
            Self::Pem { source, .. } => source.hint(),
            _ => None,
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "key {}: {source}", path.display()),
            Self::NotAFile { path } => write!(f, "key {}: not a regular file", path.display()),
            Self::TooLong { path } => write!(f, "key {}: too long for a key", path.display()),
            Self::Exposed { path, mode } => {
                write!(
                    f,
                    "key {}: others than its owner may use it (mode {mode:04o})",
                    path.display()
                )
            }
            Self::Exists { path } => write!(f, "key {}: there is one already", path.display()),
            Self::Pem { path, source } => write!(f, "key {}: {source}", path.display()),
            Self::Random(error) => write!(f, "cannot make a key: {error}"),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Pem { source, .. } => Some(source),
            Self::Random(error) => Some(error),
            _ => None,
        }
    }
}
