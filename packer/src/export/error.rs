//! Why nothing was exported.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::image::ImageError;
use crate::seal::OutputError;

/// Why there is no image, archive or directory.
#[derive(Debug)]
pub enum ExportError {
    /// The output file.
    Output(OutputError),
    /// A file of the root file system, or the image.
    Contents(ImageError),
    /// Where the directory is to be there is something else.
    NotADirectory {
        /// As given.
        path: PathBuf,
    },
    /// There is a directory, and something in it.
    NotEmpty {
        /// As given.
        path: PathBuf,
    },
    /// Something in the directory, or it itself, cannot be made.
    Make {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ExportError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Output(error) => return error.hint(),
            Self::Contents(error) => return error.hint(),
            Self::NotADirectory { .. } | Self::NotEmpty { .. } => "give the name of a new directory with --output",
            Self::Make { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "make the directory around it first, or give another one with --output",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "give a place in a directory that is yours with --output"
                }
                io::ErrorKind::StorageFull => "make room, or give another place with --output",
                io::ErrorKind::ResourceBusy | io::ErrorKind::InvalidInput => {
                    "give a new directory with --output; one that is mounted or in use cannot be replaced"
                }
                _ => return None,
            },
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(error) => error.fmt(f),
            Self::Contents(error) => error.fmt(f),
            Self::NotADirectory { path } => write!(f, "output: {}: exists and is not a directory", path.display()),
            Self::NotEmpty { path } => write!(f, "output: {}: is not empty", path.display()),
            Self::Make { action, path, source } => write!(f, "output: cannot {action} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<OutputError> for ExportError {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}
