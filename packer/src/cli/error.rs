//! Why a verb failed: one line for the user, a hint, and the exit status.

mod hint;
pub(super) mod status;

use std::fmt;
use std::io;
use std::path::PathBuf;

use bundle::PathSetError;
use runtime::confine::seccomp::LoadError;
use runtime::control::ControlError;
use runtime::image::{CheckError, unpack::UnpackError};
use runtime::sys::process::Change;
use runtime::verify::VerifyError;
use signing::KeyId;
use signing::key_file::KeyFileError;

use crate::closure::ClosureError;
use crate::export::ExportError;
use crate::inventory::InventoryError;
use crate::listing::ListingError;
use crate::options::OptionsError;
use crate::plan::Warning;
use crate::reasons::ReasonsError;
use crate::rootfs::{RootPath, RootfsError, printable};
use crate::rules::RulesError;
use crate::script::{ScriptError, Stage};
use crate::seal::{OutputError, SealError};
use crate::stubs::StubError;
use crate::trace::TraceError;

/// Why a verb failed.
#[derive(Debug)]
pub(super) enum CliError {
    /// The command line.
    Options(OptionsError),
    /// The root file system as a whole.
    Rootfs(RootfsError),
    /// The rules cannot be used.
    Rules(RulesError),
    /// There is no plan.
    Closure(ClosureError),
    /// There is a plan, and the program would stop before its first instruction.
    CannotStart {
        /// What the plan warns of.
        faults: Vec<Warning>,
    },
    /// There is no stub.
    Stub {
        /// The program that wants one.
        program: RootPath,
        /// Why.
        source: StubError,
    },
    /// The bundle is not written.
    Seal(SealError),
    /// The files are not written.
    Export(ExportError),
    /// The output file is not written.
    Output(OutputError),
    /// A key file.
    KeyFile(KeyFileError),
    /// There is no home directory to keep keys in.
    NoHome,
    /// There is no key of the user's own, and none can be made.
    NoNewKey {
        /// Where it would be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A passphrase cannot be had.
    Passphrase {
        /// Where it should come from.
        from: String,
        /// What the system said.
        source: io::Error,
    },
    /// The two passphrases that were typed differ.
    PassphrasesDiffer,
    /// An empty passphrase.
    NoPassphrase,
    /// A bundle cannot be opened.
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A bundle is not what was signed, or not a bundle.
    Verify {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifyError,
    },
    /// A block of a bundle's image is not what was signed.
    Check {
        /// The file.
        path: PathBuf,
        /// Which.
        source: CheckError,
    },
    /// A bundle's list of packages.
    Inventory {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InventoryError,
    },
    /// A bundle's reasons.
    Reasons {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReasonsError,
    },
    /// Two bundles differ.
    Different,
    /// Whether two bundles differ cannot be found out.
    Incomparable(Box<CliError>),
    /// A bundle carries no reasons.
    NoReasons {
        /// The file.
        path: PathBuf,
    },
    /// A path that is not in a bundle.
    NotInBundle {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        wanted: RootPath,
        /// The link that leads to where nothing is.
        link: Option<RootPath>,
        /// Paths of the bundle that look like it.
        near: Vec<RootPath>,
    },
    /// A bundle's files cannot be listed or read.
    Listing {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ListingError,
    },
    /// A report cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A bundle is valid, and nobody who is trusted has signed it.
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Who has signed it.
        signers: Vec<KeyId>,
        /// Certain keys were asked for.
        asked: bool,
    },
    /// The signatures of a bundle cannot be changed.
    Sign {
        /// The file.
        path: PathBuf,
        /// Why.
        source: bundle::WriteError,
    },
    /// A trace, or what a bundle missed, cannot be read.
    Trace(TraceError),
    /// A variable that shapes a run means nothing.
    Control(ControlError),
    /// A profile of system calls.
    Seccomp(LoadError),
    /// A bundle cannot be run here.
    VerifyRun {
        /// The bundle.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A bundle did not start its program.
    NotStarted {
        /// The bundle.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// A bundle's set of paths.
    KnownPaths {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PathSetError,
    },
    /// A build script cannot be used.
    Script(ScriptError),
    /// A command of a build script failed.
    Build {
        /// The script.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// In which list.
        stage: Stage,
        /// The command, in a line.
        command: String,
        /// How it ended.
        change: Change,
    },
    /// A command could not be run.
    Run(runtime::error::Error),
    /// Unpacking failed.
    Unpack(UnpackError),
    /// Neither key nor bundle.
    NoKeys {
        /// The file.
        path: PathBuf,
    },
    /// Standard output cannot be written.
    Print(io::Error),
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::Rootfs(error) => error.fmt(f),
            Self::Rules(error) => error.fmt(f),
            Self::Closure(error) => error.fmt(f),
            Self::CannotStart { faults } => {
                let fault = |warning: &Warning| format!("{}: {}", warning.path, warning.message);
                f.write_str(&faults.iter().map(fault).collect::<Vec<_>>().join("; "))
            }
            Self::Stub { program, source } => write!(f, "{program}: {source}"),
            Self::Seal(error) => error.fmt(f),
            Self::Export(error) => error.fmt(f),
            Self::Output(error) => error.fmt(f),
            Self::KeyFile(error) => error.fmt(f),
            Self::NoHome => f.write_str("key: there is no home directory to keep it in"),
            Self::NoNewKey { path, source } => write!(
                f,
                "key: you have none, and none could be made at {}: {source}",
                path.display()
            ),
            Self::Passphrase { from, source } => write!(f, "passphrase: {from}: {source}"),
            Self::PassphrasesDiffer => f.write_str("passphrase: the two differ"),
            Self::NoPassphrase => f.write_str("passphrase: it is empty"),
            Self::Open { path, source } => write!(f, "{}: cannot open: {source}", path.display()),
            Self::Verify { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Check { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Inventory { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Reasons { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Different => f.write_str("the bundles differ"),
            Self::Incomparable(error) => error.fmt(f),
            Self::NoReasons { path } => write!(f, "{}: it does not say why its files are in it", path.display()),
            Self::NotInBundle {
                path,
                wanted,
                link: None,
                ..
            } => {
                write!(f, "{}: {wanted} is not in the bundle", path.display())
            }
            Self::NotInBundle {
                path,
                wanted,
                link: Some(link),
                ..
            } => {
                write!(
                    f,
                    "{}: {link} leads to {wanted}, which is not in the bundle",
                    path.display()
                )
            }
            Self::Listing { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Write { path, source } => write!(f, "{}: cannot write: {source}", path.display()),
            Self::Untrusted { path, signers, asked } => {
                let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
                let who = if *asked {
                    "none of the keys asked for"
                } else {
                    "nobody you trust"
                };
                let signers = signers.join(", ");
                write!(f, "{}: valid, but signed by {who}: key {signers}", path.display())
            }
            Self::Sign { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Trace(error) => error.fmt(f),
            Self::Script(error) => error.fmt(f),
            Self::Build {
                path,
                line,
                stage,
                command,
                change,
            } => {
                write!(f, "{}: line {line}: {}: {command}: ", path.display(), stage.name())?;
                match change {
                    Change::Exited(status) => write!(f, "exit status {status}"),
                    Change::Signalled(signal) => write!(f, "killed by signal {signal}"),
                    Change::Stopped(_) | Change::Continued => f.write_str("did not end"),
                }
            }
            Self::Control(error) => error.fmt(f),
            Self::Seccomp(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
            Self::VerifyRun { path, source } => write!(f, "{}: packed, but cannot be run: {source}", path.display()),
            Self::NotStarted { path, said } => {
                let said = printable(said.trim_end().as_bytes());
                write!(f, "{}: packed, but does not start here: {said}", path.display())
            }
            Self::KnownPaths { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Unpack(error) => error.fmt(f),
            Self::NoKeys { path } => write!(f, "{}: neither a key nor a bundle", path.display()),
            Self::Print(error) => write!(f, "cannot print: {error}"),
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    Options(OptionsError),
    Rootfs(RootfsError),
    Rules(RulesError),
    Closure(ClosureError),
    Seal(SealError),
    Export(ExportError),
    Output(OutputError),
    KeyFile(KeyFileError),
    Script(ScriptError),
    Trace(TraceError),
    Print(io::Error),
);
