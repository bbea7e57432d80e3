//! Why a stage failed.

use std::ffi::NulError;
use std::fmt;

use nix::errno::Errno;

use crate::climb::ClimbError;
use crate::exit;
use crate::hosts_root::NoneInstalled;
use crate::limits::{self, LimitError};
use crate::root::apply::ApplyError;
use crate::root::pivot::PivotError;
use crate::userns::UserNamespaceError;

/// A stage inside the namespaces that failed.
#[derive(Debug)]
pub(crate) enum StageError {
    UserNamespace(UserNamespaceError),
    Limit(LimitError),
    Pivot(PivotError),
    Climb(ClimbError),
    Install(NoneInstalled),
    Apply(ApplyError),
    Nul(NulError),
    /// fusermount3 has ended, which would take the mount away if nobody else can.
    Unguarded,
    /// A step of init's own.
    Init {
        step: &'static str,
        errno: Errno,
    },
}

impl StageError {
    pub(crate) fn init(step: &'static str, errno: Errno) -> Self {
        Self::Init { step, errno }
    }

    /// Whether it may be otherwise in another way: the host refuses this one. What was asked for and cannot be had is asked for in
    /// every way.
    pub(crate) fn is_of_this_way(&self) -> bool {
        match self {
            Self::UserNamespace(_) | Self::Pivot(_) => true,
            Self::Apply(error) => error.is_of_host(),
            Self::Climb(error) => error.is_of_host(),
            Self::Install(error) => !error.is_unverified(),
            Self::Limit(_) | Self::Nul(_) | Self::Unguarded | Self::Init { .. } => false,
        }
    }

    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Climb(error) => error.status(),
            Self::Install(error) => error.status(),
            _ => exit::FAILED,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UserNamespace(error) => error.hint(),
            Self::Pivot(error) => error.hint(),
            Self::Climb(error) => error.hint(),
            Self::Install(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            Self::Init { errno, .. } => limits::hint_of_fork(*errno).map(str::to_owned),
            Self::Limit(_) | Self::Nul(_) | Self::Unguarded => None,
        }
    }
}

impl From<UserNamespaceError> for StageError {
    fn from(error: UserNamespaceError) -> Self {
        Self::UserNamespace(error)
    }
}

impl From<LimitError> for StageError {
    fn from(error: LimitError) -> Self {
        Self::Limit(error)
    }
}

impl From<PivotError> for StageError {
    fn from(error: PivotError) -> Self {
        Self::Pivot(error)
    }
}

impl From<ApplyError> for StageError {
    fn from(error: ApplyError) -> Self {
        Self::Apply(error)
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserNamespace(error) => error.fmt(f),
            Self::Limit(error) => error.fmt(f),
            Self::Pivot(error) => error.fmt(f),
            Self::Climb(error) => error.fmt(f),
            Self::Install(error) => error.fmt(f),
            Self::Apply(error) => error.fmt(f),
            Self::Nul(error) => write!(f, "the manifest's command: {error}"),
            Self::Unguarded => f.write_str("fusermount3 ended before the app did"),
            Self::Init { step, errno } => write!(f, "{step}: {}", errno.desc()),
        }
    }
}
