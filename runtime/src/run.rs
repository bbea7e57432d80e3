//! The recipe.

use std::env;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::Path;

use bundle::manifest::{Isolation, Process};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{getpid, pipe2};

use crate::control::Control;
use crate::error::{Error, errno};
use crate::exit::{self, End};
use crate::host::Facts;
use crate::hosts_root;
use crate::image::VerifiedImage;
use crate::image::kernel_loop::Attached;
use crate::job::{Job, Source};
use crate::keep;
use crate::process::background::{self, Launcher, Side};
use crate::process::clone::{clone_init, clone_init_in, fork_init};
use crate::process::control_socket::MonitorEnd;
use crate::process::init::Given;
use crate::process::manager::Manager;
use crate::process::message::{Failure, ToInit};
use crate::process::monitor::{Awaited, Monitor, Running};
use crate::process::observer::Observer;
use crate::process::outcome::Observed;
use crate::process::pid_file::PidFile;
use crate::process::signals::CallersSignals;
use crate::process::terminal::Foreground;
use crate::process::{control_socket, descendants, init, signals};
use crate::stages::{Planned, Way};
use crate::sys::process::{Change, Fork};
use crate::trace::MissObserver;
use crate::verify::Verified;

/// Runs `process`, a program of the bundle as its manifest has it, to its end, `arguments` behind those that it was packed with.
///
/// Takes the process over: blocks its signals, lets go of stdin, stdout and the descriptors that it inherited, and
/// needs it to have a single thread. What is left to do afterwards is to print a failure and to
/// [`leave`](crate::exit::leave).
pub fn run(verified: Verified, process: Process, arguments: Vec<OsString>, control: Control) -> End {
    let job = Job::of_bundle(&verified, process, arguments, control);
    drop(verified);
    job.and_then(|job| supervise(job, None::<MissObserver>))
        .unwrap_or_else(End::Failed)
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
        .and_then(|job| supervise(job, None::<MissObserver>))
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
        errno: errno(&error),
    })?;
    let source = Source::Directory(root);
    Job::new(source, process, isolation, arguments, control)
}

/// Gives `image` a loop device, and that to init.
fn hand_over(image: &VerifiedImage, init: &MonitorEnd) -> Result<(), Errno> {
    let attached = Attached::at_once(image, Path::new("/dev"));
    let number = attached.as_ref().map(|attached| attached.number);
    let device = attached.as_ref().map(|attached| attached.device.as_fd());
    match init.send(ToInit::Loop(number), device) {
        // Init failed before it came to this, and has said so.
        Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
        result => result,
    }
}

/// Runs a job to its end, before the eyes of an `observer` if there is one; in the background, only to its start, in the process
/// that the caller started.
pub(crate) fn supervise(mut job: Job, observer: Option<impl Observer>) -> Result<End, Error> {
    let supervision = &mut job.options.supervision;
    // An observer needs an init that sees what the app sees.
    supervision.as_pid_1 &= observer.is_none();
    let signal_status = supervision.signal_status;
    let manager = Manager::read(&|name| env::var_os(name), getpid());
    let mut pid_file = supervision.pid_file.as_deref().map(PidFile::open).transpose()?;
    let mut launcher = match supervision.background {
        true => match background::detach(supervision.log.as_deref())? {
            Side::Launcher(end) => return Ok(end),
            Side::Monitor(launcher) => Some(launcher),
        },
        false => None,
    };
    let end = match pid_file.as_mut().map_or(Ok(()), PidFile::write) {
        Ok(()) => attend(job, manager, &mut launcher, observer),
        Err(error) => Err(error),
    };
    pid_file.into_iter().for_each(PidFile::remove);
    match (end, launcher) {
        (Ok(End::Failed(error)) | Err(error), Some(launcher)) => launcher.fail(&error),
        (Ok(End::Signalled(signal)), _) if signal_status => Ok(End::Exited(signals::status_of(signal))),
        (end, _) => end,
    }
}

/// The monitor's part. The `launcher` is taken once the app was executed.
fn attend(
    job: Job,
    manager: Manager,
    launcher: &mut Option<Launcher>,
    mut observer: Option<impl Observer>,
) -> Result<End, Error> {
    let callers = signals::take_over().map_err(failed("block signals"))?;
    let planned = Planned::new(job, Facts::probe()?, manager, observer.is_some())?;
    let kept = planned
        .wish()
        .and_then(|wish| keep::obtain(&wish, planned.host(), planned.trace()));
    let mut planned = planned.with(kept);
    planned.take_hold()?;
    let foreground = Foreground::note(planned.has_terminal());
    let watched = observer.is_some();
    let mut without_root: Option<Failure> = None;
    loop {
        let observed = attempt(&mut planned, &callers, foreground, launcher, observer.take());
        let failure = match left(&observed) {
            // What watches the app is gone with the attempt.
            Some(failure) if !watched && planned.go_on() => failure,
            last => {
                planned.tell_of_memory();
                return match without_root.zip(last) {
                    Some((failure, last)) => Err(Error::Elsewhere(failure.because(last))),
                    None => Ok(observed?.conclude(planned.program())),
                };
            }
        };
        let what = match planned.way() {
            Way::OwnRoot => "kept mount: not used",
            Way::HostsRoot => "no root of its own",
        };
        planned
            .trace()
            .say(format_args!("{what}: {}", failure.message.display()));
        // Why there is none.
        without_root = (planned.way() == Way::HostsRoot).then_some(failure);
    }
}

fn failed(step: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Monitor { step, errno }
}

/// Why there was no app, where there may be one in another way.
#[inline(never)]
fn left(observed: &Result<Observed, Error>) -> Option<Failure> {
    match observed {
        Ok(observed) => observed.left(),
        Err(Error::Clone(error)) if error.is_of_this_way() => Some(Failure::of(error, error.hint(), exit::FAILED)),
        Err(_) => None,
    }
}

/// Runs it in one way, as far as that goes.
#[inline(never)]
fn attempt(
    planned: &mut Planned,
    callers: &CallersSignals,
    foreground: Foreground,
    launcher: &mut Option<Launcher>,
    observer: Option<impl Observer>,
) -> Result<Observed, Error> {
    let (monitor_end, init_end) = control_socket::pair().map_err(failed("make a socket"))?;
    let pipe = launcher.is_some().then(|| pipe2(OFlag::O_CLOEXEC)).transpose();
    let (executed, closed) = pipe.map_err(failed("make a pipe"))?.unzip();
    // Who is not to be killed when init cannot clear up: children that this process had before it was executed, and theirs; and the
    // remover of the run's control groups, which waits for this process to end.
    let mut callers_own = Vec::new();
    let init = match planned.way() {
        Way::OwnRoot => match planned.kept_namespace() {
            Some(namespace) => clone_init_in(namespace, planned.needs_network())?,
            None => clone_init(planned.makes_user_namespace(), planned.needs_network())?,
        },
        Way::HostsRoot => {
            callers_own = descendants::of_this_process(None);
            descendants::adopt().map_err(failed("become the parent of orphans"))?;
            fork_init()?
        }
    };
    let init = match init {
        Fork::Child => {
            drop(monitor_end);
            let given = Given {
                socket: init_end,
                signals: callers,
                executed: closed,
            };
            init::run(planned, given, observer)
        }
        Fork::Parent(init) => init,
    };
    // These belong to init now.
    drop((init_end, closed, observer));
    if let Some(image) = planned.looped() {
        hand_over(image, &monitor_end).map_err(failed("hand the image to init"))?;
    }
    let monitor = Monitor {
        init,
        socket: monitor_end,
        signals: signals::descriptor().map_err(failed("open a signalfd"))?,
        service: planned.service(),
        foreground,
        manager: planned.manager(),
        stay: planned.supervision().stay,
        awaited: executed.map(|pipe| Awaited { launcher, pipe }),
        trace: planned.trace(),
        kept: planned.take_connection(),
        run: Running::default(),
    };
    let observed = monitor.watch().map_err(failed("supervise the app"))?;
    if planned.way() == Way::HostsRoot && observed.init != Some(Change::Exited(0)) {
        // Init could not clear up.
        descendants::end_all_but(&callers_own);
        hosts_root::sweep_all(planned.trace());
    }
    Ok(observed)
}
