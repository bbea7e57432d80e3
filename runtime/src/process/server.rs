//! The image server: the process that answers the kernel on the FUSE rung. It is the monitor's child, outside of the
//! namespaces: inside, it would keep the mount namespace alive that it serves, and be served by itself.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid, pipe2};

use super::control_socket::MonitorEnd;
use super::descriptors;
use super::message::{Failure, LONGEST};
use crate::error::{Error, UNSERVED};
use crate::exit;
use crate::image::{CheckError, OwnerMap, VerifiedImage, fuse};
use crate::ladder::Rung;
use crate::limits;
use crate::sys::process::{self, Fork};

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its process.
    pub(crate) pid: Pid,
    failures: OwnedFd,
}

/// What is to be served.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// The image.
    pub(crate) image: VerifiedImage,
    /// Whose its files are, in the ids of the namespace that mounted it.
    pub(crate) owner: OwnerMap,
}

impl Server {
    /// Forks a process that serves through `connection`. `socket` is closed in it.
    ///
    /// # Errors
    /// Why there is none. The connection is closed then, and whoever uses the mount is told that nobody serves it.
    pub(crate) fn start(service: &Service, connection: OwnedFd, socket: &mut MonitorEnd) -> Result<Self, Failure> {
        let (failures, report) = pipe2(OFlag::O_CLOEXEC).map_err(not_started)?;
        let monitor = getpid();
        match process::fork().map_err(not_started)? {
            Fork::Parent(pid) => Ok(Self { pid, failures }),
            Fork::Child => {
                drop(failures);
                serve(service.clone(), connection, &File::from(report), monitor, socket)
            }
        }
    }

    /// What went wrong, if anything did. The process must have ended.
    pub(crate) fn failure(self) -> Option<Failure> {
        let mut bytes = Vec::new();
        // A pipe that cannot be read says nothing.
        match File::from(self.failures).take(LONGEST as u64).read_to_end(&mut bytes) {
            Ok(_) | Err(_) => Failure::decode(&bytes),
        }
    }
}

/// The words for a server that there is not.
pub(crate) fn not_started(errno: Errno) -> Failure {
    Failure::of(
        &format_args!("start the image server: {}", errno.desc()),
        limits::hint_of_fork(errno).map(str::to_owned),
        exit::FAILED,
    )
}

/// The words for the server of a kept mount that has ended and said nothing.
pub(crate) fn ended() -> Failure {
    let error = Error::ServerEnded {
        change: None,
        rung: Some(Rung::Kept),
    };
    Failure::of(&error, error.hint(), error.status())
}

fn serve(service: Service, connection: OwnedFd, report: &File, monitor: Pid, socket: &mut MonitorEnd) -> ! {
    // Elsewhere than in a root of its own there is nothing to unpack to.
    let unpacks = !matches!(service.owner, OwnerMap::Reader { .. });
    let served = prepare(monitor, socket, report).map(|()| {
        let Ok(at_once) = report.try_clone() else {
            process::exit(exit::FAILED)
        };
        let tell = move |error: &CheckError| say(&at_once, &unverified(error));
        fuse::serve_reporting(service.image, connection, service.owner, tell)
    });
    match served {
        // An unverified block was reported when it was met.
        Ok(Ok(()) | Err(fuse::ServeError::Unverified(_))) => process::exit(0),
        Ok(Err(error)) => {
            let hint = error.hint().filter(|hint| unpacks || hint != UNSERVED);
            say(report, &Failure::of(&error, hint, exit::FAILED));
        }
        Err(errno) => say(
            report,
            &Failure::of(
                &format_args!("set up the image server: {}", errno.desc()),
                None,
                exit::FAILED,
            ),
        ),
    }
    process::exit(exit::FAILED)
}

/// The server must end with the monitor, and must not keep its socket open: init watches that for the monitor's end.
fn prepare(monitor: Pid, socket: &mut MonitorEnd, report: &File) -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_name(c"polecat-image")?;
    if getppid() != monitor {
        process::exit(exit::FAILED);
    }
    socket.replace(report)?;
    descriptors::release()
}

/// The status and the words for a block that could not be vouched for.
pub(crate) fn unverified(error: &CheckError) -> Failure {
    Failure::of(error, error.hint(), status_of(error))
}

/// A block that cannot be read at the moment is no proof of anything.
pub(crate) fn status_of(error: &CheckError) -> u8 {
    if error.is_tampering() {
        exit::UNVERIFIED
    } else {
        exit::FAILED
    }
}

/// One write, shorter than a pipe takes at once. The monitor reads it when this process has ended; if it cannot be
/// written the monitor is gone.
fn say(mut report: &File, failure: &Failure) {
    match report.write_all(&failure.encode()) {
        Ok(()) | Err(_) => {}
    }
}
