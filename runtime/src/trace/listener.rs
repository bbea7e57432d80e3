//! Being told of the app's calls that name files: the filter is installed in the app's process, the announcements come to init.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::calls::{self, Act, Named};
use super::filter;
use super::tracee::Tracee;
use crate::process::control_socket::{self, InitEnd, MonitorEnd, Received};
use crate::process::message::FromInit;
use crate::sys::seccomp::{self, Notice};

/// Scripts interpreted by scripts, as deep as the kernel goes: `exec_binprm` in `fs/exec.c`.
pub(super) const DEPTH_MAX: usize = 5;

/// Where announcements come from.
#[derive(Debug)]
enum Source {
    /// The app's process sends the descriptor when it has it: here, from there.
    Awaited(MonitorEnd, InitEnd),
    Listener(OwnedFd),
    /// Whoever could announce something has ended.
    Gone,
}

/// Both ends of it: in the app's process, and in init.
#[derive(Debug)]
pub(super) struct Listener(Source);

impl Listener {
    pub(super) fn new() -> Result<Self, Errno> {
        let (here, app) = control_socket::pair()?;
        Ok(Self(Source::Awaited(here, app)))
    }

    /// In the app's process: from here on its calls are announced, and wait until init has seen them.
    pub(super) fn attach(&self) -> Result<(), Errno> {
        let Source::Awaited(_, app) = &self.0 else {
            return Err(Errno::EBADF);
        };
        let program = filter::program(calls::numbers()).ok_or(Errno::ENOSYS)?;
        let listener = seccomp::listen(&program)?;
        // The one message that comes with a descriptor to be served.
        app.send(&FromInit::Serve, Some(listener.as_fd()))
    }

    /// In init: what to wait for.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Source::Awaited(here, _) => Some(here.as_fd()),
            Source::Listener(listener) => Some(listener.as_fd()),
            Source::Gone => None,
        }
    }

    /// In init: takes all announcements that there are, gives each file that they name to `note`, and lets the calls go on.
    pub(super) fn serve(&mut self, mut note: impl FnMut(NamedFile) -> Result<(), Errno>) -> Result<(), Errno> {
        if let Source::Awaited(here, _) = &self.0 {
            match here.receive()? {
                Received::Message(FromInit::Serve, Some(listener)) => self.0 = Source::Listener(listener),
                Received::Message(..) => return Err(Errno::EBADMSG),
                Received::Nothing | Received::Closed => return Ok(()),
            }
        }
        while let Source::Listener(listener) = &self.0 {
            match ready(listener)? {
                flags if flags.contains(PollFlags::POLLIN) => serve_one(listener, &mut note)?,
                flags if flags.is_empty() => return Ok(()),
                _ => self.0 = Source::Gone,
            }
        }
        Ok(())
    }
}

fn ready(listener: &OwnedFd) -> Result<PollFlags, Errno> {
    let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::ZERO) {
        Ok(_) | Err(Errno::EINTR) => Ok(ready[0].revents().unwrap_or(PollFlags::empty())),
        Err(errno) => Err(errno),
    }
}

fn serve_one(listener: &OwnedFd, note: &mut impl FnMut(NamedFile) -> Result<(), Errno>) -> Result<(), Errno> {
    let Some(notice) = seccomp::receive(listener)? else {
        return Ok(());
    };
    let files = files(&notice);
    if !seccomp::is_waiting(listener, &notice) {
        // The thread has ended, and what was read may be of another one that has its number now.
        return Ok(());
    }
    files.into_iter().try_for_each(note)?;
    seccomp::let_go_on(listener, &notice)
}

/// A file that a call names.
#[derive(Debug)]
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    pub(super) act: Act,
    /// Of open(2), else 0.
    pub(super) flags: i32,
}

fn files(notice: &Notice) -> Vec<NamedFile> {
    let tracee = Tracee {
        thread: notice.thread,
        arguments: &notice.arguments,
    };
    let file = |&Named { name, act }: &Named| {
        Some(NamedFile {
            path: tracee.path(name)?,
            act,
            flags: match act {
                Act::Open(flags) => tracee.flags(flags),
                _ => 0,
            },
        })
    };
    calls::named(notice.number).iter().filter_map(file).collect()
}
