//! The filter of system calls, seccomp(2): the last thing before the app is executed.
//!
//! `denied` is the default, `profile` reads others, both give a `policy`; `assemble` makes the kernel's program of it.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use bundle::manifest::{ManifestError, Seccomp};
use nix::errno::Errno;
use nix::sys::utsname::uname;

use super::capability_set::CapabilitySet;
use super::status::Degree;
use crate::error::errno;
use crate::host;
use crate::sys::seccomp as kernel;

mod assemble;
mod denied;
pub(crate) mod instruction;
mod names;
mod policy;
mod profile;
mod rule;

pub use assemble::TooLong;
pub use names::is_call;
pub use profile::{ProfileFault, unknown_names};

use assemble::assemble;
use policy::Policy;
use profile::Circumstances;

/// Which filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Filter {
    /// That of every program: best effort, as the kernel may have none.
    #[default]
    Default,
    /// None.
    Off,
    /// What this profile says, or no start.
    Profile(Seccomp),
}

/// A program for the kernel, ready to be installed.
#[derive(Debug)]
pub(super) struct Ready {
    program: Vec<libc::sock_filter>,
    required: bool,
}

/// The profile in a file of the host.
///
/// # Errors
/// [`LoadError`]: it cannot be read, or not be used on this machine.
pub fn load(path: &Path) -> Result<Seccomp, LoadError> {
    let failed = |fault| LoadError {
        path: path.to_owned(),
        fault,
    };
    let read = || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        host::read_up_to(file, length)
    };
    let bytes = read().map_err(|error| failed(LoadFault::Read(errno(&error))))?;
    let profile = Seccomp::parse(&bytes).map_err(|error| failed(LoadFault::Parse(error)))?;
    check(&profile).map_err(|error| failed(LoadFault::Use(error)))?;
    Ok(profile)
}

/// Whether a profile can be used on this machine.
///
/// # Errors
/// See [`SeccompError`].
pub fn check(profile: &Seccomp) -> Result<(), SeccompError> {
    let circumstances = Circumstances {
        capabilities: CapabilitySet::NONE,
        kernel: (0, 0),
    };
    let policy = profile::policy(profile, circumstances).map_err(SeccompError::Profile)?;
    assemble(&policy).map(drop).map_err(SeccompError::TooLong)
}

impl Filter {
    /// The program for an app that may have these capabilities; none where there is nothing to install.
    pub(super) fn ready(&self, capabilities: CapabilitySet) -> Result<Option<Ready>, SeccompError> {
        let policy = match self {
            Self::Off => None,
            Self::Default => denied::policy(capabilities),
            Self::Profile(profile) => Some(of_profile(profile, capabilities)?),
        };
        let ready = |policy| {
            Ok(Ready {
                program: assemble(&policy).map_err(SeccompError::TooLong)?,
                required: matches!(self, Self::Profile(_)),
            })
        };
        policy.map(ready).transpose()
    }

    /// How far it will hold, for the status.
    pub(super) fn degree(&self, ready: Option<&Ready>) -> Degree {
        match (self, ready, kernel::has_filters()) {
            (Self::Off, ..) => Degree::None("switched off".into()),
            (_, None, _) => Degree::None("the system calls of this machine are not known".into()),
            (_, _, Err(errno)) => Degree::None(format!("seccomp(2): {}", errno.desc()).into()),
            (Self::Default, ..) => Degree::Full("the default filter".into()),
            (Self::Profile(_), ..) => Degree::Full("a profile".into()),
        }
    }
}

fn of_profile(profile: &Seccomp, capabilities: CapabilitySet) -> Result<Policy, SeccompError> {
    let names = uname().map_err(SeccompError::Kernel)?;
    let circumstances = Circumstances {
        capabilities,
        kernel: names.release().to_str().and_then(profile::numbers).unwrap_or_default(),
    };
    let policy = profile::policy(profile, circumstances).map_err(SeccompError::Profile)?;
    match refuses_execve(&policy) {
        true => Err(SeccompError::Execve),
        false => Ok(policy),
    }
}

/// Whether no program could be executed, whatever its name is.
fn refuses_execve(policy: &Policy) -> bool {
    let Some((calls, number)) = policy.calls.first().zip(names::number("execve")) else {
        return false;
    };
    let about: Vec<_> = calls.rules.iter().filter(|rule| rule.number == number).collect();
    let certain = about.iter().position(|rule| rule.conditions.is_empty());
    let (conditional, rest) = about.split_at(certain.unwrap_or(about.len()));
    let otherwise = rest.first().map_or(calls.otherwise, |rule| rule.action);
    !otherwise.permits() && !conditional.iter().any(|rule| rule.action.permits())
}

impl Ready {
    /// Installs it. From here on this process may do no more than the app may.
    pub(super) fn install(&self) -> Result<(), SeccompError> {
        match kernel::filter(&self.program) {
            // No filters in the kernel, or a container engine that allows none.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EACCES) if !self.required => Ok(()),
            result => result.map_err(SeccompError::Install),
        }
    }
}

/// Why there is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeccompError {
    /// The profile means nothing.
    Profile(ProfileFault),
    /// The profile is too long.
    TooLong(TooLong),
    /// It forbids the start itself.
    Execve,
    /// uname(2).
    Kernel(Errno),
    /// seccomp(2).
    Install(Errno),
}

impl SeccompError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Execve => Some("allow execve in the profile".into()),
            Self::Install(Errno::EINVAL | Errno::ENOSYS) => {
                Some("a kernel with CONFIG_SECCOMP_FILTER, or another --seccomp".into())
            }
            Self::Profile(_) | Self::TooLong(_) | Self::Kernel(_) | Self::Install(_) => None,
        }
    }
}

impl fmt::Display for SeccompError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seccomp: ")?;
        match self {
            Self::Profile(fault) => fault.fmt(f),
            Self::TooLong(error) => error.fmt(f),
            Self::Execve => f.write_str("the profile refuses execve(2), by which the program is started"),
            Self::Kernel(errno) => write!(f, "ask for the kernel's version: {}", errno.desc()),
            Self::Install(errno) => write!(f, "install the filter: {}", errno.desc()),
        }
    }
}

impl std::error::Error for SeccompError {}

/// Why a file is no profile.
#[derive(Debug)]
pub struct LoadError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub fault: LoadFault,
}

/// Why a file is no profile.
#[derive(Debug)]
pub enum LoadFault {
    /// It cannot be read.
    Read(Errno),
    /// It is not of that shape.
    Parse(ManifestError),
    /// It cannot be used.
    Use(SeccompError),
}

impl LoadError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            LoadFault::Use(error) => error.hint(),
            LoadFault::Read(_) | LoadFault::Parse(_) => Some(
                "default, none, or the path of a profile as Docker and the OCI runtime specification have them".into(),
            ),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seccomp profile {}: ", self.path.display())?;
        match &self.fault {
            LoadFault::Read(errno) => f.write_str(errno.desc()),
            LoadFault::Parse(error) => error.fmt(f),
            LoadFault::Use(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_must_let_the_program_start() {
        for (text, refused) in [
            (r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, false),
            (r#"{"defaultAction":"SCMP_ACT_LOG"}"#, false),
            (r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#, true),
            (
                r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve"],"action":"SCMP_ACT_ALLOW"}]}"#,
                false,
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve"],"action":"SCMP_ACT_TRAP"}]}"#,
                true,
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve"],"action":"SCMP_ACT_ALLOW","args":[
                    {"index":0,"value":0,"op":"SCMP_CMP_NE"}]}]}"#,
                false,
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execveat"],"action":"SCMP_ACT_ALLOW"}]}"#,
                true,
            ),
        ] {
            if instruction::NATIVE.is_none() {
                return;
            }
            let profile = Seccomp::parse(text.as_bytes()).unwrap();
            assert_eq!(check(&profile), Ok(()), "{text}");
            let ready = Filter::Profile(profile).ready(CapabilitySet::NONE);
            assert_eq!(matches!(ready, Err(SeccompError::Execve)), refused, "{text}");
        }
    }

    #[test]
    fn degrees() {
        for (filter, name) in [(Filter::Off, "none"), (Filter::Default, "full")] {
            let ready = filter.ready(CapabilitySet::NONE).unwrap();
            if instruction::NATIVE.is_some() && kernel::has_filters().is_ok() {
                assert_eq!(filter.degree(ready.as_ref()).name(), name);
            }
        }
    }
}
