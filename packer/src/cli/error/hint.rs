//! What to try where a verb failed.

use std::io;

use runtime::limits;
use runtime::sys::process::Change;
use signing::PemError;
use signing::key_file::KeyFileError;

use super::CliError;
use crate::cli::args::is_verb;
use crate::plan::{Warning, WarningKind};
use crate::rootfs::RootfsError;
use crate::script::Stage;

impl CliError {
    /// What to try.
    pub(in crate::cli) fn hint(&self) -> Option<String> {
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
            Self::Script(error) => error.hint(),
            Self::Build { change, stage, .. } => build_hint(*stage, *change),
            // A verb starts a directory, or lets the doctor try all rungs.
            Self::Control(error) => error.hint(None),
            Self::Seccomp(error) => error.hint(),
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

fn key_hint(error: &KeyFileError) -> Option<String> {
    match error {
        KeyFileError::Pem {
            source: PemError::PassphraseNeeded,
            ..
        } => Some("type it on a terminal, or put it into a file and name that with --passphrase-file".into()),
        _ => error.hint(),
    }
}
