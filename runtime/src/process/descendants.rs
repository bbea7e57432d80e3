//! The processes that an app leaves where no PID namespace ends them: prctl(2), `PR_SET_CHILD_SUBREAPER`.
//!
//! Orphans become children of the nearest ancestor that asked for them, so whoever kills all below it again and again until nobody
//! is left has killed all.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Pid, getpid};

use crate::directory;
use crate::host::read_short;
use crate::sys::process;

/// Against an app that makes processes faster than they are killed.
const ROUNDS: usize = 1000;

/// Makes orphans below this process its children.
pub(crate) fn adopt() -> Result<(), Errno> {
    prctl::set_child_subreaper(true)
}

/// Kills and reaps the children of this process but `spared`, and those that it gets by that, until there are none. Without /proc
/// nobody can say which they are, and those that are there stay.
pub(crate) fn end_all(spared: Option<Pid>) {
    end_all_but(spared.as_slice());
}

/// The same, with others `spared`. Only its children, for nobody else gets the id of one before this process has reaped it.
pub(crate) fn end_all_but(spared: &[Pid]) {
    let this = getpid().as_raw();
    for _ in 0..ROUNDS {
        let mut children = all();
        // All of them are killed before the first is waited for: one may be making others. One that has other rights stays.
        children.retain(|(pid, parent)| {
            let pid = Pid::from_raw(*pid);
            *parent == this && !spared.contains(&pid) && process::kill(pid, libc::SIGKILL).is_ok()
        });
        if children.is_empty() {
            return;
        }
        for (pid, _) in children {
            match process::wait(Pid::from_raw(pid)) {
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Sends `signal` to the children of this process, and theirs, but `spared`.
pub(crate) fn signal(signal: i32, spared: Option<Pid>) -> Result<(), Errno> {
    let mut held: Vec<(Pid, Option<OwnedFd>)> = Vec::new();
    for pid in of_this_process(spared) {
        held.push((pid, process::descriptor(pid).ok()));
    }
    // Who is still there has not given his id to another.
    let still = of_this_process(spared);
    for (pid, descriptor) in &held {
        if !still.contains(pid) {
            continue;
        }
        let sent = match descriptor {
            Some(descriptor) => process::kill_by(descriptor, signal),
            // A kernel before 5.3, or too many descriptors.
            None => process::kill(*pid, signal),
        };
        match sent {
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The children of this process, and theirs, but `spared`.
pub(crate) fn of_this_process(spared: Option<Pid>) -> Vec<Pid> {
    let mut all = all();
    all.retain(|(pid, _)| Some(Pid::from_raw(*pid)) != spared);
    below(getpid().as_raw(), &all)
}

/// All processes, each with its parent.
fn all() -> Vec<(i32, i32)> {
    let mut all = Vec::new();
    for pid in directory::numbers(Path::new("/proc")) {
        let stat = read_short(Path::new(&format!("/proc/{pid}/stat"))).unwrap_or_default();
        all.extend(parent(&stat).map(|parent| (pid, parent)));
    }
    all
}

/// Those of `all`, each with its parent, that come from `top`, parents first.
fn below(top: i32, all: &[(i32, i32)]) -> Vec<Pid> {
    let mut found = vec![top];
    let mut next = 0;
    while let Some(&from) = found.get(next) {
        for (pid, parent) in all {
            if *parent == from && !found.contains(pid) {
                found.push(*pid);
            }
        }
        next += 1;
    }
    found.into_iter().skip(1).map(Pid::from_raw).collect()
}

/// The fourth field of `/proc/PID/stat`; the second is in parentheses and may hold anything.
fn parent(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat.get(end..)?.split(|&byte| byte == b' ');
    std::str::from_utf8(fields.nth(2)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::{Change, Fork};
    use std::process::Command;

    #[test]
    fn parents() {
        for (stat, expected) in [
            (&b"12 (sh) S 7 12 12 0"[..], Some(7)),
            (b"12 (a) S 3 (b) R 9 1", Some(9)),
            (b"12 (sh) S", None),
            (b"", None),
        ] {
            assert_eq!(parent(stat), expected);
        }
    }

    /// In a process of its own, which nobody else makes children in.
    #[test]
    fn those_that_were_there_are_spared_and_orphans_are_not() {
        match process::fork().unwrap() {
            Fork::Child => {
                let sleep = || Command::new("sleep").arg("1000").spawn();
                let Ok(before) = sleep() else { process::exit(1) };
                let spared = of_this_process(None);
                if adopt().is_err() || sleep().is_err() {
                    process::exit(2);
                }
                // Its child is found once it is dead itself.
                let nested = Command::new("sh").args(["-c", "sleep 1000 & sleep 1000"]).spawn();
                while nested.is_ok() && of_this_process(None).len() < 5 {}
                end_all_but(&spared);
                let left = of_this_process(None);
                end_all(None);
                let only = i32::try_from(before.id()).is_ok_and(|before| left == [Pid::from_raw(before)]);
                process::exit(u8::from(!(only && of_this_process(None).is_empty())) * 3)
            }
            Fork::Parent(child) => assert_eq!(process::wait(child), Ok(Change::Exited(0))),
        }
    }

    #[test]
    fn descendants_of_any_depth() {
        let all = [(5, 4), (2, 1), (4, 3), (3, 2), (6, 1), (7, 7)];
        let found: Vec<i32> = below(2, &all).into_iter().map(Pid::as_raw).collect();
        assert_eq!(found, [3, 4, 5]);
        assert!(below(9, &all).is_empty());
    }
}
