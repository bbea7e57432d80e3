//! From a command to every path it needs.

use std::ffi::OsString;

use crate::plan::Plan;
use crate::rootfs::{Rootfs, RootfsError};

/// What is to be packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The command: a name looked up in the root file system's PATH, or a path inside it.
    pub command: OsString,
    /// More programs, looked up the same way; each gets its own closure.
    pub also: Vec<OsString>,
    /// Globs of absolute paths to take along; programs and libraries among them get their own closure.
    pub include: Vec<String>,
    /// Globs of absolute paths to leave out, whatever asks for them.
    pub exclude: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosureError {
    /// A look-up failed for another reason than that nothing is there.
    Rootfs(RootfsError),
}

/// Follows the request to the end.
///
/// # Errors
/// See [`ClosureError`].
pub fn plan(_rootfs: &Rootfs, _request: &Request) -> Result<Plan, ClosureError> {
    todo!()
}
