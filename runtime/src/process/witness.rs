//! Telling a signal to the monitor alone from one to its whole process group.
//!
//! The app is in the caller's process group, so what a terminal, `kill -- -PGID` or timeout(1) send to the group
//! reaches it without help, and handing on the monitor's copy would deliver it twice. Init is in that group too, has
//! every signal blocked, and so is a witness: what arrived there as well went to the group.

use std::time::{Duration, Instant};

/// The kernel signals a group in one go, so init's copy and the monitor's message about its own come together. What is
/// older went to init alone and says nothing.
const LIFETIME: Duration = Duration::from_secs(1);

/// Signals that arrived at init.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    seen: Vec<(i32, Instant)>,
}

impl Witness {
    /// Init got `signal`.
    pub(crate) fn note(&mut self, signal: i32, now: Instant) {
        self.forget(signal);
        self.seen.push((signal, now));
    }

    /// Whether the `signal` that the monitor speaks of went to the whole group. Each copy is asked about once.
    pub(crate) fn take(&mut self, signal: i32, now: Instant) -> bool {
        self.forget(signal)
            .is_some_and(|seen| now.duration_since(seen) < LIFETIME)
    }

    fn forget(&mut self, signal: i32) -> Option<Instant> {
        let at = self.seen.iter().position(|(seen, _)| *seen == signal)?;
        Some(self.seen.swap_remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_copy_of_the_same_signal_counts_and_only_once() {
        let start = Instant::now();
        let mut witness = Witness::default();
        witness.note(libc::SIGTERM, start);
        assert!(!witness.take(libc::SIGHUP, start));
        assert!(witness.take(libc::SIGTERM, start + LIFETIME / 2));
        assert!(!witness.take(libc::SIGTERM, start + LIFETIME / 2));
        witness.note(libc::SIGTERM, start);
        assert!(!witness.take(libc::SIGTERM, start + LIFETIME));
    }
}
