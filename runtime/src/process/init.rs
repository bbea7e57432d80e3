//! Pid 1 of the namespaces: builds the root, starts the app, reaps, and tells the monitor.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, getpgid, getpgrp};

use super::app::Start;
use super::control_socket::{InitEnd, Received};
use super::descriptors;
use super::message::{Failure, FromInit, ToInit};
use super::observer::Observer;
use super::signals::{self, CallersSignals};
use super::witness::Witness;
use crate::exit;
use crate::stages::{Built, Planned, StageError};
use crate::sys::process::{self, Change, Fork};

/// Runs init to its end.
pub(crate) fn run(planned: Planned, socket: InitEnd, signals: &CallersSignals, observer: impl Observer) -> ! {
    let status = match build_and_supervise(planned, &socket, signals, observer) {
        Ok(()) => 0,
        Err(error) => {
            let failure = Failure::of(&error, error.hint(), error.status());
            // If the monitor is gone there is nobody to tell.
            match socket.send(&FromInit::Failed(failure), None) {
                Ok(()) | Err(_) => exit::FAILED,
            }
        }
    };
    process::exit(status)
}

fn build_and_supervise(
    planned: Planned,
    socket: &InitEnd,
    signals: &CallersSignals,
    mut observer: impl Observer,
) -> Result<(), StageError> {
    die_with_monitor(socket)?;
    let descriptor = signals::descriptor().map_err(|errno| StageError::init("open a signalfd", errno))?;
    let Built {
        rooted,
        confinement,
        restrictions,
        program,
    } = planned.build(socket)?;
    let failed = |step| move |errno| StageError::init(step, errno);
    observer.prepare().map_err(failed("prepare to observe the app"))?;
    socket
        .send(&FromInit::Started(rooted.rung()), None)
        .map_err(failed("tell the monitor"))?;
    let start = Start {
        rooted: &rooted,
        confinement,
        restrictions: &restrictions,
        program: &program,
        signals,
        socket,
        observer: &observer,
    };
    // What came before there was an app did not reach it: init is no witness of that.
    signals::discard(&descriptor).map_err(failed("read signals"))?;
    let app = match process::fork().map_err(failed("fork the app's process"))? {
        Fork::Child => start.observer.act(&start),
        Fork::Parent(app) => app,
    };
    descriptors::release().map_err(failed("let go of the app's descriptors"))?;
    let mut init = Init {
        app,
        socket,
        signals: descriptor,
        witness: Witness::default(),
        observer,
        ended: false,
    };
    init.supervise().map_err(failed("supervise the app"))
}

/// Init must not outlive the monitor, however that ends.
fn die_with_monitor(socket: &InitEnd) -> Result<(), StageError> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| StageError::init("set the parent-death signal", errno))?;
    prctl::set_name(c"polecat-init").map_err(|errno| StageError::init("set the name of init", errno))?;
    // It may have been gone before that; then the other end of the socket is too.
    match socket.is_abandoned() {
        Ok(false) => Ok(()),
        Ok(true) => process::exit(exit::FAILED),
        Err(errno) => Err(StageError::init("look for the monitor", errno)),
    }
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
}

impl<O: Observer> Init<'_, O> {
    /// Until the app ends, or where the observer stays, until nobody is left. Then init ends, and the kernel kills whatever
    /// else is in the PID namespace.
    fn supervise(&mut self) -> Result<(), Errno> {
        loop {
            if self.reap()? {
                return Ok(());
            }
            self.wait()?;
            self.observer.serve()?;
            self.read_signals()?;
            self.read_socket()?;
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

    fn read_socket(&mut self) -> Result<(), Errno> {
        loop {
            match self.socket.receive()? {
                Received::Message(ToInit::Signal(signal), _) => self.hand_on(signal)?,
                // It comes before there is an app.
                Received::Message(ToInit::Loop(_), _) => return Err(Errno::EBADMSG),
                Received::Nothing => return Ok(()),
                Received::Closed => process::exit(exit::FAILED),
            }
        }
    }

    /// Gives the app a signal that the monitor got, unless the app got it too.
    fn hand_on(&mut self, signal: i32) -> Result<(), Errno> {
        self.read_signals()?;
        if self.ended {
            // Nobody is left that the caller knows.
            if signals::ENDING.contains(&signal) {
                process::exit(0);
            }
            return Ok(());
        }
        let to_group = self.witness.take(signal, Instant::now());
        if to_group && getpgid(Some(self.app)) == Ok(getpgrp()) {
            return Ok(());
        }
        match process::kill(self.app, signal) {
            // It has just ended.
            Err(Errno::ESRCH) => Ok(()),
            result => result,
        }
    }

    /// Takes every change of every child; whether there is nothing to stay for.
    fn reap(&mut self) -> Result<bool, Errno> {
        loop {
            let (pid, change) = match process::try_wait(Pid::from_raw(-1)) {
                Ok(Some(changed)) => changed,
                Ok(None) => return Ok(self.ended && !self.observer.stays()),
                Err(Errno::ECHILD) => return Ok(self.ended),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
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
            if ended && !self.observer.stays() {
                return Ok(true);
            }
        }
    }
}
