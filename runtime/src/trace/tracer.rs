//! The observer: gets every call that names a file, notes what is there at that moment, and lets the call go on.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::calls::{self, Act, Named};
use super::event::{Log, What};
use super::filter;
use super::interpreter::{self, Interpreter};
use super::place::{Found, Mounts, Standing, errno};
use super::tracee::Tracee;
use crate::process::control_socket::{self, InitEnd, MonitorEnd, Received};
use crate::process::message::FromInit;
use crate::process::observer::Observer;
use crate::sys::seccomp::{self, Notice};

/// Scripts interpreted by scripts, as deep as the kernel goes: `exec_binprm` in `fs/exec.c`.
const DEPTH_MAX: usize = 5;

/// When a trace ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Until {
    /// When no process is left, daemons included.
    #[default]
    AllEnd,
    /// When the command ends; others are killed then.
    CommandEnds,
}

/// Where announcements come from.
#[derive(Debug)]
enum Source {
    /// The app's process sends the descriptor when it has it: here, from there.
    Awaited(MonitorEnd, InitEnd),
    Listener(OwnedFd),
    /// Whoever could announce something has ended.
    Gone,
}

#[derive(Debug)]
pub(super) struct Tracer {
    source: Source,
    log: Log,
    mounts: Mounts,
    until: Until,
}

impl Observer for Tracer {
    fn prepare(&mut self) -> Result<(), Errno> {
        self.mounts = Mounts::read()?;
        Ok(())
    }

    fn attach(&self) -> Result<(), Errno> {
        let Source::Awaited(_, app) = &self.source else {
            return Err(Errno::EBADF);
        };
        let program = filter::program(calls::numbers()).ok_or(Errno::ENOSYS)?;
        let listener = seccomp::listen(&program)?;
        // The one message that comes with a descriptor to be served.
        app.send(&FromInit::Serve, Some(listener.as_fd()))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Awaited(here, _) => Some(here.as_fd()),
            Source::Listener(listener) => Some(listener.as_fd()),
            Source::Gone => None,
        }
    }

    fn serve(&mut self) -> Result<(), Errno> {
        if let Source::Awaited(here, _) = &self.source {
            match here.receive()? {
                Received::Message(FromInit::Serve, Some(listener)) => self.source = Source::Listener(listener),
                Received::Message(..) => return Err(Errno::EBADMSG),
                Received::Nothing | Received::Closed => return Ok(()),
            }
        }
        while let Source::Listener(listener) = &self.source {
            match ready(listener)? {
                flags if flags.contains(PollFlags::POLLIN) => self.serve_one()?,
                flags if flags.is_empty() => return Ok(()),
                _ => self.source = Source::Gone,
            }
        }
        Ok(())
    }

    fn stays(&self) -> bool {
        self.until == Until::AllEnd
    }

    fn hint(&self) -> Option<String> {
        Some(
            "trace on x86_64 or aarch64 with Linux 5.5 or newer, and where no container engine has forbidden seccomp's listeners or uses one itself"
                .into(),
        )
    }
}

fn ready(listener: &OwnedFd) -> Result<PollFlags, Errno> {
    let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::ZERO) {
        Ok(_) | Err(Errno::EINTR) => Ok(ready[0].revents().unwrap_or(PollFlags::empty())),
        Err(errno) => Err(errno),
    }
}

impl Tracer {
    pub(super) fn new(log: File, until: Until) -> Result<Self, Errno> {
        let (here, app) = control_socket::pair()?;
        Ok(Self {
            source: Source::Awaited(here, app),
            log: Log::new(log),
            mounts: Mounts::default(),
            until,
        })
    }

    fn serve_one(&mut self) -> Result<(), Errno> {
        let Source::Listener(listener) = &self.source else {
            return Ok(());
        };
        let Some(notice) = seccomp::receive(listener)? else {
            return Ok(());
        };
        let files = files(&notice);
        if !seccomp::is_waiting(listener, &notice) {
            // The thread has ended, and what was read may be of another one that has its number now.
            return Ok(());
        }
        for file in files {
            self.note(file)?;
        }
        let Source::Listener(listener) = &self.source else {
            return Ok(());
        };
        seccomp::let_go_on(listener, &notice)
    }

    /// Notes what is at the path now, right before the call.
    fn note(&mut self, file: NamedFile) -> Result<(), Errno> {
        let NamedFile { path, act, flags } = file;
        let standing = self.mounts.look(&path);
        let what = match (act, &standing) {
            (Act::Execute, Standing::Found(found)) => return self.note_program(path, found, true, 0),
            (Act::Execute, Standing::Elsewhere(Some(found))) => return self.note_program(path, found, false, 0),
            (Act::Open(_), Standing::Found(_)) if flags & libc::O_TMPFILE == libc::O_TMPFILE => What::CreateIn,
            (Act::Open(_), Standing::Found(_)) => What::Open,
            (Act::List, Standing::Found(_)) => What::List,
            (Act::Look | Act::Make, Standing::Found(_)) => What::Look,
            (Act::Make, Standing::Missing) => self.made(&path),
            (Act::Open(_), Standing::Missing) if flags & libc::O_CREAT != 0 => self.made(&path),
            (_, Standing::Missing) => What::Missing,
            (_, Standing::Elsewhere(_) | Standing::Unknown) => return Ok(()),
        };
        self.tell(what, path)
    }

    /// Only what has a directory can be made.
    fn made(&self, path: &Path) -> What {
        match path.parent().map(|parent| self.mounts.look(parent)) {
            Some(Standing::Found(_)) => What::Create,
            _ => What::Missing,
        }
    }

    /// Notes a program and what the kernel starts or loads for it. A program of the host's is none of the root file
    /// system's, but its interpreter may be.
    fn note_program(&mut self, path: PathBuf, found: &Found, is_own: bool, depth: usize) -> Result<(), Errno> {
        if !found.is_regular() {
            return if is_own { self.tell(What::Look, path) } else { Ok(()) };
        }
        // What cannot be read can be executed still; then its interpreter is not known.
        let examined = found.open().and_then(|file| interpreter::examine(&file)).ok();
        if is_own {
            self.tell(What::Execute, path.clone())?;
            if found.mode & (libc::S_ISUID | libc::S_ISGID) != 0 {
                self.tell(What::Unprivileged, path.clone())?;
            }
            if examined.as_ref().is_some_and(|executable| executable.foreign) {
                self.tell(What::Unseen, path)?;
            }
        }
        match examined.map_or(Interpreter::None, |executable| executable.interpreter) {
            Interpreter::Loader(loader) if loader.is_absolute() => match self.mounts.look(&loader) {
                Standing::Found(_) => self.tell(What::Open, loader),
                Standing::Missing => self.tell(What::Missing, loader),
                Standing::Elsewhere(_) | Standing::Unknown => Ok(()),
            },
            Interpreter::OfScript(next) if next.is_absolute() && depth < DEPTH_MAX => match self.mounts.look(&next) {
                Standing::Found(found) => self.note_program(next, &found, true, depth + 1),
                Standing::Missing => self.tell(What::Missing, next),
                Standing::Elsewhere(_) | Standing::Unknown => Ok(()),
            },
            Interpreter::Loader(_) | Interpreter::OfScript(_) | Interpreter::None => Ok(()),
        }
    }

    fn tell(&mut self, what: What, path: PathBuf) -> Result<(), Errno> {
        self.log.tell(what, path).map_err(|error| errno(&error))
    }
}

/// A file that a call names.
struct NamedFile {
    path: PathBuf,
    act: Act,
    /// Of open(2), else 0.
    flags: i32,
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
