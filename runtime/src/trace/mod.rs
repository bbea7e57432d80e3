//! Running a program and noting every file that it uses.
//!
//! A seccomp filter in the app's process announces each call that names a file to init, seccomp_unotify(2). The call waits
//! while init reads the name and looks what is there; then it goes on as if nobody had asked. Against ptrace(2) this leaves
//! signals, stops, the terminal and debuggers to the program as they are, and costs nothing for other calls. What it
//! cannot see: how the call ends. So *there* means that something is there right before the call.
//!
//! `calls` says which arguments are names, `filter` makes the program for the kernel, `tracee` reads the names, `listener` gets the
//! announcements, `place` looks, and `interpreter` adds what the kernel opens by itself. Two observers are made of that:
//! `tracer` notes everything, `misses` what a bundle lacks.

mod calls;
mod event;
mod filter;
mod interpreter;
mod listener;
mod miss_observer;
mod missed;
mod place;
mod tracee;
mod tracer;

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bundle::PathSet;
use bundle::manifest::{Isolation, Process};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::control::Control;
use crate::error::{Error, errno};
use crate::exit::End;
use crate::host::Shared;
use crate::job::Job;
use crate::root::op::{Bind, BindKind};
use crate::run::{directory_job, supervise};
use crate::verify::Verified;

pub(crate) use miss_observer::MissObserver;

pub use event::{Event, What};
pub use missed::Missed;
pub(crate) use tracer::Tracer;
pub use tracer::Until;

/// How to trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// When it ends.
    pub until: Until,
    /// More directories of the host for the command to see; nothing in them is noted.
    pub binds: Vec<Shared>,
}

/// A run and what was seen of it.
#[derive(Debug)]
pub struct Traced {
    /// How the command ended.
    pub end: End,
    /// What it did, each thing once and in the order of the first times.
    pub events: Vec<Event>,
}

/// Runs `process` as [`crate::run_directory`] does and notes every file of the root file system that it uses, and those
/// that it looks for in vain. What is mounted in the root, as `/proc`, `/tmp` and the shared directories, is not noted.
///
/// # Errors
/// The log could not be made or read. A failure of the run is in [`Traced::end`].
pub fn trace_directory(
    root: &Path,
    process: Process,
    isolation: &Isolation,
    control: Control,
    options: Options,
) -> Result<Traced, Error> {
    let (log, own) = log()?;
    let tracer = Tracer::new(log, options.until).map_err(failed("make a socket"))?;
    let mut job = directory_job(root, process, isolation, Vec::new(), control)?;
    let bind = |Shared { path, source }| Bind {
        source,
        path,
        kind: BindKind::Shared,
        optional: false,
    };
    job.binds = options.binds.into_iter().map(bind).collect();
    let end = supervise(job, Some(tracer)).unwrap_or_else(End::Failed);
    let events = read_events(own)?;
    Ok(Traced { end, events })
}

/// The events of a log.
pub(crate) fn read_events(log: File) -> Result<Vec<Event>, Error> {
    let events = read(log).map_err(|error| failed("read the log of the trace")(errno(&error)))?;
    Ok(event::decode(&events))
}

/// How the app of a bundle ended, and what it looked for in vain.
#[derive(Debug)]
pub struct Watched {
    /// How it ended.
    pub end: End,
    /// What it looked for in vain though the root file system had it; where the kernel does not tell, why.
    pub missed: Result<Missed, Errno>,
}

/// Runs a program of a bundle as [`crate::run`] does, and notes what it looks for in vain of the `paths` that its root file
/// system had. Where calls cannot be announced it runs all the same. What is mounted in the root, as `/proc`, `/tmp` and the
/// shared directories, is not noted, nor what the bundle has and the program has removed.
///
/// # Errors
/// The log could not be made or read. A failure of the run is in [`Watched::end`].
pub fn run_noting_misses(
    verified: Verified,
    paths: PathSet,
    process: Process,
    arguments: Vec<OsString>,
    control: Control,
) -> Result<Watched, Error> {
    let job = Job::of_bundle(&verified, process, arguments, control)?;
    let image = verified.image();
    drop(verified);
    let (log, own) = log()?;
    let observer = MissObserver::new(log, paths).map_err(failed("make a socket"))?;
    let end = supervise(job, Some(observer)).unwrap_or_else(End::Failed);
    let log = read(own).map_err(|error| failed("read the log of misses")(errno(&error)))?;
    let image = image.open();
    // What cannot be looked up is not known to be there.
    let is_packed = |path: &[u8]| {
        let image = image.as_ref().ok();
        image.is_some_and(|image| matches!(image.find(path), Ok(Some(_))))
    };
    Ok(Watched {
        end,
        missed: missed::decode(&log, is_packed),
    })
}

fn failed(step: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Monitor { step, errno }
}

/// A file in memory, gone with the last who has it: for init to write and for the monitor to read.
pub(crate) fn log() -> Result<(File, File), Error> {
    let failed = failed("make the log of the trace");
    let log = memfd_create(c"polecat-trace", MFdFlags::MFD_CLOEXEC).map_err(&failed)?;
    let log = File::from(log);
    let own = log.try_clone().map_err(|error| failed(errno(&error)))?;
    Ok((log, own))
}

/// From its beginning: the descriptor's place is where init wrote last.
fn read(log: File) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(log.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    log.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
