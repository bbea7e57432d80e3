//! The recipe.

use std::ffi::OsString;
use std::path::Path;

use bundle::manifest::{Isolation, Process};
use nix::errno::Errno;

use crate::control::Control;
use crate::error::Error;
use crate::exit::End;
use crate::host::Facts;
use crate::job::{Job, Source};
use crate::process::clone::clone_init;
use crate::process::monitor::{Monitor, Running};
use crate::process::observer::{Nobody, Observer};
use crate::process::terminal::Foreground;
use crate::process::{control_socket, descriptors, init, signals};
use crate::stages::Planned;
use crate::sys::process::Fork;
use crate::verify::Verified;

/// Runs the program of a bundle to its end, `arguments` behind those that it was packed with.
///
/// Takes the process over: blocks its signals, lets go of stdin, stdout and the descriptors that it inherited, and
/// needs it to have a single thread. What is left to do afterwards is to print a failure and to
/// [`leave`](crate::exit::leave).
pub fn run(verified: Verified, arguments: Vec<OsString>, control: Control) -> End {
    let job = Job::of_bundle(&verified, arguments, control);
    drop(verified);
    supervise(job, Nobody).unwrap_or_else(End::Failed)
}

/// Runs `process` to its end in the root file system that is the directory `root`, which stays as it is: what the
/// program writes is gone with it. Nothing is verified. Takes the process over, as [`run`] does.
pub fn run_directory(
    root: &Path,
    process: Process,
    isolation: &Isolation,
    arguments: Vec<OsString>,
    control: Control,
) -> End {
    directory_job(root, process, isolation, arguments, control)
        .and_then(|job| supervise(job, Nobody))
        .unwrap_or_else(End::Failed)
}

/// The job of a program in the directory `root`.
pub(crate) fn directory_job(
    root: &Path,
    process: Process,
    isolation: &Isolation,
    arguments: Vec<OsString>,
    control: Control,
) -> Result<Job, Error> {
    let root = root.canonicalize().map_err(|error| Error::Monitor {
        step: "find the root directory",
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    })?;
    Ok(Job::new(
        Source::Directory(root),
        process,
        isolation,
        arguments,
        control,
    ))
}

/// Runs a job to its end, before the eyes of `observer`.
pub(crate) fn supervise(job: Job, observer: impl Observer) -> Result<End, Error> {
    let failed = |step| move |errno| Error::Monitor { step, errno };
    let callers = signals::take_over().map_err(failed("block signals"))?;
    let planned = Planned::new(job, Facts::probe()?);
    let foreground = Foreground::note(planned.has_terminal());
    let (monitor_end, init_end) = control_socket::pair().map_err(failed("make a socket"))?;
    let init = match clone_init(planned.needs_user_namespace())? {
        Fork::Child => {
            drop(monitor_end);
            init::run(planned, init_end, &callers, observer)
        }
        Fork::Parent(init) => init,
    };
    // Both belong to init now.
    drop((init_end, observer));
    descriptors::release().map_err(failed("let go of the app's descriptors"))?;
    let monitor = Monitor {
        init,
        socket: monitor_end,
        signals: signals::descriptor().map_err(failed("open a signalfd"))?,
        service: planned.service(),
        foreground,
        trace: planned.trace(),
        run: Running::default(),
    };
    let observed = monitor.watch().map_err(failed("supervise the app"))?;
    Ok(observed.conclude(planned.program()))
}
