//! Who is in the foreground of the terminal: tcsetpgrp(3).

use std::fs::File;

use nix::errno::Errno;
use nix::sys::signal;
use nix::unistd::{self, Pid};

/// Whether the caller's process group was in the foreground at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreground {
    ours: bool,
}

/// The controlling terminal.
const TERMINAL: &str = "/dev/tty";

impl Foreground {
    /// Asks the terminal, if there is one.
    pub(crate) fn note(has_terminal: bool) -> Self {
        let ours =
            has_terminal && File::open(TERMINAL).is_ok_and(|tty| unistd::tcgetpgrp(&tty) == Ok(unistd::getpgrp()));
        Self { ours }
    }

    /// Takes the foreground back from a group that is gone: an interactive shell makes one for itself, and inside of
    /// the PID namespace it cannot name the group that it should give the terminal back to.
    ///
    /// `SIGTTOU` must be blocked: this process may be in the background by now.
    pub(crate) fn take_back(self) -> Result<(), Errno> {
        if !self.ours {
            return Ok(());
        }
        let Ok(tty) = File::open(TERMINAL) else { return Ok(()) };
        let ours = unistd::getpgrp();
        match unistd::tcgetpgrp(&tty) {
            Ok(group) if group != ours && is_gone(group) => unistd::tcsetpgrp(&tty, ours),
            // Hung up, or somebody else's by now.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// A group with the number 0 is one of a PID namespace around this one; nothing is known of it.
fn is_gone(group: Pid) -> bool {
    group.as_raw() > 0 && signal::killpg(group, None) == Err(Errno::ESRCH)
}
