//! A bar on the terminal while something long is done; nothing elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{msg} [{bar:40}] {decimal_bytes} of {decimal_total_bytes}, {eta} left";

/// A bar that goes away when it is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for `total` bytes of doing `what`; none when nobody wants it or standard error is no terminal.
    pub(super) fn new(what: &'static str, total: u64, wanted: bool) -> Self {
        if !wanted || !stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        // The template is constant; the bar's own style would do as well.
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(
            ProgressBar::new(total)
                .with_style(style.progress_chars("=> "))
                .with_message(what),
        )
    }

    /// So many bytes more are done.
    pub(super) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// So many bytes are done.
    pub(super) fn set(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
