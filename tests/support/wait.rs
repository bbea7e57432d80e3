//! Waiting for what must happen.

use std::time::{Duration, Instant};

use crate::exec::HANGS;

/// Waits until `holds`.
///
/// # Panics
/// Where it does not happen.
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    until_or(what, holds, String::new);
}

/// Waits until `holds`; where it does not happen, `state` tells what is the case instead.
///
/// # Panics
/// Where it does not happen.
pub fn until_or(what: &str, mut holds: impl FnMut() -> bool, state: impl FnOnce() -> String) {
    let deadline = Instant::now() + HANGS;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}\n{}", state());
        std::thread::sleep(Duration::from_millis(5));
    }
}
