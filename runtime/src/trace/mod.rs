//! Running a program and noting every file that it uses.
//!
//! A seccomp filter in the app's process announces each call that names a file to init, seccomp_unotify(2). The call waits
//! while init reads the name and looks what is there; then it goes on as if nobody had asked. Against ptrace(2) this leaves
//! signals, stops, the terminal and debuggers to the program as they are, and costs nothing for other calls. What it
//! cannot see: how the call ends. So *there* means that something is there right before the call.
//!
//! `calls` says which arguments are names, `filter` makes the program for the kernel, `tracee` reads the names, `place` looks,
//! `interpreter` adds what the kernel opens by itself, and `tracer` puts it together as an observer.

mod calls;
mod event;
mod filter;
mod interpreter;
mod place;
mod tracee;
mod tracer;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bundle::manifest::{Isolation, Process};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::control::Control;
use crate::error::Error;
use crate::exit::End;
use crate::host::Shared;
use crate::run::{directory_job, supervise};
use place::errno;
use tracer::Tracer;

pub use event::{Event, What};
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
    let failed = |step| move |errno: Errno| Error::Monitor { step, errno };
    // In memory, and gone with the last who has it.
    let log = memfd_create(c"polecat-trace", MFdFlags::MFD_CLOEXEC).map_err(failed("make the log of the trace"))?;
    let log = File::from(log);
    let own = log
        .try_clone()
        .map_err(|error| failed("make the log of the trace")(errno(&error)))?;
    let tracer = Tracer::new(log, options.until).map_err(failed("make a socket"))?;
    let mut job = directory_job(root, process, isolation, Vec::new(), control)?;
    job.binds = options.binds;
    let end = supervise(job, tracer).unwrap_or_else(End::Failed);
    let events = read(own).map_err(|error| failed("read the log of the trace")(errno(&error)))?;
    Ok(Traced {
        end,
        events: event::decode(&events),
    })
}

/// From its beginning: the descriptor's place is where init wrote last.
fn read(log: File) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(log.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    log.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
