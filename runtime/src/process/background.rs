//! Going on without the caller: a process of its own goes on as the monitor, in a session of its own, and the one that the caller
//! started stays until the app was executed, or says why it was not.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, read, setsid, write};

use super::message::{Failure, LONGEST};
use super::named_file::open_named;
use crate::error::Error;
use crate::exit::{self, End};
use crate::sys::descriptor;
use crate::sys::process::{self, Change, Fork};

/// What the launcher is told when the app was executed. A failure is longer.
const EXECUTED: &[u8] = b"!";

const NULL: &str = "/dev/null";

/// Which process this is.
#[derive(Debug)]
pub(crate) enum Side {
    /// The one that the caller started, and how it ends.
    Launcher(End),
    /// The monitor.
    Monitor(Launcher),
}

/// The process that waits to be told, as the monitor sees it.
#[derive(Debug)]
pub(crate) struct Launcher(OwnedFd);

/// Starts the monitor. What is printed from then on, by anybody, goes to the end of `log`, if there is one. The launcher comes
/// back only from a failure.
///
/// # Errors
/// There is no monitor.
pub(crate) fn detach(log: Option<&Path>) -> Result<Side, Error> {
    let failed = |step| move |errno| Error::Monitor { step, errno };
    let null = open_named(Path::new(NULL), OFlag::O_RDWR, 0)?;
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT;
    let output = log.map(|log| open_named(log, flags, 0o600)).transpose()?;
    let (told, teller) = pipe2(OFlag::O_CLOEXEC).map_err(failed("make a pipe"))?;
    match process::fork().map_err(failed("fork the monitor"))? {
        Fork::Parent(monitor) => {
            drop((null, output, teller));
            let end = wait(monitor, &told).map_err(failed("wait for the monitor"))?;
            Ok(Side::Launcher(end))
        }
        Fork::Child => {
            let launcher = Launcher(teller);
            match settle(&null, output.as_ref().unwrap_or(&null)) {
                Ok(()) => Ok(Side::Monitor(launcher)),
                Err(errno) => launcher.fail(&failed("leave the caller's session")(errno)),
            }
        }
    }
}

/// A session without a terminal, and streams that are nobody else's.
fn settle(null: &File, output: &File) -> Result<(), Errno> {
    setsid()?;
    dup2_stdin(null)?;
    dup2_stdout(output)?;
    dup2_stderr(output)?;
    descriptor::reopened();
    Ok(())
}

/// The launcher's part.
fn wait(monitor: Pid, told: &OwnedFd) -> Result<End, Errno> {
    let mut packet = [0; LONGEST];
    // A word is written at once, and what is written at once is read at once.
    let length = loop {
        match read(told, &mut packet) {
            Err(Errno::EINTR) => {}
            length => break length?,
        }
    };
    let packet = packet.get(..length).unwrap_or_default();
    if packet == EXECUTED {
        process::exit(0);
    }
    match Failure::decode(packet) {
        Some(failure) => Ok(End::Failed(Error::Elsewhere(failure))),
        // The monitor has ended without a word, as somebody wanted.
        None => process::wait(monitor).map(|change| match change {
            Change::Exited(status) => End::Exited(status),
            Change::Signalled(signal) => End::Signalled(signal),
            Change::Stopped(_) | Change::Continued => End::Failed(Error::InitEnded(Some(change))),
        }),
    }
}

impl Launcher {
    /// The app was executed. It is an error when the launcher is gone: whoever started it has given up.
    pub(crate) fn release(&self) -> Result<(), Errno> {
        write(&self.0, EXECUTED).map(drop)
    }

    /// There is no app: the launcher says why, and this process ends.
    pub(crate) fn fail(&self, error: &Error) -> ! {
        let failure = Failure::of(error, error.hint(), error.status());
        // Nobody else is there to be told.
        match write(&self.0, &failure.encode()) {
            Ok(_) | Err(_) => process::exit(exit::FAILED),
        }
    }
}
