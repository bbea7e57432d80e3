//! Statuses as `polecat --help` documents them.

use runtime::verify::VerifyError;

use super::CliError;
use crate::closure::ClosureError;
use crate::script::ScriptError;

/// A file cannot be read or written, the disk is full, …
pub(in crate::cli) const FAILED: u8 = 1;
/// Of `polecat diff`: the bundles differ.
pub(in crate::cli) const DIFFERENT: u8 = 1;
/// Of `polecat diff`: whether they differ cannot be found out.
pub(in crate::cli) const INCOMPARABLE: u8 = 2;
/// The command line makes no sense.
pub(in crate::cli) const USAGE: u8 = 2;
/// Not a bundle, truncated, unsigned, of a newer format, or not what was signed.
pub(in crate::cli) const UNVERIFIED: u8 = 3;
/// A valid bundle, signed by nobody who is trusted.
pub(in crate::cli) const UNTRUSTED: u8 = 4;
/// Not found in the root file system, excluded, or hidden when the program runs.
pub(in crate::cli) const NOT_FOUND: u8 = 5;
/// A command of a build script.
pub(in crate::cli) const BUILD: u8 = 6;

impl CliError {
    /// The status to exit with.
    pub(in crate::cli) fn status(&self) -> u8 {
        match self {
            Self::Script(ScriptError::Syntax { .. } | ScriptError::Value { .. }) => USAGE,
            Self::Build { .. } => BUILD,
            Self::Options(_) | Self::Rules(_) | Self::Closure(ClosureError::Pattern(_)) => USAGE,
            Self::CannotStart { .. } => NOT_FOUND,
            Self::Closure(error) if error.is_not_found() => NOT_FOUND,
            Self::Verify { source, .. } if !is_unreadable(source) => UNVERIFIED,
            Self::Check { source, .. } if source.is_tampering() => UNVERIFIED,
            Self::Inventory { source, .. } if source.is_tampering() => UNVERIFIED,
            Self::KnownPaths { source, .. } if source.is_tampering() => UNVERIFIED,
            Self::Reasons { source, .. } if source.is_tampering() => UNVERIFIED,
            Self::NotInBundle { .. } => NOT_FOUND,
            Self::Different => DIFFERENT,
            // 1 says that they differ, as with diff(1).
            Self::Incomparable(error) => match error.status() {
                FAILED => INCOMPARABLE,
                status => status,
            },
            Self::Untrusted { .. } => UNTRUSTED,
            // As a bundle has them.
            Self::Run(error) => error.status(),
            _ => FAILED,
        }
    }
}

/// Whether nothing can be said about the bundle, since the file cannot be read.
fn is_unreadable(error: &VerifyError) -> bool {
    matches!(error, VerifyError::Read(bundle::ReadError::Io { .. }))
}
