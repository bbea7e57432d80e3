//! Why a trace cannot be had.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a trace cannot be had.
#[derive(Debug)]
pub enum TraceError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its first line is not that of a trace.
    NotATrace {
        /// The file.
        path: PathBuf,
    },
    /// It is what a bundle missed.
    Misses {
        /// The file.
        path: PathBuf,
    },
    /// It is of a later version.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// One of its lines makes no sense.
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// It is longer than any trace.
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum LineFault {
    /// Not what is expected there.
    Json(serde_json::Error),
    /// No path, two of them, or one that is not absolute.
    Path,
}

impl TraceError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } => return None,
            Self::NotATrace { .. } => "polecat trace -o FILE ROOTFS COMMAND makes one",
            Self::Misses { .. } => "give it to --add-misses",
            Self::Newer { .. } => "use the polecat that made it, or trace again",
            Self::Line { .. } | Self::TooLong { .. } => "trace again; docs/trace.md describes the file",
        };
        Some(hint.into())
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "trace: {}: cannot read: {source}", path.display()),
            Self::NotATrace { path } => write!(f, "trace: {}: is not a trace", path.display()),
            Self::Misses { path } => write!(f, "trace: {}: is what a bundle missed, not a trace", path.display()),
            Self::Newer { path, version } => {
                write!(
                    f,
                    "trace: {}: is of version {version}, which is not known here",
                    path.display()
                )
            }
            Self::Line { path, line, fault } => {
                write!(f, "trace: {}: line {line}: ", path.display())?;
                fault.fmt(f)
            }
            Self::TooLong { path } => write!(f, "trace: {}: is longer than any trace", path.display()),
        }
    }
}

impl std::error::Error for TraceError {}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "{error}"),
            Self::Path => f.write_str("no absolute path"),
        }
    }
}

/// Why what a bundle missed cannot be had.
#[derive(Debug)]
pub enum MissesError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its first line is not that of such a file.
    NotMisses {
        /// The file.
        path: PathBuf,
    },
    /// It is a trace.
    Trace {
        /// The file.
        path: PathBuf,
    },
    /// It is of a later version.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// One of its lines makes no sense.
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// It is longer than any such file.
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

impl MissesError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } => return None,
            Self::NotMisses { .. } => "POLECAT_MISSES=FILE ./NAME.run writes one",
            Self::Trace { .. } => "give it to --trace",
            Self::Newer { .. } => "use the polecat that packed the bundle which wrote it",
            Self::Line { .. } | Self::TooLong { .. } => "run the bundle with POLECAT_MISSES=FILE again",
        };
        Some(hint.into())
    }
}

impl fmt::Display for MissesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self {
            Self::Read { path, .. }
            | Self::NotMisses { path }
            | Self::Trace { path }
            | Self::Newer { path, .. }
            | Self::Line { path, .. }
            | Self::TooLong { path } => path.display(),
        };
        write!(f, "--add-misses: {path}: ")?;
        match self {
            Self::Read { source, .. } => write!(f, "cannot read: {source}"),
            Self::NotMisses { .. } => f.write_str("is no list of what a bundle misses"),
            Self::Trace { .. } => f.write_str("is a trace, not what a bundle misses"),
            Self::Newer { version, .. } => write!(f, "is of version {version}, which is not known here"),
            Self::Line { line, fault, .. } => write!(f, "line {line}: {fault}"),
            Self::TooLong { .. } => f.write_str("is longer than any such file"),
        }
    }
}

impl std::error::Error for MissesError {}
