//! A program in tmux: what a person would see on the screen, and what a shell with job control does with it.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::exec::{self, Ended};
use crate::requirement::tool;
use crate::scratch::Scratch;
use crate::wait;

/// A tmux server of our own with one window.
#[derive(Debug)]
pub struct Tmux {
    socket: PathBuf,
    configuration: PathBuf,
    /// Holds the two.
    _scratch: Scratch,
}

impl Tmux {
    /// Runs `command` (a line for `sh -c`) in a window of this size.
    ///
    /// # Panics
    /// Where tmux fails.
    #[must_use]
    pub fn start(command: &str, columns: u16, rows: u16) -> Self {
        let scratch = Scratch::new();
        let configuration = "set -g remain-on-exit on\nset -g default-shell /bin/sh\nset -g status off\n";
        let configuration = scratch.file("tmux.conf", configuration);
        let tmux = Self {
            socket: scratch.join("tmux.socket"),
            configuration,
            _scratch: scratch,
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let started = tmux.run(&["new-session", "-d", "-x", &columns, "-y", &rows, command]);
        let _no_output = started.success();
        tmux
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(tool("tmux"));
        command
            .arg("-S")
            .arg(&self.socket)
            .arg("-f")
            .arg(&self.configuration)
            .args(arguments);
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        exec::run(&mut command)
    }

    /// The screen as text.
    ///
    /// # Panics
    /// Where tmux fails.
    #[must_use]
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"]).success().out()
    }

    /// Waits until the screen is as wanted.
    ///
    /// # Panics
    /// Where it never is.
    pub fn expect(&self, what: &str, mut holds: impl FnMut(&str) -> bool) {
        wait::until_or(what, || holds(&self.screen()), || self.screen());
    }

    /// Presses keys, by tmux's names for them: `q`, `Enter`, `C-z`.
    ///
    /// # Panics
    /// Where tmux fails.
    pub fn press(&self, keys: &[&str]) {
        let _no_output = self.run(&[&["send-keys"], keys].concat()).success();
    }

    /// Types a line and the enter key.
    ///
    /// # Panics
    /// Where tmux fails.
    pub fn type_line(&self, line: &str) {
        let _no_output = self.run(&["send-keys", "-l", line]).success();
        self.press(&["Enter"]);
    }

    /// Changes the size of the window.
    ///
    /// # Panics
    /// Where tmux fails.
    pub fn resize(&self, columns: u16, rows: u16) {
        let resized = self.run(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        let _no_output = resized.success();
    }

    /// Waits for the end of the program and gives its exit status.
    ///
    /// # Panics
    /// Where it does not end, or by a signal.
    #[must_use]
    pub fn end(&self) -> i32 {
        // The end of the terminal may be seen before the end of the program.
        let format = "#{pane_dead},#{pid},#{pane_dead_status},#{pane_dead_signal}";
        let mut how = String::new();
        let mut has_ended = || {
            let said = self.run(&["display-message", "-p", format]).success().out();
            let mut fields = said.trim().splitn(3, ',');
            let (dead, server) = (fields.next(), fields.next());
            how = fields.next().unwrap_or_default().to_owned();
            if let (Some("1"), ",", Some(server)) = (dead, how.as_str(), server.and_then(|id| id.parse().ok())) {
                // tmux 3.3 misses the end of a child now and then, until it is told of another one.
                remind(server);
            }
            how != ","
        };
        wait::until_or("the program in tmux has ended", &mut has_ended, || self.screen());
        let status = how.strip_suffix(',').and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("died of the signal {how}\n{}", self.screen()))
    }
}

/// Has a tmux server look for children that have ended.
fn remind(server: i32) {
    kill(Pid::from_raw(server), Signal::SIGCHLD).unwrap_or_else(|error| panic!("tmux, process {server}: {error}"));
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let ended = self.run(&["kill-server"]);
        if ended.code() != Some(0) {
            eprintln!("tmux: {ended}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::{Need, skip};

    #[test]
    fn a_shell_shows_its_screen_and_its_status() {
        if skip(&[Need::Tool("tmux")]) {
            return;
        }
        let tmux = Tmux::start("echo on the screen; read line; echo got $line; exit 5", 40, 10);
        tmux.expect("its text", |screen| screen.starts_with("on the screen"));
        tmux.type_line("some keys");
        tmux.expect("the answer", |screen| screen.contains("got some keys"));
        assert_eq!(tmux.end(), 5);
    }
}
