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
    /// Its own limit was never reached. Version 1 does not say so.
    within: bool,
}

impl Counts {
    /// Of the cgroup at `path`, of version 2 or 1.
    pub(super) fn read(path: &Path) -> Self {
        let files = ["memory.events", "memory.oom_control"].map(|file| fs::read(path.join(file)).unwrap_or_default());
        Self::parse(&files.concat())
    }

    /// The count of kills is in version 1 since Linux 4.13.
    fn parse(text: &[u8]) -> Self {
        Self {
            kills: contains(text, "oom_kill ") && !contains(text, "oom_kill 0"),
            within: contains(text, "\noom 0\n"),
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
        for (text, kills, within) in [
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\n", true, false),
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 0\n", false, false),
            // Killed for what others took.
            ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n", true, true),
            ("low 0\nhigh 0\nmax 0\noom 10\noom_kill 10\n", true, false),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 10\n", true, false),
            ("oom_kill_disable 1\nunder_oom 1\noom_kill 0\n", false, false),
            // Before Linux 4.13.
            ("oom_kill_disable 1\nunder_oom 0\n", false, false),
            ("", false, false),
        ] {
            assert_eq!(Counts::parse(text.as_bytes()), Counts { kills, within }, "{text}");
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
