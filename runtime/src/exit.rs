//! How a run ends, and the status that the caller sees.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{self, Resource};
use nix::unistd;

use crate::error::Error;
use crate::process::signals;
use crate::sys::disposition::{self, Disposition};
use crate::sys::process;
use crate::sys::signal_mask::Mask;

/// The bundle, or a block of its image, is not what was signed.
pub const UNVERIFIED: u8 = 121;
/// The runtime failed before the program was executed, as env(1) has it.
pub const FAILED: u8 = 125;
/// The program was found and cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The program was not found.
pub const NOT_FOUND: u8 = 127;

/// How a run ended.
#[derive(Debug)]
#[must_use]
pub enum End {
    /// The app ended by itself with this status.
    Exited(u8),
    /// This signal killed the app.
    Signalled(i32),
    /// There was no app, or it could not go on.
    Failed(Error),
}

/// Ends the process the way the app did: with its status, or by the signal that killed it, so that the caller's
/// wait(2) says what it would have said without us. No core is dumped: the app's was.
///
/// Prints nothing: a failure is for `main` to print.
pub fn leave(end: &End) -> ! {
    match end {
        End::Exited(status) => process::exit(*status),
        End::Failed(error) => process::exit(error.status()),
        End::Signalled(signal) => die_by(*signal),
    }
}

fn die_by(signal: i32) -> ! {
    match raise_unblocked(signal) {
        // Not reached where the signal kills. Else this status says the same in the shell's way.
        Ok(()) | Err(_) => process::exit(signals::status_of(signal)),
    }
}

fn raise_unblocked(signal: i32) -> Result<(), Errno> {
    // The limit is not enough where a program takes the core dumps, see core(5).
    prctl::set_dumpable(false)?;
    let (_, hard) = resource::getrlimit(Resource::RLIMIT_CORE)?;
    resource::setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
    if signal != libc::SIGKILL {
        disposition::set(signal, Disposition::Default)?;
    }
    process::kill(unistd::getpid(), signal)?;
    Mask::NONE.swap().map(drop)
}
