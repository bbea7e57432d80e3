//! What the app may not do. Every layer is applied in the app's own process, right before it is executed.

use std::fmt;

use nix::errno::Errno;

use crate::stages::Rooted;
use crate::userns::{self, UserNamespaceError};

mod capabilities;
pub mod landlock;
mod no_new_privs;
pub mod status;

pub use capabilities::kept;

/// A process that has given up what the app must not have. Made by confining and in no other way.
#[derive(Debug)]
pub struct Confined(());

/// What depends on the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// The caller's user id.
    pub uid: u32,
    /// The caller's group id.
    pub gid: u32,
    /// Whether this process is in a user namespace made for it.
    pub user_namespace: bool,
}

impl Confined {
    /// Applies every layer to this process, which is in its root.
    ///
    /// # Errors
    /// See [`ConfineError`]. Some layers may have been applied; the app must not be executed.
    pub(crate) fn confine(_rooted: &Rooted, confinement: Confinement) -> Result<Self, ConfineError> {
        let Confinement {
            uid,
            gid,
            user_namespace,
        } = confinement;
        if user_namespace && uid != 0 {
            userns::enter_inner(uid, gid)?;
        }
        no_new_privs::set()?;
        capabilities::keep(capabilities::kept(uid))?;
        Ok(Self(()))
    }
}

/// A layer that could not be applied.
#[derive(Debug)]
pub enum ConfineError {
    /// The app's own user namespace.
    UserNamespace(UserNamespaceError),
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs(Errno),
    /// A capability set.
    Capabilities {
        /// Which set, as capabilities(7) calls it.
        set: &'static str,
        /// What the caps crate says of it.
        text: String,
    },
}

impl ConfineError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UserNamespace(error) => error.hint(),
            Self::NoNewPrivs(_) | Self::Capabilities { .. } => None,
        }
    }
}

impl From<UserNamespaceError> for ConfineError {
    fn from(error: UserNamespaceError) -> Self {
        Self::UserNamespace(error)
    }
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserNamespace(error) => error.fmt(f),
            Self::NoNewPrivs(errno) => write!(f, "set no_new_privs: {}", errno.desc()),
            Self::Capabilities { set, text } => write!(f, "drop capabilities from the {set} set: {text}"),
        }
    }
}

impl std::error::Error for ConfineError {}
