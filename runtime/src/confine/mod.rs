//! What the app may not do. Every layer is applied in the app's own process, right before it is executed.
//!
//! [`Confined`] has lost the caller's rights; [`Sealed`] has the limits and the filter of the app as well and can do hardly
//! more than execute it. [`status`] says of each layer how far it holds.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::unistd::getpid;

use crate::options::{Options, Rlimit};
use crate::stages::Rooted;
use crate::sys::descriptor;
use crate::userns::{self, UserNamespaceError};

mod capabilities;
pub mod capability_set;
pub mod landlock;
mod limits;
mod no_new_privs;
pub mod seccomp;
mod session_keyring;
pub mod status;
mod user;

pub use capabilities::kept;

use capability_set::{CapabilityChange, CapabilitySet};
use landlock::LandlockError;
use limits::{Prepared, RlimitError};
use seccomp::{Filter, Ready, SeccompError};
use status::{Degree, Layer, Missing, Status};

/// A process that has given up what the app must not have. Made by confining and in no other way.
#[derive(Debug)]
pub struct Confined {
    limits: Prepared,
    filter: Option<Ready>,
}

/// A process that is confined, limited and filtered. Made by sealing and in no other way.
#[derive(Debug)]
pub struct Sealed(());

/// What depends on the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// The app's user id.
    pub uid: u32,
    /// The app's group id.
    pub gid: u32,
    /// Whether those are not the caller's but asked for.
    pub asked: bool,
    /// Whether this process is in a user namespace made for it.
    pub user_namespace: bool,
    /// Whether the keys of the caller's session stay outside.
    pub own_keyring: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restrictions {
    capabilities: CapabilityChange,
    rlimits: Vec<Rlimit>,
    filter: Filter,
    /// On stderr.
    announced: bool,
    /// To a descriptor of the caller's.
    reported: Option<RawFd>,
    required: Vec<Layer>,
    /// What stands already.
    pub(crate) status: Status,
}

impl Restrictions {
    pub(crate) fn new(options: &Options, filter: Filter) -> Self {
        Self {
            capabilities: options.capabilities,
            rlimits: options.rlimits.clone(),
            filter,
            announced: options.status,
            reported: options.status_fd,
            required: options.required.clone(),
            status: Status::default(),
        }
    }

    /// Whether anybody wants to know how far the layers hold.
    fn asks(&self) -> bool {
        self.announced || self.reported.is_some() || !self.required.is_empty()
    }

    /// Says what `status` is to those who asked, and fails where a layer must hold that does not.
    fn tell(&self, status: &Status) -> Result<(), ConfineError> {
        if self.announced {
            // Who has closed stderr does not want to read it.
            match io::stderr().write_all(status.lines().as_bytes()) {
                Ok(()) | Err(_) => {}
            }
        }
        if let Some(number) = self.reported {
            let written = descriptor::write_to_inherited(number, status.json().as_bytes());
            written.map_err(|errno| ConfineError::Status { number, errno })?;
        }
        let missing = status.missing(&self.required).map(ConfineError::Missing);
        missing.map_or(Ok(()), Err)
    }
}

impl Confined {
    /// Takes the caller's rights from this process, which is in its root, and says what stands then, beside what `status` has.
    ///
    /// # Errors
    /// See [`ConfineError`]. Some layers may have been applied; the app must not be executed.
    pub(crate) fn confine(
        rooted: &Rooted,
        confinement: Confinement,
        asked: &Restrictions,
        mut status: Status,
    ) -> Result<Self, ConfineError> {
        let Confinement {
            uid,
            gid,
            asked: other,
            user_namespace,
            own_keyring,
        } = confinement;
        if own_keyring {
            session_keyring::leave().map_err(ConfineError::Keyring)?;
        }
        match user_namespace {
            true if uid != 0 || other => userns::enter_inner(uid, gid)?,
            false if other => user::become_user(uid, gid, rooted.groups())?,
            _ => {}
        }
        no_new_privs::set()?;
        let mut files = None;
        if let Some(installation) = rooted.installation() {
            files = Some(installation.restrict(rooted.cwd()).map_err(ConfineError::Landlock)?);
        }
        let limits = limits::prepare(&asked.rlimits)?;
        let kept = asked.capabilities.applied(capabilities::kept(uid));
        let held = capabilities::keep(kept, uid)?;
        let filter = asked.filter.ready(kept)?;
        if asked.asks() {
            let wanted: CapabilitySet = asked.capabilities.added();
            status.note(Layer::Capabilities, held.degree(wanted, user_namespace));
            status.note(Layer::NoNewPrivs, Degree::Full("set".into()));
            if files.is_none() && shows_other_processes() {
                let text =
                    "its own, but /proc is the caller's: parts of that are covered, so that no other can be mounted";
                status.note(Layer::Pid, Degree::Partial(text.into()));
            }
            if let Some(degree) = files {
                status.note(Layer::Landlock, degree);
            }
            if let Some(degree) = limits.degree() {
                status.note(Layer::Rlimits, degree);
            }
            status.note(Layer::Seccomp, asked.filter.degree(filter.as_ref()));
            asked.tell(&status)?;
        }
        Ok(Self { limits, filter })
    }

    /// Applies what would be in the way of everything but the execution of the app.
    ///
    /// # Errors
    /// See [`ConfineError`].
    pub(crate) fn seal(&self) -> Result<Sealed, ConfineError> {
        self.limits.set()?;
        self.filter.as_ref().map_or(Ok(()), Ready::install)?;
        Ok(Sealed(()))
    }
}

/// Whether `/proc` is that of another PID namespace.
fn shows_other_processes() -> bool {
    let shown = fs::read_link("/proc/self");
    shown.is_ok_and(|shown| shown.as_os_str() != getpid().to_string().as_str())
}

/// A layer that could not be applied.
#[derive(Debug)]
pub enum ConfineError {
    /// The app's own user namespace.
    UserNamespace(UserNamespaceError),
    /// The user that was asked for.
    User {
        /// Who.
        uid: u32,
        /// Which group.
        gid: u32,
        /// Why not.
        errno: Errno,
    },
    /// A session keyring of the app's own.
    Keyring(Errno),
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs(Errno),
    /// A capability set.
    Capabilities {
        /// Which set, as capabilities(7) calls it.
        set: &'static str,
        /// What the caps crate says of it.
        text: String,
    },
    /// The files of the host that it may change.
    Landlock(LandlockError),
    /// A limit of a resource.
    Rlimit(RlimitError),
    /// The filter of system calls.
    Seccomp(SeccompError),
    /// A layer that is required.
    Missing(Missing),
    /// The status could not be written.
    Status {
        /// To which descriptor.
        number: RawFd,
        /// Why.
        errno: Errno,
    },
}

impl ConfineError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UserNamespace(error) => error.hint(),
            Self::Seccomp(error) => error.hint(),
            Self::User {
                errno: Errno::EINVAL, ..
            } => Some("the id means nothing in this user namespace: see /proc/self/uid_map and gid_map".into()),
            Self::User { .. } => Some("this needs CAP_SETUID and CAP_SETGID".into()),
            Self::Status { number, .. } => Some(format!("open it for writing, as by {number}>FILE in a shell")),
            Self::Keyring(Errno::EDQUOT) => Some("raise kernel.keys.maxkeys: every contained program takes one".into()),
            Self::Keyring(_)
            | Self::NoNewPrivs(_)
            | Self::Capabilities { .. }
            | Self::Landlock(_)
            | Self::Rlimit(_)
            | Self::Missing(_) => None,
        }
    }
}

impl From<UserNamespaceError> for ConfineError {
    fn from(error: UserNamespaceError) -> Self {
        Self::UserNamespace(error)
    }
}

impl From<RlimitError> for ConfineError {
    fn from(error: RlimitError) -> Self {
        Self::Rlimit(error)
    }
}

impl From<SeccompError> for ConfineError {
    fn from(error: SeccompError) -> Self {
        Self::Seccomp(error)
    }
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserNamespace(error) => error.fmt(f),
            Self::User { uid, gid, errno } => write!(f, "become user {uid}, group {gid}: {}", errno.desc()),
            Self::Keyring(errno) => write!(f, "leave the keys of the caller's session: {}", errno.desc()),
            Self::NoNewPrivs(errno) => write!(f, "set no_new_privs: {}", errno.desc()),
            Self::Capabilities { set, text } => write!(f, "drop capabilities from the {set} set: {text}"),
            Self::Landlock(error) => error.fmt(f),
            Self::Rlimit(error) => error.fmt(f),
            Self::Seccomp(error) => error.fmt(f),
            Self::Missing(missing) => missing.fmt(f),
            Self::Status { number, errno } => write!(f, "write the status to descriptor {number}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for ConfineError {}
