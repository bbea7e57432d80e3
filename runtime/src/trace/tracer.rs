//! The observer: gets every call that names a file, notes what is there at that moment, and lets the call go on.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::calls::Act;
use super::event::{Log, What};
use super::interpreter::{self, Interpreter};
use super::listener::{DEPTH_MAX, Listener, NamedFile};
use super::place::{Found, Mounts, Presence};
use crate::error::errno;
use crate::process::observer::Observer;

/// When a trace ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Until {
    /// When no process is left, daemons included.
    #[default]
    AllEnd,
    /// When the command ends; others are killed then.
    CommandEnds,
}

#[derive(Debug)]
pub(crate) struct Tracer {
    listener: Listener,
    notes: Notes,
    until: Until,
}

#[derive(Debug)]
struct Notes {
    log: Log,
    mounts: Mounts,
}

impl Observer for Tracer {
    fn prepare(&mut self) -> Result<(), Errno> {
        self.notes.mounts = Mounts::read()?;
        Ok(())
    }

    fn attach(&self) -> Result<(), Errno> {
        self.listener.attach()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.listener.descriptor()
    }

    fn serve(&mut self) -> Result<(), Errno> {
        self.listener.serve(|file| self.notes.note(file))
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

impl Tracer {
    pub(crate) fn new(log: File, until: Until) -> Result<Self, Errno> {
        Ok(Self {
            listener: Listener::new()?,
            notes: Notes {
                log: Log::new(log),
                mounts: Mounts::default(),
            },
            until,
        })
    }
}

impl Notes {
    /// Notes what is at the path now, right before the call.
    fn note(&mut self, file: NamedFile) -> Result<(), Errno> {
        let NamedFile { path, act, flags } = file;
        let standing = self.mounts.look(&path);
        let what = match (act, &standing) {
            (Act::Execute, Presence::Found(found)) => return self.note_program(path, found, true, 0),
            (Act::Execute, Presence::Elsewhere(Some(found))) => return self.note_program(path, found, false, 0),
            (Act::Open(_), Presence::Found(_)) if flags & libc::O_TMPFILE == libc::O_TMPFILE => What::CreateIn,
            (Act::Open(_), Presence::Found(_)) => What::Open,
            (Act::List, Presence::Found(_)) => What::List,
            (Act::Look | Act::Make, Presence::Found(_)) => What::Look,
            (Act::Make, Presence::Missing(_)) => self.made(&path),
            (Act::Open(_), Presence::Missing(_)) if flags & libc::O_CREAT != 0 => self.made(&path),
            (_, Presence::Missing(_)) => What::Missing,
            (_, Presence::Elsewhere(_) | Presence::Unknown) => return Ok(()),
        };
        self.tell(what, path)
    }

    /// Only what has a directory can be made.
    fn made(&self, path: &Path) -> What {
        match path.parent().map(|parent| self.mounts.look(parent)) {
            Some(Presence::Found(_)) => What::Create,
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
                Presence::Found(_) => self.tell(What::Open, loader),
                Presence::Missing(_) => self.tell(What::Missing, loader),
                Presence::Elsewhere(_) | Presence::Unknown => Ok(()),
            },
            Interpreter::OfScript(next) if next.is_absolute() && depth < DEPTH_MAX => match self.mounts.look(&next) {
                Presence::Found(found) => self.note_program(next, &found, true, depth + 1),
                Presence::Missing(_) => self.tell(What::Missing, next),
                Presence::Elsewhere(_) | Presence::Unknown => Ok(()),
            },
            Interpreter::Loader(_) | Interpreter::OfScript(_) | Interpreter::None => Ok(()),
        }
    }

    fn tell(&mut self, what: What, path: PathBuf) -> Result<(), Errno> {
        self.log.tell(what, path).map_err(|error| errno(&error))
    }
}
