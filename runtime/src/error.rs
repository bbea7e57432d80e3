//! Why a run failed. One type for `main` to print; what happened in the other processes arrives as text.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::cgroup::CgroupError;
use crate::confine::seccomp::{LoadError, SeccompError};
use crate::exit;
use crate::host::HostError;
use crate::ladder::Rung;
use crate::limits;
use crate::options::OptionFault;
use crate::persist::PersistError;
use crate::process::clone::CloneError;
use crate::process::message::Failure;
use crate::sys::process::Change;

/// What the system said; EIO where it was somebody else.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Whether `text` has `part` in it.
pub(crate) fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

/// What helps where the image server does not, and there can be a root of the program's own. An option stands over other options before
/// it, and over the variable.
pub(crate) const UNSERVED: &str = "the option --polecat-mount=unpack, which needs no server";

/// Why a run failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An option means nothing.
    Option(OptionFault),
    /// A file is no profile of system calls.
    Profile(LoadError),
    /// The manifest's profile of system calls cannot be used.
    Seccomp(SeccompError),
    /// The host did not answer.
    Host(HostError),
    /// What is written cannot be kept.
    Persist(PersistError),
    /// A limit cannot be had.
    Cgroup(CgroupError),
    /// The namespaces could not be made.
    Clone(CloneError),
    /// The only rung that is wanted has no root of its own, and that is wanted too.
    Strict {
        /// The rung.
        rung: Rung,
        /// The option that wants a root of its own; none where it is what watches the program.
        asks: Option<&'static str>,
        /// What options begin with.
        prefix: &'static str,
    },
    /// Init, the app's process or the image server failed.
    Elsewhere(Failure),
    /// execve(2) refused the program.
    NotExecuted {
        /// Its path, inside.
        path: PathBuf,
        /// Why, as errno(3) numbers it.
        errno: i32,
        /// Whether there is a file of that name.
        present: bool,
    },
    /// Init ended without a word.
    InitEnded(Option<Change>),
    /// The image server ended while the app needed it, and said nothing.
    ServerEnded {
        /// How, where that is known.
        change: Option<Change>,
        /// What it served.
        rung: Option<Rung>,
    },
    /// A file of the host's that the caller named.
    File {
        /// What should be done with it, as a verb.
        step: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        errno: Errno,
    },
    /// The pid file is that of a run that goes on.
    PidFileTaken(PathBuf),
    /// The monitor itself failed.
    Monitor {
        /// What it wanted to do, as a verb.
        step: &'static str,
        /// What the system said.
        errno: Errno,
    },
}

impl Error {
    /// Exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Elsewhere(failure) => failure.status,
            Self::NotExecuted {
                errno: libc::ENOENT | libc::ENOTDIR,
                ..
            } => exit::NOT_FOUND,
            Self::NotExecuted { .. } => exit::NOT_EXECUTABLE,
            _ => exit::FAILED,
        }
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Option(fault) => fault.hint(),
            Self::Profile(error) => error.hint(),
            Self::Seccomp(error) => error.hint(),
            Self::Host(error) => error.hint(),
            Self::Persist(error) => error.hint(),
            Self::Cgroup(error) => error.hint(),
            Self::Clone(error) => error.hint(),
            Self::Elsewhere(failure) => failure.hint.as_ref().map(|hint| hint.display().to_string()),
            Self::NotExecuted {
                errno: libc::ENOENT,
                present: true,
                ..
            } => Some("have it packed with that, by --include: `polecat plan` shows what is taken along".into()),
            Self::Strict { .. } => Some("leave out one of the two".into()),
            Self::InitEnded(_) => limits::hint_of_memory().map(str::to_owned),
            Self::ServerEnded { rung, .. } => {
                let other = rung.filter(|rung| rung.has_own_root()).map(|_| UNSERVED);
                limits::hint_of_memory().or(other).map(str::to_owned)
            }
            Self::Monitor { errno, .. } => limits::hint_of_fork(*errno).map(str::to_owned),
            Self::PidFileTaken(_) => Some("another file, or end the run whose process id is in it".into()),
            Self::NotExecuted { .. } | Self::File { .. } => None,
        }
    }
}

impl From<OptionFault> for Error {
    fn from(fault: OptionFault) -> Self {
        Self::Option(fault)
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        Self::Profile(error)
    }
}

impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<PersistError> for Error {
    fn from(error: PersistError) -> Self {
        Self::Persist(error)
    }
}

impl From<CgroupError> for Error {
    fn from(error: CgroupError) -> Self {
        Self::Cgroup(error)
    }
}

impl From<CloneError> for Error {
    fn from(error: CloneError) -> Self {
        Self::Clone(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(fault) => fault.fmt(f),
            Self::Profile(error) => error.fmt(f),
            Self::Seccomp(error) => error.fmt(f),
            Self::Host(error) => error.fmt(f),
            Self::Persist(error) => error.fmt(f),
            Self::Cgroup(error) => error.fmt(f),
            Self::Clone(error) => error.fmt(f),
            Self::Strict { rung, asks, prefix } => {
                let (before, asks) = match asks {
                    Some(option) => (*prefix, *option),
                    None => ("", "what watches the program"),
                };
                write!(
                    f,
                    "{prefix}mount={rung}: a rung without a root of its own is refused: {before}{asks} needs one"
                )
            }
            Self::Elsewhere(failure) => failure.message.display().fmt(f),
            Self::NotExecuted {
                path,
                errno: libc::ENOENT,
                present: true,
            } => {
                write!(
                    f,
                    "execute {}: the interpreter or loader that it names is not in the image",
                    path.display()
                )
            }
            Self::NotExecuted { path, errno, .. } => {
                write!(f, "execute {}: {}", path.display(), Errno::from_raw(*errno).desc())
            }
            Self::InitEnded(change) => describe("init", *change, f),
            Self::ServerEnded { change, .. } => describe("the image server", *change, f),
            Self::File { step, path, errno } => write!(f, "{step} {}: {}", path.display(), errno.desc()),
            Self::PidFileTaken(path) => write!(f, "{}: a run that goes on has this pid file", path.display()),
            Self::Monitor { step, errno } => write!(f, "{step}: {}", errno.desc()),
        }
    }
}

fn describe(who: &str, change: Option<Change>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{who} ended before the app did: ")?;
    match change {
        Some(Change::Exited(status)) => write!(f, "exit status {status}"),
        Some(Change::Signalled(signal)) => write!(f, "killed by signal {signal}"),
        Some(Change::Stopped(signal)) => write!(f, "stopped by signal {signal}"),
        Some(Change::Continued) => f.write_str("continued"),
        None => f.write_str("nobody knows how"),
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_as_they_are_written() {
        for (asks, prefix, expected) in [
            (
                Some("strict"),
                "--polecat-",
                "--polecat-mount=disk: a rung without a root of its own is refused: --polecat-strict needs one",
            ),
            (
                None,
                "--",
                "--mount=disk: a rung without a root of its own is refused: what watches the program needs one",
            ),
        ] {
            let rung = Rung::Disk;
            assert_eq!(Error::Strict { rung, asks, prefix }.to_string(), expected);
        }
    }

    #[test]
    fn unpacking_is_no_help_without_a_root_of_ones_own() {
        for (rung, expected) in [
            (Some(Rung::Fuse), Some(UNSERVED)),
            (Some(Rung::Kept), Some(UNSERVED)),
            (Some(Rung::Fusermount), None),
            (None, None),
        ] {
            let change = Some(Change::Signalled(9));
            let hint = Error::ServerEnded { change, rung }.hint();
            assert_eq!(hint.as_deref(), limits::hint_of_memory().or(expected), "{rung:?}");
        }
    }
}
