//! The trace of `POLECAT_DEBUG`: what was tried, and why it was left.

use std::fmt;

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
            eprintln!("polecat: debug: {line}");
        }
    }
}
