//! What has happened in a cgroup.

use std::fs;
use std::path::Path;

use crate::error::contains;

/// Whether the kernel has killed processes in `cgroup` because there was no memory to be had for them: by its limit, or one above it.
pub(super) fn ran_out_of_memory(cgroup: &Path) -> bool {
    // Of version 2, and of version 1.
    let files = ["memory.events", "memory.oom_control"].map(|file| fs::read(cgroup.join(file)).unwrap_or_default());
    files.iter().any(|text| counts_kills(text))
}

/// Whether the count of such kills is there, which it is in version 1 since Linux 4.13, and more than 0.
fn counts_kills(text: &[u8]) -> bool {
    contains(text, "oom_kill ") && !contains(text, "oom_kill 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_count_and_nothing_else() {
        for (text, expected) in [
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\noom_group_kill 1\n", true),
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 0\noom_group_kill 1\n", false),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 10\n", true),
            ("oom_kill_disable 1\nunder_oom 1\noom_kill 0\n", false),
            // Before Linux 4.13.
            ("oom_kill_disable 1\nunder_oom 0\n", false),
            ("", false),
        ] {
            assert_eq!(counts_kills(text.as_bytes()), expected, "{text}");
        }
    }
}
