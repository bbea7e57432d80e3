//! Which processes there are.

use std::collections::BTreeMap;
use std::fs;

use crate::status::field;
use crate::wait;

/// One process. The start time tells it from a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Process id, as seen from here.
    pub id: u32,
    /// Clock ticks after boot at which it started.
    started: u64,
}

/// What /proc/PID/stat says, as far as it is used here; proc_pid_stat(5).
struct Stat {
    state: char,
    parent: u32,
    started: u64,
}

impl Stat {
    fn read(id: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in field 2 may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    const fn is_running(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

impl Process {
    /// The process that has this id now.
    #[must_use]
    pub fn find(id: u32) -> Option<Self> {
        Stat::read(id).filter(Stat::is_running).map(|stat| Self {
            id,
            started: stat.started,
        })
    }

    /// Whether it has not ended. A zombie has.
    #[must_use]
    pub fn is_running(self) -> bool {
        Self::find(self.id) == Some(self)
    }

    /// One letter: running, sleeping, stopped…
    #[must_use]
    pub fn state(self) -> Option<char> {
        Stat::read(self.id)
            .filter(|stat| stat.started == self.started)
            .map(|stat| stat.state)
    }

    /// The program it runs, by its name of at most 15 bytes.
    #[must_use]
    pub fn name(self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.id))
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    }
}

/// A process and all that descend from it, parents first.
#[must_use]
pub fn family(of: u32) -> Vec<Process> {
    let ids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let stats: BTreeMap<u32, Stat> = ids.filter_map(|id| Some((id, Stat::read(id)?))).collect();
    let mut found: Vec<u32> = vec![of];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            stats
                .iter()
                .filter(|(_, stat)| stat.parent == parent)
                .map(|(id, _)| *id),
        );
        next += 1;
    }
    found
        .into_iter()
        .filter_map(|id| {
            stats.get(&id).filter(|stat| stat.is_running()).map(|stat| Process {
                id,
                started: stat.started,
            })
        })
        .collect()
}

/// The children of a process.
#[must_use]
pub fn children(of: u32) -> Vec<Process> {
    match fs::read_to_string(format!("/proc/{of}/task/{of}/children")) {
        Ok(ids) => ids
            .split_whitespace()
            .filter_map(|id| Process::find(id.parse().ok()?))
            .collect(),
        // A kernel without CONFIG_PROC_CHILDREN, or a process that is gone.
        Err(_) => family(of)
            .into_iter()
            .filter(|process| Stat::read(process.id).is_some_and(|stat| stat.parent == of))
            .collect(),
    }
}

/// The id that a process has in its own PID namespace.
#[must_use]
pub fn namespaced_id(process: Process) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id)).ok()?;
    field(&status, "NSpid")?.split_whitespace().last()?.parse().ok()
}

/// Processes that were executed with this variable, or descend from one that was, wherever their parents are.
#[must_use]
pub fn with_variable(name: &str, value: &str) -> Vec<Process> {
    let wanted = format!("{name}={value}");
    let ids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|&byte| byte == 0)
            .any(|variable| variable == wanted.as_bytes())
    };
    ids.filter(has).filter_map(Process::find).collect()
}

/// The processes that have this argument.
#[must_use]
pub fn with_argument(argument: &str) -> Vec<Process> {
    let ids = fs::read_dir("/proc").expect("/proc");
    let ids = ids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has = |id: &u32| {
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        words.split(|&byte| byte == 0).any(|word| word == argument.as_bytes())
    };
    ids.filter(has).filter_map(Process::find).collect()
}

/// Waits until none of them is running.
///
/// # Panics
/// Where one stays.
pub fn wait_for_end(of: &[Process]) {
    wait::until("all processes have ended", || {
        !of.iter().any(|process| process.is_running())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_family_is_found_and_ends() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 1000 & sleep 1000 & wait"])
            .spawn()
            .expect("a shell");
        wait::until("its children are there", || family(child.id()).len() == 3);
        let all = family(child.id());
        assert_eq!(all[0].id, child.id());
        for process in all.iter().rev() {
            let id = nix::unistd::Pid::from_raw(i32::try_from(process.id).expect("an id"));
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).expect("a process of ours");
        }
        child.wait().expect("a child of ours");
        wait_for_end(&all);
        assert_eq!(family(child.id()), []);
    }
}
