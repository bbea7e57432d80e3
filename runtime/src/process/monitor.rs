//! The process that the caller started: hands signals on, stops and goes on with the app, and ends as it did.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::socket::UnixAddr;
use nix::unistd::{Pid, getpid};

use super::background::Launcher;
use super::control_socket::{MonitorEnd, Received};
use super::descriptors;
use super::message::{Failure, FromInit, ToInit};
use super::outcome::Observed;
use super::relay::Relay;
use super::server::{self, Server, Service};
use super::signals;
use super::terminal::Foreground;
use crate::debug::Trace;
use crate::error::Error;
use crate::exit;
use crate::hosts_root::fusermount;
use crate::keep::{Connection, News};
use crate::ladder::Rung;
use crate::sys::process::{self, Change};

/// How long the image server may take to see that nobody has the mount any more, in milliseconds. It takes less than
/// one, unless somebody outside holds the mount namespace open.
const PATIENCE: u16 = 1000;

/// The monitor's knowledge.
#[derive(Debug)]
pub(crate) struct Monitor<'a> {
    pub(crate) init: Pid,
    pub(crate) socket: MonitorEnd,
    pub(crate) signals: SignalFd,
    pub(crate) service: Option<Service>,
    pub(crate) foreground: Foreground,
    /// The service manager's socket.
    pub(crate) manager: Option<UnixAddr>,
    pub(crate) awaited: Option<Awaited<'a>>,
    /// The run goes on behind the app's end.
    pub(crate) stay: bool,
    pub(crate) trace: Trace,
    /// To the holder of a kept mount.
    pub(crate) kept: Option<Connection>,
    pub(crate) run: Running,
}

/// Somebody waits for the app to be executed.
#[derive(Debug)]
pub(crate) struct Awaited<'a> {
    pub(crate) launcher: &'a mut Option<Launcher>,
    /// A pipe whose other end is closed by that.
    pub(crate) pipe: OwnedFd,
}

/// What changes while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Running {
    observed: Observed,
    server: Option<Server>,
    /// What must stay open while the image is served.
    held: Option<OwnedFd>,
    /// How the image server ended, and what it said.
    server_end: Option<(Change, Option<Failure>)>,
    relay: Option<Relay>,
    /// The image server took too long to end, and was killed.
    impatient: bool,
    /// The rung that holds the app's root.
    rung: Option<Rung>,
    /// The app was stopped by this signal, and the monitor not yet.
    stop: Option<i32>,
}

impl Monitor<'_> {
    /// Watches until init, and with it everything in the namespaces, has ended.
    pub(crate) fn watch(mut self) -> Result<Observed, Errno> {
        while self.run.observed.init.is_none() {
            self.wait(PollTimeout::NONE)?;
            // Init's last words come before its end.
            self.read_socket()?;
            self.read_signals()?;
            self.read_kept()?;
            self.relay()?;
            self.look_for_app()?;
            self.stop()?;
        }
        self.read_socket()?;
        self.look_for_app()?;
        if let Some(relay) = self.run.relay.take() {
            relay.finish(self.trace)?;
        }
        self.end_server()?;
        self.leave_kept();
        match self.run.server_end.take() {
            Some((_, Some(failure))) => self.note_unserved(failure),
            Some((change, None)) if change != Change::Exited(0) => {
                let error = Error::ServerEnded {
                    change: Some(change),
                    rung: self.run.rung,
                };
                self.note_unserved(Failure::of(&error, error.hint(), error.status()));
            }
            _ => {}
        }
        self.foreground.take_back()?;
        Ok(self.run.observed)
    }

    fn wait(&self, timeout: PollTimeout) -> Result<bool, Errno> {
        let signals = (self.signals.as_fd(), PollFlags::POLLIN);
        // Who is not there is the signals once more.
        let relay = self.run.relay.as_ref().map_or(signals, Relay::awaited);
        let pipe = self.awaited.as_ref().map_or(signals.0, |awaited| awaited.pipe.as_fd());
        let kept = self.kept.as_ref().map_or(signals.0, AsFd::as_fd);
        let all = [
            signals,
            (self.socket.as_fd(), PollFlags::POLLIN),
            (pipe, PollFlags::POLLIN),
            (kept, PollFlags::POLLIN),
            relay,
        ];
        let mut ready = all.map(|(descriptor, events)| PollFd::new(descriptor, events));
        // The socket of an init that has ended is ready for ever.
        let count = if self.run.observed.init.is_some() {
            1
        } else {
            ready.len()
        };
        match poll(&mut ready[..count], timeout) {
            Ok(0) => Ok(false),
            Ok(_) | Err(Errno::EINTR) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    fn read_socket(&mut self) -> Result<(), Errno> {
        loop {
            match self.socket.receive()? {
                Received::Message(message, descriptor) => self.hear(message, descriptor)?,
                Received::Nothing => return Ok(()),
                Received::Closed => return self.reap_init(),
            }
        }
    }

    /// What the holder of a kept mount says, as the server's own words: a block that was not signed is told at the end, and the end of
    /// the server is that of the run.
    fn read_kept(&mut self) -> Result<(), Errno> {
        match self.kept.as_ref().map_or(Ok(News::None), Connection::news)? {
            News::None => return Ok(()),
            News::Alone => {}
            News::Failed(failure) => {
                let unverified = failure.status == exit::UNVERIFIED;
                let needed = self.run.rung == Some(Rung::Kept);
                if unverified || needed {
                    self.run.observed.image = Some(failure);
                }
                if needed && !unverified {
                    self.kill(self.init)?;
                }
            }
        }
        self.kept = None;
        Ok(())
    }

    /// Here the end of the mount is not to be waited for.
    fn leave_kept(&mut self) {
        let failure = self.kept.take().and_then(Connection::leave);
        let unverified = failure.filter(|failure| failure.status == exit::UNVERIFIED);
        if unverified.is_some() {
            self.run.observed.image = unverified;
        }
    }

    fn hear(&mut self, message: FromInit, descriptor: Option<OwnedFd>) -> Result<(), Errno> {
        let Running {
            observed, rung, stop, ..
        } = &mut self.run;
        match message {
            FromInit::Serve => return self.serve(descriptor),
            FromInit::Relay => {
                // What comes without its descriptor found no room for it.
                let inside = descriptor.ok_or(Errno::EMFILE)?;
                let manager = self.manager.ok_or(Errno::EBADMSG)?;
                self.run.relay = Some(Relay::new(inside, manager));
            }
            FromInit::Hold => self.run.held = descriptor.map(fusermount::raise),
            FromInit::Started(started) => {
                observed.started = true;
                *rung = Some(started);
                // No other way needs them.
                descriptors::release()?;
                return self.judge_server();
            }
            FromInit::Left(failure) => observed.left = Some(failure),
            FromInit::Failed(failure) => observed.failed = Some(failure),
            FromInit::NotExecuted { errno, present } => observed.not_executed = Some((errno, present)),
            FromInit::Stopped(signal) => *stop = Some(signal),
            FromInit::Continued => *stop = None,
            FromInit::Exited(status) => observed.app = Some(Change::Exited(status)),
            FromInit::Signalled(signal) => observed.app = Some(Change::Signalled(signal)),
        }
        Ok(())
    }

    /// Starts the image server. Where that fails init sees that nobody serves the mount and tries the next rung.
    fn serve(&mut self, connection: Option<OwnedFd>) -> Result<(), Errno> {
        self.end_earlier_server()?;
        let service = self.service.as_ref().ok_or(Errno::EBADMSG)?;
        // What comes without its descriptor found no room for it.
        let started = match connection {
            Some(connection) => Server::start(service, connection, &mut self.socket),
            None => Err(server::not_started(Errno::EMFILE)),
        };
        match started {
            Ok(server) => self.run.server = Some(server),
            Err(failure) => self.note_unserved(failure),
        }
        Ok(())
    }

    /// Ends the server of a mount that init has given up. What it met it has said at once.
    fn end_earlier_server(&mut self) -> Result<(), Errno> {
        let Some(server) = self.run.server.take() else {
            return Ok(());
        };
        self.kill(server.pid)?;
        process::wait(server.pid)?;
        let failure = server.failure();
        if let Some(failure) = failure.filter(|failure| failure.status == exit::UNVERIFIED) {
            self.run.observed.image = Some(failure);
        }
        Ok(())
    }

    fn relay(&mut self) -> Result<(), Errno> {
        let relay = self.run.relay.as_mut();
        relay.map_or(Ok(()), |relay| relay.serve(self.trace))
    }

    /// Lets the launcher go once nobody has the other end of the pipe any more: the app was executed, or there is none.
    fn look_for_app(&mut self) -> Result<(), Errno> {
        let Some(awaited) = &self.awaited else { return Ok(()) };
        let mut ready = [PollFd::new(awaited.pipe.as_fd(), PollFlags::empty())];
        if poll(&mut ready, PollTimeout::ZERO)? == 0 {
            return Ok(());
        }
        // What failed was said before the end was closed.
        self.read_socket()?;
        if self.run.observed.was_executed()
            && let Some(launcher) = self.awaited.take().and_then(|awaited| awaited.launcher.take())
            && launcher.release().is_err()
        {
            // Nobody waits for it any more.
            return self.kill(self.init);
        }
        Ok(())
    }

    fn note_unserved(&mut self, failure: Failure) {
        self.trace.say(format_args!("{}", failure.message.display()));
        self.run.observed.unserved = Some(failure);
    }

    fn read_signals(&mut self) -> Result<(), Errno> {
        while let Some(info) = self.signals.read_signal()? {
            let signal = i32::try_from(info.ssi_signo).map_err(|_| Errno::EINVAL)?;
            // A broken stderr is no signal to the app.
            let own = info.ssi_code == libc::SI_USER && Ok(info.ssi_pid) == u32::try_from(getpid().as_raw());
            match signal {
                libc::SIGCHLD => self.reap()?,
                _ if own => {}
                _ => self.hand_on(signal)?,
            }
        }
        Ok(())
    }

    /// A signal for the app; before there is one, those that end a program end the run.
    fn hand_on(&mut self, signal: i32) -> Result<(), Errno> {
        if signal == libc::SIGCONT {
            self.run.stop = None;
        }
        if !self.run.observed.started && signals::ends(signal)? {
            // The app's own may have overtaken what init said of it.
            self.read_socket()?;
        }
        if !self.run.observed.started && signals::ends(signal)? {
            self.run.observed.interrupted = Some(signal);
            return self.kill(self.init);
        }
        match self.socket.send(ToInit::Signal(signal), None) {
            // Init has just ended, and its end is about to be read.
            Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => Ok(()),
            result => result,
        }
    }

    /// Stops as the app did, so that the shell which waits for this process has the terminal again.
    fn stop(&mut self) -> Result<(), Errno> {
        self.run.stop.take().map_or(Ok(()), signals::stop_by)
    }

    fn reap(&mut self) -> Result<(), Errno> {
        self.reap_server()?;
        match process::try_wait(self.init) {
            Ok(Some((_, change @ (Change::Exited(_) | Change::Signalled(_))))) => {
                self.run.observed.init = Some(change);
                Ok(())
            }
            Ok(_) | Err(Errno::ECHILD) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Init has closed its socket: it is about to end, or has ended.
    fn reap_init(&mut self) -> Result<(), Errno> {
        if self.run.observed.init.is_none() {
            self.run.observed.init = Some(process::wait(self.init)?);
        }
        Ok(())
    }

    fn reap_server(&mut self) -> Result<(), Errno> {
        let Some(server) = &self.run.server else { return Ok(()) };
        let Some((pid, change)) = process::try_wait(server.pid)? else {
            return Ok(());
        };
        if matches!(change, Change::Stopped(_) | Change::Continued) {
            return Ok(());
        }
        self.trace
            .say(format_args!("the image server, process {pid}, ended: {change:?}"));
        self.run.server_end = Some((change, self.run.server.take().and_then(Server::failure)));
        // Init's own end may be behind this, and the app's, of which it has told before.
        self.read_socket()?;
        self.judge_server()
    }

    /// The server's end ends the run, if the app's root is what it serves. Before that it is init's to notice, and to
    /// try another rung; but what was not signed is told in any case.
    fn judge_server(&mut self) -> Result<(), Errno> {
        let needed = self.run.rung.is_some_and(Rung::is_served);
        let Some((change, failure)) = &mut self.run.server_end else {
            return Ok(());
        };
        let change = *change;
        if failure
            .as_ref()
            .is_some_and(|failure| needed || failure.status == exit::UNVERIFIED)
        {
            self.run.observed.image = failure.take();
        }
        // That mount init takes away itself, before it clears up.
        let taken_away = self.run.rung == Some(Rung::Fusermount) && change == Change::Exited(0);
        if !needed || taken_away {
            return Ok(());
        }
        // An app that was without its pages may have ended first. What it has left running needs them too, but its end is known.
        let killed = matches!(change, Change::Signalled(_)) && !self.stay && !self.run.impatient;
        let goes_on = self.run.observed.init.is_none();
        if killed || goes_on && self.run.observed.app.is_none() {
            self.run.observed.server = Some((change, self.run.rung));
        }
        if goes_on {
            self.kill(self.init)?;
        }
        Ok(())
    }

    /// Nobody has the mount any more, so the server ends by itself, and says then what it met.
    fn end_server(&mut self) -> Result<(), Errno> {
        self.reap_server()?;
        while let Some(server) = &self.run.server {
            let pid = server.pid;
            if !self.wait(PollTimeout::from(PATIENCE))? {
                self.run.impatient = true;
                self.kill(pid)?;
            }
            signals::discard(&self.signals)?;
            self.reap_server()?;
        }
        Ok(())
    }

    fn kill(&self, pid: Pid) -> Result<(), Errno> {
        match process::kill(pid, libc::SIGKILL) {
            Err(Errno::ESRCH) => Ok(()),
            result => result,
        }
    }
}
