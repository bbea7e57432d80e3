//! Installing into a root file system that stays as it is, and trying out what was installed.
//!
//! ```text
//! caller ── builder            a fork of the caller, the monitor of the run
//!             └── init           pid 1 of new namespaces; builds the root, traces
//!                  └── foreman     in the place of the app: keeps the root alive until the caller has read it
//!                       ├── runner   installs, a command at a time; as user 0 of the namespace
//!                       └── runner   tests, as the app would run; in a layer of its own, and traced
//! ```
//!
//! What is installed goes to the layer in memory that every run on a directory has, so it is gone with the last of these processes,
//! however they end. The caller reads it through a descriptor of the merged root, without what is mounted in it.

mod foreman;
mod layer;
mod names;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use bundle::manifest::{Isolation, Process};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use crate::control::Control;
use crate::error::Error;
use crate::exit::{self, End};
use crate::host::Facts;
use crate::process::control_socket::{self, InitEnd, MonitorEnd, Received};
use crate::process::message::{Failure, FromInit};
use crate::run::{directory_job, supervise};
use crate::sys::process::{self, Change, Fork};
use crate::trace::{Event, Tracer, Until, log, read_events};
use foreman::Foreman;
use names::Names;

/// What is to be done, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stages {
    /// Commands that install.
    pub install: Vec<Step>,
    /// Commands that try out what was installed.
    pub test: Vec<Step>,
    /// Whether commands are announced on standard error, and what they print to standard output goes there. Otherwise neither is seen.
    pub announced: bool,
}

/// A command of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How it is announced.
    pub title: String,
    /// For `/bin/sh -e -c` of the root file system.
    pub command: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Build {
    /// Every command ended with status 0.
    Done(Built),
    /// A command did not, and those behind it were not run.
    Failed {
        /// Its number, from 0, counted through both stages.
        step: usize,
        /// How it ended.
        change: Change,
    },
    /// The build was interrupted by this signal.
    Interrupted(i32),
}

/// A root file system with what was installed. It is there as long as this value.
#[derive(Debug)]
pub struct Built {
    root: OwnedFd,
    events: Vec<Event>,
    _builder: Builder,
}

impl Built {
    /// The merged root, open for its place (`O_PATH`). Nothing is mounted in it.
    pub fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// What the tests did, as [`crate::trace::Traced::events`].
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// Runs both stages in the root file system that is the directory `root`, which stays as it is. `process` has variables and working
/// directory; its path and arguments are not used. Forks: this process must have a single thread.
///
/// # Errors
/// The root cannot be made, or a process of ours failed. A command that fails is no error, see [`Build`].
pub fn build(
    root: &Path,
    process: Process,
    isolation: &Isolation,
    control: Control,
    stages: Stages,
) -> Result<Build, Error> {
    let failed = |step| move |errno: Errno| Error::Monitor { step, errno };
    let (log, own) = log()?;
    let (here, there) = control_socket::pair().map_err(failed("make a socket"))?;
    let last = stages.install.len() + stages.test.len();
    let caller = getpid();
    let pid = match process::fork().map_err(failed("fork the builder"))? {
        Fork::Child => {
            drop(here);
            become_builder(caller, &there, || {
                let tracer = Tracer::new(log, Until::CommandEnds).map_err(failed("make a socket"))?;
                let mut job = directory_job(root, process, isolation, Vec::new(), control)?;
                job.names = false;
                let names = Names::of(&Facts::probe()?);
                let report = there.try_clone().map_err(failed("make a socket"))?;
                supervise(job, Some(Foreman::new(tracer, stages, names, report)))
            })
        }
        Fork::Parent(pid) => pid,
    };
    drop((there, log));
    let builder = Builder {
        pid,
        socket: Some(here),
    };
    builder.follow(last, own)
}

/// The monitor of the run, in a process of its own: whoever supervises lets go of standard output, which the caller still needs.
fn become_builder(caller: Pid, socket: &InitEnd, work: impl FnOnce() -> Result<End, Error>) -> ! {
    let ready = prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid() != caller {
        process::exit(exit::FAILED);
    }
    let end = ready
        .map_err(|errno| Error::Monitor {
            step: "set the parent-death signal",
            errno,
        })
        .and_then(|()| work())
        .unwrap_or_else(End::Failed);
    match &end {
        End::Failed(error) => {
            let failure = FromInit::Failed(Failure::of(error, error.hint(), error.status()));
            // Without the caller there is nobody to tell.
            match socket.send(&failure, None) {
                Ok(()) | Err(_) => process::exit(exit::FAILED),
            }
        }
        end => exit::leave(end),
    }
}

/// The process that supervises. When this value is dropped it ends, and with it all that was built.
#[derive(Debug)]
struct Builder {
    pid: Pid,
    socket: Option<MonitorEnd>,
}

impl Builder {
    /// Hears how the commands end, up to `last` of them, and takes the root in the end.
    fn follow(mut self, last: usize, log: File) -> Result<Build, Error> {
        let failed = |errno| Error::Monitor {
            step: "follow the build",
            errno,
        };
        let mut step = 0;
        loop {
            match self.hear().map_err(failed)? {
                Some((FromInit::Exited(0), _)) => step += 1,
                Some((FromInit::Exited(status), _)) => {
                    let change = Change::Exited(status);
                    return Ok(Build::Failed { step, change });
                }
                Some((FromInit::Signalled(signal), _)) => {
                    let change = Change::Signalled(signal);
                    return Ok(Build::Failed { step, change });
                }
                Some((FromInit::Serve, Some(root))) if step == last => {
                    let events = read_events(log)?;
                    return Ok(Build::Done(Built {
                        root,
                        events,
                        _builder: self,
                    }));
                }
                Some((FromInit::Failed(failure), _)) => return Err(Error::Elsewhere(failure)),
                Some(_) => return Err(failed(Errno::EBADMSG)),
                None => return self.end().map_err(failed),
            }
        }
    }

    /// The next message; none when nobody is left who could send one.
    fn hear(&self) -> Result<Option<(FromInit, Option<OwnedFd>)>, Errno> {
        let Some(socket) = &self.socket else { return Ok(None) };
        loop {
            match socket.receive()? {
                Received::Message(message, descriptor) => return Ok(Some((message, descriptor))),
                Received::Closed => return Ok(None),
                Received::Nothing => {}
            }
            let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Everybody ended before the work was done.
    fn end(&mut self) -> Result<Build, Errno> {
        self.socket = None;
        match process::wait(self.pid)? {
            Change::Signalled(signal) => Ok(Build::Interrupted(signal)),
            _ => Err(Errno::EPIPE),
        }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        if self.socket.take().is_none() {
            return;
        }
        // Without the socket the foreman ends, then init, then the builder. One that is gone needs no waiting for.
        match process::wait(self.pid) {
            Ok(_) | Err(_) => {}
        }
    }
}
