//! Pid 1 of the namespaces: builds the root, starts the app, reaps, and tells the monitor.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, chdir, getpgid, getpgrp};

use super::app::Start;
use super::control_socket::{InitEnd, Received};
use super::descendants;
use super::descriptors;
use super::gate;
use super::message::{Failure, FromInit, ToInit};
use super::observer::Observer;
use super::signals::{self, CallersSignals};
use super::witness::Witness;
use crate::exit;
use crate::hosts_root::Installation;
use crate::stages::{Built, Planned, StageError, Way};
use crate::sys::process::{self, Change, Fork};

/// What init gets from the monitor, which it is a copy of.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) socket: InitEnd,
    pub(crate) signals: &'a CallersSignals,
    /// Closed when the app is executed, where somebody waits for that.
    pub(crate) executed: Option<OwnedFd>,
}

/// Runs init to its end.
pub(crate) fn run(planned: &mut Planned, given: Given<'_>, observer: impl Observer) -> ! {
    let Given {
        socket,
        signals,
        mut executed,
    } = given;
    planned.leave_hold();
    let status = match build_and_supervise(planned, (&socket, &mut executed), signals, observer) {
        Ok(()) => 0,
        // The other end is still open here: it is closed behind what is said now.
        Err(error) => fail(&socket, &error),
    };
    process::exit(status)
}

/// Tells the monitor, and gives the status to end with.
fn fail(socket: &InitEnd, error: &StageError) -> u8 {
    let failure = Failure::of(error, error.hint(), error.status());
    let message = match error.is_of_this_way() {
        true => FromInit::Left(failure),
        false => FromInit::Failed(failure),
    };
    // If the monitor is gone there is nobody to tell.
    match socket.send(&message, None) {
        Ok(()) | Err(_) => exit::FAILED,
    }
}

fn build_and_supervise(
    planned: &mut Planned,
    (socket, executed): (&InitEnd, &mut Option<OwnedFd>),
    signals: &CallersSignals,
    mut observer: impl Observer,
) -> Result<(), StageError> {
    // Without a mount namespace somebody must be left to clear up.
    let clears_up = planned.way() == Way::HostsRoot;
    prctl::set_name(c"polecat-init").map_err(|errno| StageError::init("set the name of init", errno))?;
    if !clears_up {
        die_with_monitor()?;
    }
    look_for_monitor(socket)?;
    planned.make_namespaces()?;
    let descriptor = signals::descriptor().map_err(|errno| StageError::init("open a signalfd", errno))?;
    let failed = |step| move |errno| StageError::init(step, errno);
    let (stay, as_pid_1) = (planned.supervision().stay, planned.makes_app_pid_1());
    let mut installation = None;
    let mut build = |observer: &mut _| build(planned, socket, &descriptor, observer);
    let app = if as_pid_1 {
        apart(&descriptor, || match build(&mut observer) {
            Ok(ready) => observer.act(&ready.start(signals, socket, &observer)),
            Err(error) => process::exit(fail(socket, &error)),
        })?
    } else {
        let mut ready = build(&mut observer)?;
        if clears_up {
            look_for_monitor(socket)?;
        }
        let app = match process::fork().map_err(failed("fork the app's process"))? {
            Fork::Child => observer.act(&ready.start(signals, socket, &observer)),
            Fork::Parent(app) => app,
        };
        descriptors::release().map_err(failed("let go of the app's descriptors"))?;
        installation = ready.rooted.take_installation();
        app
    };
    drop(executed.take());
    let mut init = Init {
        app,
        socket,
        signals: descriptor,
        witness: Witness::default(),
        observer,
        ended: false,
        stay,
        installation,
    };
    let supervised = init.supervise().map_err(failed("supervise the app"));
    if let Some(installation) = &init.installation {
        descendants::end_all(installation.waiter);
    }
    match supervised? {
        Ending::Done => Ok(()),
        Ending::Unguarded => Err(StageError::Unguarded),
    }
}

impl Built {
    fn start<'a, O>(&'a self, signals: &'a CallersSignals, socket: &'a InitEnd, observer: &'a O) -> Start<'a, O> {
        Start {
            rooted: &self.rooted,
            confinement: self.confinement,
            restrictions: &self.restrictions,
            program: &self.program,
            signals,
            socket,
            observer,
            trial: self.trial.as_ref(),
        }
    }
}

/// Builds the root. In the process that is to be the app, or that is to fork it.
fn build(
    planned: &mut Planned,
    socket: &InitEnd,
    descriptor: &SignalFd,
    observer: &mut impl Observer,
) -> Result<Built, StageError> {
    let failed = |step| move |errno| StageError::init(step, errno);
    let built = planned.build(socket)?;
    observer.prepare().map_err(failed("prepare to observe the app"))?;
    // What came before there was an app did not reach it: init is no witness of that.
    signals::discard(descriptor).map_err(failed("read signals"))?;
    Ok(built)
}

/// Makes a process that is process 1 of a PID namespace below this one, and waits until it was executed. It builds the root
/// itself: `/proc` shows the namespace of the process that mounts it. This process goes into the new root with it, pivot_root(2).
fn apart(descriptor: &SignalFd, act: impl FnOnce() -> Infallible) -> Result<Pid, StageError> {
    let failed = |step| move |errno| StageError::init(step, errno);
    // Not the caller's directory: that would stay behind the new root.
    chdir("/").map_err(failed("enter the root directory"))?;
    let (keeper, passer) = gate::pair().map_err(failed("make a socket"))?;
    let app = match process::clone_into(CloneFlags::CLONE_NEWPID).map_err(failed("make a PID namespace for the app"))? {
        Fork::Child => {
            drop(keeper);
            match passer.pass().map(|()| act()) {
                Ok(never) => match never {},
                Err(_) => process::exit(exit::FAILED),
            }
        }
        Fork::Parent(app) => app,
    };
    drop(passer);
    // Afterwards there is no `/proc` that this process has a place in.
    descriptors::release().map_err(failed("let go of the app's descriptors"))?;
    keeper.open().map_err(failed("wait for the app's process"))?;
    signals::discard(descriptor).map_err(failed("read signals"))?;
    Ok(app)
}

/// Init must not outlive the monitor, however that ends.
fn die_with_monitor() -> Result<(), StageError> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| StageError::init("set the parent-death signal", errno))
}

/// Without a monitor there is nobody to run anything for: the other end of the socket went with it.
fn look_for_monitor(socket: &InitEnd) -> Result<(), StageError> {
    match socket.is_abandoned() {
        Ok(false) => Ok(()),
        Ok(true) => Err(StageError::init("look for the monitor", Errno::EPIPE)),
        Err(errno) => Err(StageError::init("look for the monitor", errno)),
    }
}

/// Why init goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// There is nothing to stay for.
    Done,
    /// Nobody takes the app's mount away if this process and the monitor cannot.
    Unguarded,
}

#[derive(Debug)]
struct Init<'a, O> {
    app: Pid,
    socket: &'a InitEnd,
    signals: SignalFd,
    witness: Witness,
    observer: O,
    /// The app has ended.
    ended: bool,
    /// Stay until nobody is left.
    stay: bool,
    /// The app's files, where there is no PID namespace either.
    installation: Option<Installation>,
}

impl<O: Observer> Init<'_, O> {
    /// Until the app ends, or where somebody wants to stay, until nobody is left. Then init ends, and the kernel kills whatever
    /// else is in the PID namespace, where there is one.
    fn supervise(&mut self) -> Result<Ending, Errno> {
        loop {
            if let Some(ending) = self.reap()? {
                return Ok(ending);
            }
            self.wait()?;
            self.observer.serve()?;
            self.read_signals()?;
            if let Some(ending) = self.read_socket()? {
                return Ok(ending);
            }
        }
    }

    fn wait(&self) -> Result<(), Errno> {
        let own = [self.socket.as_fd(), self.signals.as_fd()];
        let observers = self.observer.descriptor();
        // Without an observer the last is one of our own again.
        let descriptors = [own[0], own[1], observers.unwrap_or(own[1])];
        let mut ready = descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn read_signals(&mut self) -> Result<(), Errno> {
        while let Some(info) = self.signals.read_signal()? {
            let signal = i32::try_from(info.ssi_signo).map_err(|_| Errno::EINVAL)?;
            if signal != libc::SIGCHLD {
                self.witness.note(signal, Instant::now());
            }
        }
        Ok(())
    }

    /// An ending where nobody is there any more, or wants us to stay.
    fn read_socket(&mut self) -> Result<Option<Ending>, Errno> {
        loop {
            match self.socket.receive()? {
                Received::Message(ToInit::Signal(signal), _) => {
                    if let Some(ending) = self.hand_on(signal)? {
                        return Ok(Some(ending));
                    }
                }
                // It comes before there is an app.
                Received::Message(ToInit::Loop(_), _) => return Err(Errno::EBADMSG),
                Received::Nothing => return Ok(None),
                Received::Closed => return Ok(Some(Ending::Done)),
            }
        }
    }

    /// Gives the app a signal that the monitor got, unless the app got it too. An ending where it ends the run instead.
    fn hand_on(&mut self, signal: i32) -> Result<Option<Ending>, Errno> {
        self.read_signals()?;
        if self.stay {
            // Who sends it may know of an end that is still to be seen here.
            if let Some(ending) = self.reap()? {
                return Ok(Some(ending));
            }
        }
        if self.ended && self.stay {
            // Everybody but init. Without a PID namespace that would be all that the caller runs.
            return match &self.installation {
                Some(installation) => descendants::signal(signal, installation.waiter),
                None => unless_gone(process::kill(Pid::from_raw(-1), signal)),
            }
            .map(|()| None);
        }
        if self.ended {
            // Nobody is left that the caller knows.
            return Ok(signals::ENDING.contains(&signal).then_some(Ending::Done));
        }
        let to_group = self.witness.take(signal, Instant::now());
        if to_group && getpgid(Some(self.app)) == Ok(getpgrp()) {
            return Ok(None);
        }
        unless_gone(process::kill(self.app, signal)).map(|()| None)
    }

    /// An ending where `pid` was what takes the mount away if this process and the monitor cannot. Nobody goes on without, as without
    /// the mount's server.
    fn lose_waiter(&mut self, pid: Pid, change: Change) -> Option<Ending> {
        let ends = matches!(change, Change::Exited(_) | Change::Signalled(_));
        let installation = self.installation.as_mut().filter(|_| ends)?;
        if installation.waiter != Some(pid) {
            return None;
        }
        installation.waiter = None;
        Some(if self.ended { Ending::Done } else { Ending::Unguarded })
    }

    fn stays(&self) -> bool {
        self.stay || self.observer.stays()
    }

    /// Whether nobody is left but a process of ours.
    fn is_deserted(&self) -> bool {
        let waiter = self.installation.as_ref().and_then(|installation| installation.waiter);
        waiter.is_some_and(|waiter| descendants::of_this_process(Some(waiter)).is_empty())
    }

    /// Takes every change of every child; an ending where there is nothing to stay for.
    fn reap(&mut self) -> Result<Option<Ending>, Errno> {
        let if_so = |over: bool| over.then_some(Ending::Done);
        loop {
            let (pid, change) = match process::try_wait(Pid::from_raw(-1)) {
                Ok(Some(changed)) => changed,
                Ok(None) => return Ok(if_so(self.ended && (!self.stays() || self.is_deserted()))),
                Err(Errno::ECHILD) => return Ok(if_so(self.ended)),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            if let Some(ending) = self.lose_waiter(pid, change) {
                return Ok(Some(ending));
            }
            if self.ended || pid != self.app {
                continue;
            }
            let (message, ended) = match change {
                Change::Exited(status) => (FromInit::Exited(status), true),
                Change::Signalled(signal) => (FromInit::Signalled(signal), true),
                Change::Stopped(signal) => (FromInit::Stopped(signal), false),
                Change::Continued => (FromInit::Continued, false),
            };
            self.socket.send(&message, None)?;
            self.ended = ended;
            if ended && !self.stays() {
                return Ok(Some(Ending::Done));
            }
        }
    }
}

/// Whoever is to be killed may have ended by himself.
fn unless_gone(killed: Result<(), Errno>) -> Result<(), Errno> {
    match killed {
        Err(Errno::ESRCH) => Ok(()),
        result => result,
    }
}
