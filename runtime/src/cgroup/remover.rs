//! The process that takes the cgroups of a run away where its monitor could not: it was killed.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollTimeout, poll};
use nix::sys::prctl;
use nix::unistd::{Pid, chdir, pipe2, read, setsid, write};

use crate::directory;
use crate::error::errno;
use crate::sys::process;
use crate::text::parts;

/// How often it is tried, after twice the time of the attempt before, which begins with a millisecond: a minute together. What
/// has processes longer than that is left to the next start.
const ATTEMPTS: u8 = 16;

/// A process that waits, outside of the cgroups and of the caller's session, for the end of all who hold the other end of its pipe:
/// the monitor and the processes that it forks. It ends with the monitor if that lets go of it in time.
#[derive(Debug)]
pub(super) struct Remover {
    /// None in a process that is not its parent.
    pid: Option<Pid>,
    told: OwnedFd,
}

impl Remover {
    /// Forks it.
    ///
    /// # Errors
    /// pipe2(2), fork(2).
    pub(super) fn start() -> Result<Self, Errno> {
        let (heard, told) = pipe2(OFlag::O_CLOEXEC)?;
        let pid = Some(process::fork_alone(heard, remove_at_end)?);
        Ok(Self { pid, told })
    }

    /// Tells it the path of a cgroup that is about to be made. If it was killed nobody is told, and the monitor is left.
    pub(super) fn announce(&self, cgroup: &Path) {
        let mut line = cgroup.as_os_str().as_bytes().to_vec();
        line.push(0);
        match write(&self.told, &line) {
            Ok(_) | Err(_) => {}
        }
    }

    /// For a child of the monitor's: ids of processes may mean others there.
    pub(super) fn disown(mut self) {
        self.pid = None;
    }
}

impl Drop for Remover {
    fn drop(&mut self) {
        let Some(pid) = self.pid else { return };
        match process::kill(pid, libc::SIGKILL).and_then(|()| process::wait(pid)) {
            // It was killed, and is reaped now.
            Ok(_) | Err(_) => {}
        }
    }
}

/// The process, from its first instruction to its end. Every signal is blocked in it, as in the monitor.
fn remove_at_end(pipe: OwnedFd) {
    // None of them is needed to remove anything. Whoever sees the name sees the rest, too.
    for settled in [chdir("/"), setsid().map(drop), prctl::set_name(c"polecat-cgroup")] {
        match settled {
            Ok(()) | Err(_) => {}
        }
    }
    let mut told = Vec::new();
    let mut some = [0; 512];
    loop {
        match read(&pipe, &mut some) {
            Ok(length @ 1..) => told.extend_from_slice(some.get(..length).unwrap_or_default()),
            Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => break,
        }
    }
    let paths = parts(&told, 0);
    for attempt in 0..ATTEMPTS {
        let mut left = false;
        for path in &paths {
            left |= !path.is_empty() && !is_gone(Path::new(OsStr::from_bytes(path)));
        }
        if !left {
            return;
        }
        match poll(&mut [], PollTimeout::from(1_u16 << attempt)) {
            Ok(_) | Err(_) => {}
        }
    }
}

/// Takes a cgroup away, unless it is another run's by now. Whether there is none.
fn is_gone(cgroup: &Path) -> bool {
    let removed = directory::lock(cgroup).and_then(|_lock| fs::remove_dir(cgroup).map_err(|error| errno(&error)));
    matches!(removed, Ok(()) | Err(Errno::ENOENT | Errno::ENODEV))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_that_another_run_has_locked_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let cgroup = scratch.path().join("polecat-1-0");
        assert!(is_gone(&cgroup), "nobody has made it yet");
        fs::create_dir(&cgroup).unwrap();
        let lock = directory::lock(&cgroup).unwrap();
        assert!(!is_gone(&cgroup) && cgroup.is_dir());
        drop(lock);
        assert!(is_gone(&cgroup) && !cgroup.exists());
    }
}
