//! A cgroup of our own, for as long as the app runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::{getpid, mkdir};

use super::remover::Remover;
use super::setting::{SETTINGS, Setting};
use crate::confine::status::Degree;
use crate::directory;
use crate::error::errno;
use crate::options::Limits;

/// What the names of our cgroups begin with.
const PREFIX: &str = "polecat-";

/// How often another name is tried.
const ATTEMPTS: u32 = 16;

/// How long the kernel may take to let go of a cgroup whose last process has ended, in milliseconds.
const PATIENCE: u32 = 200;

/// A cgroup below another. It goes when this is dropped, unless it was left to another process. While it lives its directory is locked, flock(2), by
/// this process and those that it forks: what is there without a lock was left behind.
#[derive(Debug)]
pub(super) struct Leaf {
    directory: PathBuf,
    procs: File,
    /// It is for this process to take away.
    own: bool,
    /// What not every kernel can is done too.
    whole: bool,
    _lock: File,
}

impl Leaf {
    /// Makes one in `parent` in which these controllers hold `limits`, and takes away what others left there. The `remover` knows of it
    /// before it is there.
    ///
    /// # Errors
    /// What could not be done, on which path.
    #[inline(never)]
    pub(super) fn make(
        parent: &Path,
        controllers: &[&str],
        limits: Limits,
        unified: bool,
        remover: Option<&Remover>,
    ) -> Result<Self, (PathBuf, Errno)> {
        sweep(parent);
        let maker = getpid();
        for attempt in 0..ATTEMPTS {
            let directory = parent.join(format!("{PREFIX}{maker}-{attempt}"));
            if let Some(remover) = remover {
                remover.announce(&directory);
            }
            match mkdir(&directory, Mode::from_bits_truncate(0o755)) {
                Ok(()) => {}
                Err(Errno::EEXIST) => continue,
                Err(errno) => return Err((directory, errno)),
            }
            let opened = directory::lock(&directory)
                .and_then(|lock| open(&directory.join("cgroup.procs")).map(|procs| (lock, procs)));
            let (lock, procs) = match opened {
                Ok(opened) => opened,
                Err(errno) => {
                    remove(&directory);
                    match is_taken(errno) {
                        true => continue,
                        false => return Err((directory, errno)),
                    }
                }
            };
            let mut leaf = Self {
                directory,
                procs,
                own: true,
                whole: true,
                _lock: lock,
            };
            for setting in SETTINGS {
                if setting.unified == unified && controllers.contains(&setting.controller) {
                    leaf.set(setting, limits)?;
                }
            }
            return Ok(leaf);
        }
        Err((parent.to_owned(), Errno::EEXIST))
    }

    fn set(&mut self, setting: Setting, limits: Limits) -> Result<(), (PathBuf, Errno)> {
        let path = self.directory.join(setting.file);
        match write(&path, &setting.value(limits)) {
            Err(_) if setting.optional => self.whole = false,
            result => result.map_err(|errno| (path, errno))?,
        }
        Ok(())
    }

    /// How far it limits by this controller.
    pub(super) fn degree(&self, controller: &str) -> Degree {
        let place = self.directory.display();
        match self.whole || controller != "memory" {
            true => Degree::Full(format!("by {place}").into()),
            false => Degree::Partial(format!("by {place}, which counts no swap space").into()),
        }
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// For a copy in a process that did not make it.
    pub(super) fn disown(&mut self) {
        self.own = false;
    }

    /// Moves this process into it.
    pub(super) fn enter(&self) -> Result<(), Errno> {
        (&self.procs).write_all(b"0").map_err(|error| errno(&error))
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        if self.own {
            remove(&self.directory);
        }
    }
}

/// Whether somebody thought that a new one was left behind: it is locked, or gone, or about to be.
fn is_taken(errno: Errno) -> bool {
    matches!(errno, Errno::EWOULDBLOCK | Errno::ENOENT | Errno::ENODEV)
}

/// Writes to a file of the kernel's.
pub(super) fn write(path: &Path, value: &str) -> Result<(), Errno> {
    let mut file = open(path)?;
    file.write_all(value.as_bytes()).map_err(|error| errno(&error))
}

fn open(path: &Path) -> Result<File, Errno> {
    File::options().write(true).open(path).map_err(|error| errno(&error))
}

/// Takes a cgroup away. One that cannot be is left to the next sweep.
fn remove(directory: &Path) {
    for _ in 0..PATIENCE {
        match fs::remove_dir(directory).map_err(|error| errno(&error)) {
            // Waits for a millisecond, or less.
            Err(Errno::EBUSY) if poll(&mut [], PollTimeout::from(1u8)).is_ok() => {}
            Ok(()) | Err(_) => return,
        }
    }
}

/// Takes away what nobody holds a lock on: of runs whose monitor was killed.
fn sweep(parent: &Path) {
    for name in directory::names(parent).unwrap_or_default() {
        let path = parent.join(&name);
        if name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
            && let Ok(_lock) = directory::lock(&path)
        {
            // It is another user's, or somebody is in it: it stays.
            match fs::remove_dir(&path) {
                Ok(()) | Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One that nobody can enter, at `directory`.
    pub(in super::super) fn closed(directory: &Path) -> Leaf {
        fs::create_dir(directory).unwrap();
        Leaf {
            directory: directory.to_owned(),
            procs: File::open("/dev/null").unwrap(),
            own: true,
            whole: true,
            _lock: directory::lock(directory).unwrap(),
        }
    }

    #[test]
    fn another_is_tried_only_where_somebody_took_the_first() {
        for (errno, again) in [
            (Errno::EAGAIN, true),
            (Errno::ENOENT, true),
            (Errno::ENODEV, true),
            (Errno::EACCES, false),
            (Errno::EMFILE, false),
        ] {
            assert_eq!(is_taken(errno), again, "{errno}");
        }
    }
}
