//! The trace of `POLECAT_DEBUG`: what was tried, and why it was left.

use std::fmt;
use std::io::{self, Write as _};

/// Prints on stderr, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trace {
    enabled: bool,
}

impl Trace {
    /// A trace that prints when `enabled`.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self { enabled }
    }

    /// Prints a line.
    pub fn say(self, line: fmt::Arguments<'_>) {
        if self.enabled {
            // In one write(2): other processes of the run print, too.
            match io::stderr().write_all(format!("polecat: debug: {line}\n").as_bytes()) {
                // Who has closed stderr does not want to read it.
                Ok(()) | Err(_) => {}
            }
        }
    }
}
