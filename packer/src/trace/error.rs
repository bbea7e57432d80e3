//! Why a trace, or what a bundle missed, cannot be had.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the file of a trace or of misses cannot be had.
#[derive(Debug)]
pub struct TraceError {
    /// The file.
    pub path: PathBuf,
    /// What it was to be.
    pub form: Form,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The two kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What a command was seen to use.
    Trace,
    /// What a bundle was found to miss.
    Misses,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be read; this is what the system said.
    Read(io::Error),
    /// Its first line is that of neither form.
    Neither,
    /// It has the other form.
    Other,
    /// It is of a later version.
    Newer {
        /// Its version.
        version: u64,
    },
    /// One of its lines makes no sense.
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// It is longer than any such file.
    TooLong,
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
    pub(super) fn new(path: &Path, form: Form, fault: Fault) -> Self {
        Self {
            path: path.to_owned(),
            form,
            fault,
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match (self.form, &self.fault) {
            (_, Fault::Read(_)) => return None,
            (Form::Trace, Fault::Neither) => "polecat trace -o FILE ROOTFS COMMAND makes one",
            (Form::Trace, Fault::Other) => "give it to --add-misses",
            (Form::Trace, Fault::Newer { .. }) => "use the polecat that made it, or trace again",
            (Form::Trace, Fault::Line { .. } | Fault::TooLong) => "trace again; docs/trace.md describes the file",
            (Form::Misses, Fault::Neither) => "POLECAT_MISSES=FILE ./NAME.run writes one",
            (Form::Misses, Fault::Other) => "give it to --trace",
            (Form::Misses, Fault::Newer { .. }) => "use the polecat that packed the bundle which wrote it",
            (Form::Misses, Fault::Line { .. } | Fault::TooLong) => "run the bundle with POLECAT_MISSES=FILE again",
        };
        Some(hint.into())
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = match self.form {
            Form::Trace => "trace",
            Form::Misses => "--add-misses",
        };
        write!(f, "{option}: {}: ", self.path.display())?;
        match (&self.fault, self.form) {
            (Fault::Read(source), _) => write!(f, "cannot read: {source}"),
            (Fault::Neither, Form::Trace) => f.write_str("is not a trace"),
            (Fault::Neither, Form::Misses) => f.write_str("is no list of what a bundle misses"),
            (Fault::Other, Form::Trace) => f.write_str("is what a bundle missed, not a trace"),
            (Fault::Other, Form::Misses) => f.write_str("is a trace, not what a bundle misses"),
            (Fault::Newer { version }, _) => write!(f, "is of version {version}, which is not known here"),
            (Fault::Line { line, fault }, _) => write!(f, "line {line}: {fault}"),
            (Fault::TooLong, _) => f.write_str("is longer than any such file"),
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
