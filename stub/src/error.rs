//! What the stub says when there is no run.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use bundle::{PathSetError, ReadError};
use runtime::control::ControlError;
use runtime::exit::{self, End};
use runtime::image::CheckError;
use runtime::image::unpack::UnpackError;
use runtime::limits;
use runtime::options::{self, OptionFault};
use runtime::verify::VerifyError;

/// Why.
#[derive(Debug)]
pub(crate) enum Error {
    /// An option of a run, without its value.
    Option(OptionFault),
    /// A word that has our prefix, which is left away here, and is no flag.
    UnknownFlag(OsString),
    /// `--polecat-extract` without a directory, or with more.
    ExtractWhere,
    /// `--polecat-doctor` with more than `--json`.
    DoctorWhat,
    /// `--polecat-entry` without a name.
    EntryWhich,
    /// No program of the bundle has this name.
    NoEntry {
        /// As it was given.
        name: OsString,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A variable that means nothing.
    Variable(ControlError),
    /// The own file cannot be opened.
    Locate {
        /// By which path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither /proc nor the kernel says which file this is.
    NoName,
    /// The bundle is not what was signed, or none.
    Verify(VerifyError),
    /// Which paths the root file system had is not known.
    Paths(PathSetError),
    /// What the program misses cannot be written.
    Misses {
        /// To which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A block of the image.
    Check(CheckError),
    /// The files are not written.
    Unpack(UnpackError),
    /// stdout takes nothing.
    Output(io::Error),
    /// The run.
    Run(runtime::error::Error),
}

impl Error {
    /// Prints one line, what failed and what to try, and ends the process.
    pub(crate) fn print_and_exit(self) -> ! {
        let hint = self.hint().map_or(String::new(), |hint| format!(" (try: {hint})"));
        let text = format!("polecat: {self}{hint}\n");
        // If stderr is closed the status has to say it.
        match io::stderr().write_all(text.as_bytes()) {
            Ok(()) | Err(_) => exit::leave(&End::Exited(self.status())),
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::Verify(VerifyError::Read(ReadError::Io { .. })) => exit::FAILED,
            Self::Verify(_) => exit::UNVERIFIED,
            Self::Paths(error) if error.is_tampering() => exit::UNVERIFIED,
            Self::Check(error) | Self::Unpack(UnpackError::Unverified(error)) if error.is_tampering() => {
                exit::UNVERIFIED
            }
            Self::Run(error) => error.status(),
            Self::NoEntry { .. } => exit::NOT_FOUND,
            _ => exit::FAILED,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Option(fault) => fault.hint(),
            Self::UnknownFlag(_) => Some("--polecat-help".into()),
            Self::ExtractWhere => Some("--polecat-extract DIR".into()),
            Self::DoctorWhat => Some("--polecat-doctor --json".into()),
            Self::EntryWhich => Some("--polecat-help, which names the programs".into()),
            Self::NoEntry { known, .. } => Some(known.join(", ")),
            Self::Locate { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    Some("chmod a+r: the program must be able to read its own file".into())
                }
                _ => limits::hint_of_io(source).map(str::to_owned),
            },
            Self::NoName => Some("mount proc on /proc".into()),
            Self::Output(_) => None,
            Self::Misses { .. } => Some("set POLECAT_MISSES to a file that can be written".into()),
            Self::Paths(error) => error.hint(),
            Self::Variable(error) => error.hint(Some(options::PREFIX)),
            Self::Verify(error) => error.hint(),
            Self::Check(error) => error.hint(),
            Self::Unpack(error) => error.hint(),
            Self::Run(error) => error.hint(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(fault) => fault.fmt(f),
            Self::UnknownFlag(word) => write!(f, "--polecat-{}: no flag of polecat's", word.display()),
            Self::ExtractWhere => f.write_str("--polecat-extract: expected one directory"),
            Self::DoctorWhat => f.write_str("--polecat-doctor: knows nothing but --json"),
            Self::EntryWhich => f.write_str("--polecat-entry: expected the name of a program"),
            Self::NoEntry { name, .. } => write!(f, "--polecat-entry: {}: no program of this file", name.display()),
            Self::Locate { path, source } => write!(f, "open own file {}: {source}", path.display()),
            Self::NoName => f.write_str("find own file: neither /proc nor the kernel says where it is"),
            Self::Output(error) => write!(f, "write to stdout: {error}"),
            Self::Misses { path, source } => write!(f, "write {}: {source}", path.display()),
            Self::Paths(error) => error.fmt(f),
            Self::Variable(error) => error.fmt(f),
            Self::Verify(error) => error.fmt(f),
            Self::Check(error) => error.fmt(f),
            Self::Unpack(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
        }
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::Variable(error)
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

impl From<CheckError> for Error {
    fn from(error: CheckError) -> Self {
        Self::Check(error)
    }
}

impl From<UnpackError> for Error {
    fn from(error: UnpackError) -> Self {
        Self::Unpack(error)
    }
}

impl From<runtime::error::Error> for Error {
    fn from(error: runtime::error::Error) -> Self {
        Self::Run(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_file_that_cannot_be_opened_gets_the_hint_of_its_errno() {
        // errno(3): EMFILE, ENFILE, EACCES, EIO.
        for (errno, expected) in [
            (24, Some("ulimit -n")),
            (23, Some("fs.file-max")),
            (13, Some("chmod a+r")),
            (5, None),
        ] {
            let error = Error::Locate {
                path: "/proc/self/exe".into(),
                source: io::Error::from_raw_os_error(errno),
            };
            let hint = error.hint();
            assert_eq!(hint.is_some(), expected.is_some(), "{errno}: {hint:?}");
            assert!(
                hint.unwrap_or_default().contains(expected.unwrap_or_default()),
                "{errno}"
            );
        }
    }
}
