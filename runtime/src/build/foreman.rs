//! The process in the place of the app. It has init's rights, executes nothing itself, and has every command run by a process that
//! has given up what commands must not have.

use std::fmt;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, dup2_stdout, getpid};

use super::layer::{self, LayerError};
use super::names::Names;
use super::{Stages, Step};
use crate::confine::{Confined, Confinement};
use crate::environment::Variable;
use crate::error::errno;
use crate::exit;
use crate::process::app::{self, Start, StartError};
use crate::process::control_socket::{InitEnd, Received};
use crate::process::message::{Failure, FromInit};
use crate::process::observer::Observer;
use crate::sys::disposition::{self, Disposition};
use crate::sys::process::{self, Change, Fork};
use crate::trace::Tracer;

/// The shell of every root file system that has one.
const SHELL: &str = "/bin/sh";

/// The process id of the app in its PID namespace, init's first child.
const APP: i32 = 2;

/// Who installs.
const INSTALLER: [(&str, &str); 3] = [("HOME", "/root"), ("LOGNAME", "root"), ("USER", "root")];

/// Observes the tests, and runs the stages.
#[derive(Debug)]
pub(super) struct Foreman {
    tracer: Tracer,
    stages: Stages,
    names: Names,
    report: InitEnd,
}

impl Foreman {
    pub(super) fn new(tracer: Tracer, stages: Stages, names: Names, report: InitEnd) -> Self {
        Self {
            tracer,
            stages,
            names,
            report,
        }
    }

    fn work(&self, start: &Start<'_, Self>) -> Result<(), ForemanError> {
        // Whoever ends the build ends this process, and init goes with it.
        start.signals.give_back().map_err(step("take the caller's signals"))?;
        keep_children()?;
        prctl::set_name(c"polecat-build").map_err(step("set the name of the foreman"))?;
        let given = self.names.of_hosts();
        let as_root = Confinement {
            uid: 0,
            gid: 0,
            ..start.confinement
        };
        let installed = self.run_stage(|| self.install(start, as_root))?;
        let tested = installed && self.run_stage(|| self.test(start))?;
        given.take_back().map_err(step("take names of hosts away"))?;
        if tested {
            let root = plain_root().map_err(step("open the root without what is mounted in it"))?;
            self.report
                .send(&FromInit::Serve, Some(root.as_fd()))
                .map_err(step("hand the root over"))?;
            self.wait_for_caller().map_err(step("wait for the packer"))?;
        }
        Ok(())
    }

    /// Has a stage run by a process of its own, to its end and the end of all that it left; whether it succeeded.
    fn run_stage(&self, stage: impl FnOnce() -> Result<bool, ForemanError>) -> Result<bool, ForemanError> {
        let runner = match process::fork().map_err(step("fork the runner of a stage"))? {
            Fork::Child => self.end_runner(stage()),
            Fork::Parent(runner) => runner,
        };
        let change = process::wait(runner).map_err(step("wait for the runner of a stage"))?;
        end_others().map_err(step("end what a stage left behind"))?;
        match change {
            Change::Exited(0) => Ok(true),
            Change::Exited(_) => Ok(false),
            change => Err(ForemanError::Runner(change)),
        }
    }

    fn end_runner(&self, outcome: Result<bool, ForemanError>) -> ! {
        let succeeded = match outcome {
            Ok(succeeded) => succeeded,
            Err(error) => {
                let failure = Failure::of(&error, error.hint(), exit::FAILED);
                match self.report.send(&FromInit::Failed(failure), None) {
                    // Without the packer there is nobody to tell.
                    Ok(()) | Err(_) => false,
                }
            }
        };
        process::exit(if succeeded { 0 } else { exit::FAILED })
    }

    fn install(&self, start: &Start<'_, Self>, confinement: Confinement) -> Result<bool, ForemanError> {
        let confined = self.become_runner(start, confinement)?;
        let variables = INSTALLER.map(|(name, value)| (name.into(), value.into()));
        self.run_all(&confined, start, &self.stages.install, &variables)
    }

    fn test(&self, start: &Start<'_, Self>) -> Result<bool, ForemanError> {
        layer::enter(start.confinement.user_namespace)?;
        let _for_good = (self.names.of_hosts(), self.names.of_caller());
        let confined = self.become_runner(start, start.confinement)?;
        self.tracer.attach().map_err(|errno| ForemanError::Trace {
            errno,
            hint: self.tracer.hint(),
        })?;
        self.run_all(&confined, start, &self.stages.test, &[])
    }

    fn become_runner(&self, start: &Start<'_, Self>, confinement: Confinement) -> Result<Confined, ForemanError> {
        let confined = app::become_confined(start, confinement)?;
        keep_children()?;
        // Standard output is for the packer's report.
        let instead = self.instead_of_stdout().map_err(step("open /dev/null"))?;
        dup2_stdout(instead).map_err(step("turn standard output"))?;
        Ok(confined)
    }

    /// Standard error, or nothing. Neither has the number of a standard stream, which the caller may have closed.
    fn instead_of_stdout(&self) -> Result<OwnedFd, Errno> {
        let stderr = std::io::stderr().as_fd().try_clone_to_owned();
        if let (true, Ok(stderr)) = (self.stages.announced, stderr) {
            return Ok(stderr);
        }
        let null = open("/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        null.try_clone().map_err(|error| errno(&error))
    }

    fn run_all(
        &self,
        confined: &Confined,
        start: &Start<'_, Self>,
        steps: &[Step],
        variables: &[Variable],
    ) -> Result<bool, ForemanError> {
        for Step { title, command } in steps {
            if self.stages.announced {
                // With standard error gone there is nobody to tell.
                match writeln!(std::io::stderr(), "polecat: {title}") {
                    Ok(()) | Err(_) => {}
                }
            }
            let words = ["sh", "-e", "-c", command].map(Into::into);
            let program = start.program.instead(SHELL, words, variables);
            let program = program.map_err(|_| ForemanError::Nul)?;
            let child = match process::fork().map_err(step("fork the process of a command"))? {
                Fork::Child => {
                    let ended = match confined.seal() {
                        Ok(sealed) => ForemanError::Shell(app::execute(&sealed, &program)),
                        Err(error) => StartError::from(error).into(),
                    };
                    self.end_runner(Err(ended))
                }
                Fork::Parent(child) => child,
            };
            let change = process::wait(child).map_err(step("wait for a command"))?;
            let message = match change {
                Change::Signalled(signal) => FromInit::Signalled(signal),
                Change::Exited(status) => FromInit::Exited(status),
                Change::Stopped(_) | Change::Continued => continue,
            };
            self.report.send(&message, None).map_err(step("tell the packer"))?;
            if change != Change::Exited(0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn wait_for_caller(&self) -> Result<(), Errno> {
        loop {
            if let Received::Closed = self.report.receive()? {
                return Ok(());
            }
            let mut ready = [PollFd::new(self.report.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Where the caller ignored `SIGCHLD` the kernel would reap the children that are waited for here.
fn keep_children() -> Result<(), ForemanError> {
    disposition::set(libc::SIGCHLD, Disposition::Default).map_err(step("set the disposition of SIGCHLD"))
}

/// How long killed processes have, before it is seen again whether they are gone.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Kills every process of the namespace but init and this one, and waits until init has reaped them: what they held is let go of.
fn end_others() -> Result<(), Errno> {
    // Anywhere else these would be the host's.
    if getpid().as_raw() != APP {
        return Err(Errno::EPERM);
    }
    loop {
        match process::kill(Pid::from_raw(-1), libc::SIGKILL) {
            Err(Errno::ESRCH) => return Ok(()),
            result => result?,
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// The root, by another mount of it that has none of those on it: on `/tmp`, which nobody needs any more.
fn plain_root() -> Result<OwnedFd, Errno> {
    let place = Path::new("/tmp");
    mount(Some("/"), place, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    open(
        place,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
}

impl Observer for Foreman {
    fn prepare(&mut self) -> Result<(), Errno> {
        self.tracer.prepare()
    }

    fn attach(&self) -> Result<(), Errno> {
        self.tracer.attach()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.tracer.descriptor()
    }

    fn serve(&mut self) -> Result<(), Errno> {
        self.tracer.serve()
    }

    fn stays(&self) -> bool {
        false
    }

    fn hint(&self) -> Option<String> {
        self.tracer.hint()
    }

    fn act(&self, start: &Start<'_, Self>) -> ! {
        match self.work(start) {
            Ok(()) => process::exit(0),
            Err(error) => self.end_runner(Err(error)),
        }
    }
}

/// Why a stage could not be run.
#[derive(Debug)]
enum ForemanError {
    Step { step: &'static str, errno: Errno },
    Layer(LayerError),
    Start(StartError),
    Trace { errno: Errno, hint: Option<String> },
    Runner(Change),
    Shell(Errno),
    Nul,
}

fn step(step: &'static str) -> impl Fn(Errno) -> ForemanError {
    move |errno| ForemanError::Step { step, errno }
}

impl ForemanError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Start(error) => error.hint(),
            Self::Trace { hint, .. } => hint.clone(),
            Self::Shell(Errno::ENOENT) => Some("use a root file system that has a shell, with what that loads".into()),
            _ => None,
        }
    }
}

impl From<LayerError> for ForemanError {
    fn from(error: LayerError) -> Self {
        Self::Layer(error)
    }
}

impl From<StartError> for ForemanError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl fmt::Display for ForemanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { step, errno } => write!(f, "{step}: {}", errno.desc()),
            Self::Layer(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Trace { errno, .. } => write!(f, "let the tests be traced: {}", errno.desc()),
            Self::Runner(change) => write!(f, "the runner of a stage ended too early: {change:?}"),
            Self::Shell(errno) => write!(f, "execute {SHELL} of the root file system: {}", errno.desc()),
            Self::Nul => f.write_str("a command holds a NUL character"),
        }
    }
}
