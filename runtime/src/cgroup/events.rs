//! What has happened in a cgroup.

use std::fs;
use std::path::Path;

use crate::error::contains;

/// The kernel has killed for want of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Of that which was asked for.
    OwnLimit,
    /// Of what a cgroup above leaves, or the machine.
    Enclosing,
}

/// What the kernel counts of a cgroup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Processes of it were killed: for its limit, one above, or the machine.
    kills: bool,
    /// Its own limit was never reached.
    within: bool,
}

impl Counts {
    /// Of the cgroup at `path`, of version 2 or 1.
    pub(super) fn read(path: &Path) -> Self {
        let read = |file: &str| fs::read(path.join(file)).unwrap_or_default();
        let events = [read("memory.events"), read("memory.oom_control")].concat();
        let failures = [read("memory.failcnt"), read("memory.memsw.failcnt")].concat();
        Self::parse(&events, &failures)
    }

    /// The count of kills is in version 1 since Linux 4.13. How often a limit was reached is in files of its own there: a number each.
    fn parse(events: &[u8], failures: &[u8]) -> Self {
        let none_failed = !failures.is_empty() && failures.iter().all(|byte| b"0\n".contains(byte));
        Self {
            kills: contains(events, "oom_kill ") && !contains(events, "oom_kill 0"),
            within: contains(events, "\noom 0\n") || none_failed,
        }
    }
}

/// Which memory was short, if some was, in a cgroup with the limit `set` where `asked` was asked for.
pub(super) fn shortage(asked: Option<u64>, set: Option<u64>, counts: Counts) -> Option<Shortage> {
    let is_own = asked.is_some() && asked == set && !counts.within;
    counts.kills.then_some(match is_own {
        true => Shortage::OwnLimit,
        false => Shortage::Enclosing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_count_and_whose_limit_it_was() {
        for (events, failures, kills, within) in [
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\n", "", true, false),
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 0\n", "", false, false),
            // Killed for what others took.
            ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n", "", true, true),
            ("low 0\nhigh 0\nmax 0\noom 10\noom_kill 10\n", "", true, false),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 10\n", "7\n", true, false),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 10\n", "0\n", true, true),
            // Memory together with swap space was short.
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 10\n", "0\n20\n", true, false),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "0\n0\n", true, true),
            ("oom_kill_disable 1\nunder_oom 1\noom_kill 0\n", "10\n", false, false),
            // Before Linux 4.13.
            ("oom_kill_disable 1\nunder_oom 0\n", "1\n", false, false),
            ("", "", false, false),
        ] {
            let counts = Counts::parse(events.as_bytes(), failures.as_bytes());
            assert_eq!(counts, Counts { kills, within }, "{events} {failures}");
        }
    }

    #[test]
    fn a_larger_limit_helps_only_where_it_was_the_limit() {
        let (own, above) = (Some(Shortage::OwnLimit), Some(Shortage::Enclosing));
        for (asked, set, kills, within, expected) in [
            (Some(9), Some(9), true, false, own),
            // A cgroup above, or the machine, had no more.
            (Some(9), Some(9), true, true, above),
            // The limit of the cgroup that was left, which was stricter, or the only one.
            (Some(9), Some(7), true, false, above),
            (None, Some(7), true, false, above),
            (None, Some(7), true, true, above),
            (None, None, true, false, above),
            (Some(9), Some(9), false, false, None),
            (None, Some(7), false, true, None),
        ] {
            let counts = Counts { kills, within };
            assert_eq!(shortage(asked, set, counts), expected, "{asked:?} {set:?} {counts:?}");
        }
    }
}
