//! The processes that an app leaves where no PID namespace ends them: prctl(2), `PR_SET_CHILD_SUBREAPER`.
//!
//! Orphans become children of the nearest ancestor that asked for them, so whoever kills all below it again and again until nobody
//! is left has killed all.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Pid, getpid};

use super::descriptors;
use crate::host::read_short;
use crate::sys::process;

/// Against an app that makes processes faster than they are killed.
const ROUNDS: usize = 1000;

/// Makes orphans below this process its children.
pub(crate) fn adopt() -> Result<(), Errno> {
    prctl::set_child_subreaper(true)
}

/// Kills and reaps the children of this process, and theirs, but `spared`. Without /proc nobody can say which they are, and
/// those that are there stay.
pub(crate) fn end_all(spared: Option<Pid>) {
    for _ in 0..ROUNDS {
        let found = of_this_process(spared);
        if found.is_empty() {
            return;
        }
        for pid in found {
            match process::kill(pid, libc::SIGKILL).and_then(|()| process::wait(pid)) {
                // It has other rights than we have, or is another's child, or somebody reaped it.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Sends `signal` to the same.
pub(crate) fn signal(signal: i32, spared: Option<Pid>) -> Result<(), Errno> {
    for pid in of_this_process(spared) {
        match process::kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The children of this process, and theirs, but `spared`.
pub(crate) fn of_this_process(spared: Option<Pid>) -> Vec<Pid> {
    let mut all = Vec::new();
    for pid in descriptors::numbers("/proc") {
        let stat = read_short(Path::new(&format!("/proc/{pid}/stat"))).unwrap_or_default();
        if let Some(parent) = parent(&stat).filter(|_| Some(Pid::from_raw(pid)) != spared) {
            all.push((pid, parent));
        }
    }
    below(getpid().as_raw(), &all)
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

    #[test]
    fn descendants_of_any_depth() {
        let all = [(5, 4), (2, 1), (4, 3), (3, 2), (6, 1), (7, 7)];
        let found: Vec<i32> = below(2, &all).into_iter().map(Pid::as_raw).collect();
        assert_eq!(found, [3, 4, 5]);
        assert!(below(9, &all).is_empty());
    }
}
