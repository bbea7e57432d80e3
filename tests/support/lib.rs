//! What the end-to-end tests share: starting the real binaries as root and as an ordinary user, on every rung, on a
//! terminal and off it.
//!
//! The tests know polecat only by its command line, its exit statuses and its files. `cargo xtask test` gives them what
//! they run on.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod cgroups;
pub mod escapes;
pub mod exec;
pub mod format;
pub mod host;
pub mod manager;
pub mod place;
pub mod polecat;
pub mod processes;
pub mod pty;
pub mod report;
pub mod requirement;
pub mod roots;
pub mod scratch;
pub mod status;
pub mod tmux;
pub mod tracer;
pub mod wait;

pub use bundle::Bundle;
pub use exec::Ended;
pub use place::Place;
pub use polecat::Polecat;
pub use requirement::Need;
pub use scratch::Scratch;

/// Whether to take samples where a test would otherwise go through every byte: `cargo xtask test --quick`.
#[must_use]
pub fn quick() -> bool {
    std::env::var_os("POLECAT_TEST_QUICK").is_some()
}
