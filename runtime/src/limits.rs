//! The caller's limit of the size of files, setrlimit(2). It is meant for the app; what the runtime writes itself, into file
//! systems in memory that nobody else sees, would be cut off by it.

use std::fmt;

use nix::errno::Errno;
use nix::sys::resource::{self, Resource, rlim_t};

/// What to try where the limit cannot be raised far enough.
pub(crate) const FILE_SIZE_HINT: &str = "raise the hard limit of the size of files (ulimit -H -f)";

/// What the caller had set; the app gets it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallersLimit {
    soft: rlim_t,
    hard: rlim_t,
}

impl CallersLimit {
    /// Raises this process's limit as far as anybody may: to the hard one.
    pub(crate) fn suspend() -> Result<Self, LimitError> {
        let (soft, hard) = resource::getrlimit(Resource::RLIMIT_FSIZE).map_err(LimitError)?;
        if soft != hard {
            set(hard, hard)?;
        }
        Ok(Self { soft, hard })
    }

    /// Sets what the caller had set, in the app's process.
    pub(crate) fn give_back(self) -> Result<(), LimitError> {
        if self.soft == self.hard {
            return Ok(());
        }
        set(self.soft, self.hard)
    }
}

fn set(soft: rlim_t, hard: rlim_t) -> Result<(), LimitError> {
    resource::setrlimit(Resource::RLIMIT_FSIZE, soft, hard).map_err(LimitError)
}

/// The limit could not be read or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitError(Errno);

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the limit of the size of files: {}", self.0.desc())
    }
}
