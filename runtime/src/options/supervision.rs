//! How a program is watched over.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::flag::Expected;

/// What is asked for. The default is what a shell does with a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supervision {
    /// Go on without the caller once the program was executed.
    pub background: bool,
    /// Where standard output and error go in the background; none: nowhere.
    pub log: Option<PathBuf>,
    /// A file of the host to hold the monitor's process id.
    pub pid_file: Option<PathBuf>,
    /// Stay until nobody is left in the PID namespace, not only until the program ends.
    pub stay: bool,
    /// Let the program be process 1 of its PID namespace.
    pub as_pid_1: bool,
    /// Tell a death by a signal by the status that a shell gives for it.
    pub signal_status: bool,
}

/// A file of the host.
pub(super) fn file(text: &OsStr) -> Result<PathBuf, Expected> {
    (!text.is_empty()).then(|| text.into()).ok_or("a file")
}
