//! Why a verb failed: one line for the user, and the exit status.

use std::fmt;
use std::io;
use std::path::PathBuf;

use bundle::PathSetError;
use runtime::control::ControlError;
use runtime::image::{CheckError, unpack::UnpackError};
use runtime::limits;
use runtime::sys::process::Change;
use runtime::verify::VerifyError;
use signing::key_file::KeyFileError;
use signing::{KeyId, PemError};

use super::args::is_verb;
use crate::closure::ClosureError;
use crate::export::ExportError;
use crate::inventory::InventoryError;
use crate::listing::ListingError;
use crate::options::OptionsError;
use crate::plan::{Warning, WarningKind};
use crate::reasons::ReasonsError;
use crate::rootfs::{RootPath, RootfsError, printable};
use crate::rules::RulesError;
use crate::script::{ScriptError, Stage};
use crate::seal::{OutputError, SealError};
use crate::stubs::StubError;
use crate::trace::{MissesError, TraceError};

/// Statuses as `polecat --help` documents them.
pub(super) mod status {
    /// A file cannot be read or written, the disk is full, …
    pub(crate) const FAILED: u8 = 1;
    /// Of `polecat diff`: the bundles differ.
    pub(crate) const DIFFERENT: u8 = 1;
    /// Of `polecat diff`: whether they differ cannot be found out.
    pub(crate) const INCOMPARABLE: u8 = 2;
    /// The command line makes no sense.
    pub(crate) const USAGE: u8 = 2;
    /// Not a bundle, truncated, unsigned, of a newer format, or not what was signed.
    pub(crate) const UNVERIFIED: u8 = 3;
    /// A valid bundle, signed by nobody who is trusted.
    pub(crate) const UNTRUSTED: u8 = 4;
    /// Not found in the root file system, excluded, or hidden when the program runs.
    pub(crate) const NOT_FOUND: u8 = 5;
    /// A command of a build script.
    pub(crate) const BUILD: u8 = 6;
}

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
    /// A trace cannot be read.
    Trace(TraceError),
    /// What a bundle missed cannot be read.
    Misses(MissesError),
    /// A variable that shapes a run means nothing.
    Control(ControlError),
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

impl CliError {
    /// The status to exit with.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Script(ScriptError::Syntax { .. } | ScriptError::Value { .. }) => status::USAGE,
            Self::Build { .. } => status::BUILD,
            Self::Options(_) | Self::Rules(_) | Self::Closure(ClosureError::Pattern(_)) => status::USAGE,
            Self::CannotStart { .. } => status::NOT_FOUND,
            Self::Closure(error) if error.is_not_found() => status::NOT_FOUND,
            Self::Verify { source, .. } if !is_unreadable(source) => status::UNVERIFIED,
            Self::Check { source, .. } if source.is_tampering() => status::UNVERIFIED,
            Self::Inventory { source, .. } if source.is_tampering() => status::UNVERIFIED,
            Self::KnownPaths { source, .. } if source.is_tampering() => status::UNVERIFIED,
            Self::Reasons { source, .. } if source.is_tampering() => status::UNVERIFIED,
            Self::NotInBundle { .. } => status::NOT_FOUND,
            Self::Different => status::DIFFERENT,
            // 1 says that they differ, as with diff(1).
            Self::Incomparable(error) => match error.status() {
                status::FAILED => status::INCOMPARABLE,
                status => status,
            },
            Self::Untrusted { .. } => status::UNTRUSTED,
            // As a bundle has them.
            Self::Run(error) => error.status(),
            _ => status::FAILED,
        }
    }

    /// What to try.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Options(error) => error.hint(),
            // `polecat --key k verify x.run` and `polecat vreify x.run` name root file systems.
            Self::Rootfs(RootfsError::Missing { rootfs }) if is_verb(rootfs.as_os_str()) => {
                let verb = rootfs.display();
                Some(format!("put the verb first: polecat {verb} [OPTIONS] ..."))
            }
            Self::Rootfs(RootfsError::Missing { rootfs }) if rootfs.components().count() == 1 => {
                Some("give the directory of a root file system, or one of the verbs of `polecat --help`".into())
            }
            Self::Rootfs(error) => error.hint(),
            Self::CannotStart { faults } => faults.first().map(fault_hint),
            Self::Rules(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::Stub { source, .. } => source.hint(),
            Self::Seal(error) => error.hint(),
            Self::Export(error) => error.hint(),
            Self::Output(error) => error.hint(),
            Self::KeyFile(error) => key_hint(error),
            Self::NoHome => Some("set HOME, or name the key with --key".into()),
            Self::NoNewKey { .. } => Some(
                "set HOME to a directory of yours, or name another file: --key signs with it, key generate --out makes it"
                    .into(),
            ),
            Self::Passphrase { .. } => Some("put it into a file and name that with --passphrase-file".into()),
            Self::PassphrasesDiffer => Some("type the same passphrase twice".into()),
            Self::NoPassphrase => Some("leave the passphrase options away for a key that is not encrypted".into()),
            Self::Verify { source, .. } => source.hint(),
            Self::Check { source, .. } => source.hint(),
            Self::Inventory { source, .. } => source.hint(),
            Self::Reasons { source, .. } => source.hint(),
            Self::Different => None,
            Self::Incomparable(error) => error.hint(),
            Self::NoReasons { .. } => {
                Some("polecat plan of the same root file system and command, or pack it again without --no-reasons".into())
            }
            Self::NotInBundle { near, .. } if near.is_empty() => {
                Some("pack it with --include, or with a --trace of a run that uses it".into())
            }
            Self::NotInBundle { near, .. } => {
                Some(near.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Listing { source, .. } => source.hint(),
            Self::Untrusted { path, asked: false, .. } => Some(format!(
                "if its owner confirms that key id: polecat key show --pem {} > ~/.config/polecat/trusted.d/NAME.pem",
                path.display()
            )),
            Self::Untrusted { .. } => Some("name the public key of one of its signers with --key".into()),
            Self::Sign { source, .. } => source.hint(),
            Self::Trace(error) => error.hint(),
            Self::Misses(error) => error.hint(),
            Self::Script(error) => error.hint(),
            Self::Build { change, stage, .. } => build_hint(*stage, *change),
            Self::Control(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::VerifyRun { source, .. } => verify_run_hint(source).map(str::to_owned),
            Self::NotStarted { .. } => None,
            Self::KnownPaths { source, .. } => source.hint(),
            Self::Unpack(error) => error.hint(),
            Self::NoKeys { .. } => Some("give a PEM file with a key, or a bundle".into()),
            Self::Open { source, .. } => limits::hint_of_io(source).map(str::to_owned),
            Self::Write { .. } | Self::Print(_) => None,
        }
    }
}

/// errno(3): ENOEXEC, EACCES.
fn verify_run_hint(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error() {
        Some(8) => Some("run it on a machine of its architecture"),
        Some(13) => Some("write it to a file system that is not mounted with noexec"),
        _ => limits::hint_of_io(error),
    }
}

/// What to try about a command of a build script that failed.
fn build_hint(stage: Stage, change: Change) -> Option<String> {
    match (stage, change) {
        // A shell's word for a command that it does not find.
        (Stage::Install, Change::Exited(127)) => Some("name a program of the root file system".into()),
        (Stage::Test, Change::Exited(127)) => Some("install the program first, in the list install".into()),
        _ => None,
    }
}

/// What to try about the first thing without which the program does not start.
fn fault_hint(fault: &Warning) -> String {
    match fault.kind {
        WarningKind::Excluded => "narrow that --exclude so that it leaves the file in",
        WarningKind::Refused => return format!("--allow {}, if whoever gets the bundle may have it", fault.path),
        WarningKind::Hidden => {
            "keep it, and what links to it, in a directory of the root file system that the program sees, such as /opt"
        }
        _ => "install the package that has it into the root file system",
    }
    .to_owned()
}

/// Whether nothing can be said about the bundle, since the file cannot be read.
fn is_unreadable(error: &VerifyError) -> bool {
    matches!(error, VerifyError::Read(bundle::ReadError::Io { .. }))
}

fn key_hint(error: &KeyFileError) -> Option<String> {
    match error {
        KeyFileError::Pem {
            source: PemError::PassphraseNeeded,
            ..
        } => Some("type it on a terminal, or put it into a file and name that with --passphrase-file".into()),
        _ => error.hint(),
    }
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
            Self::Misses(error) => error.fmt(f),
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
    Misses(MissesError),
    Print(io::Error),
);
