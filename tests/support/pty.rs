//! A program on a pseudo-terminal of its own, as its controlling terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::pty::{Winsize, openpty};

use crate::exec;
use crate::processes::Process;
use crate::wait;

/// Put before a program, it makes the terminal on standard input the controlling one; see
/// [`crate::Bundle::start_behind`].
pub const NEW_SESSION: [&str; 2] = ["setsid", "--ctty"];

/// A program on a terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    /// The terminal's own name, for stty(1).
    name: PathBuf,
    printed: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts a command (one that begins with [`NEW_SESSION`]) on a terminal of this size.
    ///
    /// # Panics
    /// Where there is no terminal to be had, or the program cannot be started.
    #[must_use]
    pub fn start(command: &mut Command, rows: u16, columns: u16) -> Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(&size, None).expect("a pseudo-terminal");
        let name = nix::unistd::ttyname(&pair.slave).expect("the name of a pseudo-terminal");
        let end = |from: &OwnedFd| Stdio::from(from.try_clone().expect("a descriptor"));
        command
            .stdin(end(&pair.slave))
            .stdout(end(&pair.slave))
            .stderr(end(&pair.slave));
        let child = exec::spawn(command);
        // The command keeps copies; with them open, the end of the program would not be the end of the terminal.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(pair.slave);
        let master = File::from(pair.master);
        let printed = Arc::new(Mutex::new(Vec::new()));
        let reader = std::thread::spawn({
            let (mut master, printed) = (master.try_clone().expect("a descriptor"), Arc::clone(&printed));
            move || {
                let mut buffer = [0; 4096];
                // The last close of the other end is told as EIO.
                while let Ok(count @ 1..) = master.read(&mut buffer) {
                    printed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(&buffer[..count]);
                }
            }
        });
        Self {
            child,
            master,
            name,
            printed,
            reader: Some(reader),
        }
    }

    /// Process id of the program.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        Process::find(self.child.id()).is_some()
    }

    /// Everything printed so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Types these keys.
    ///
    /// # Panics
    /// Where the terminal is gone.
    pub fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal");
    }

    /// Waits until `text` was printed, at least `times` times.
    ///
    /// # Panics
    /// Where it is not.
    pub fn expect_times(&self, text: &str, times: usize) {
        let holds = || self.text().matches(text).count() >= times;
        wait::until_or(&format!("{text:?} on the terminal"), holds, || self.text());
    }

    /// Waits until `text` was printed.
    ///
    /// # Panics
    /// Where it is not.
    pub fn expect(&self, text: &str) {
        self.expect_times(text, 1);
    }

    /// Changes the size, as a window does that is dragged.
    ///
    /// # Panics
    /// Where stty(1) fails.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut stty = Command::new("stty");
        stty.arg("-F")
            .arg(&self.name)
            .args(["rows", &rows.to_string(), "columns", &columns.to_string()]);
        let _no_output = exec::run(&mut stty).success();
    }

    /// What stty(1) says of the terminal: its modes.
    ///
    /// # Panics
    /// Where stty(1) fails.
    #[must_use]
    pub fn modes(&self) -> String {
        let mut stty = Command::new("stty");
        stty.arg("-F").arg(&self.name).arg("--save");
        exec::run(&mut stty).success().out()
    }

    /// Waits for the end, and gives the status and all that was printed.
    ///
    /// # Panics
    /// Where the program hangs.
    #[must_use]
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = exec::wait("the program on the terminal", &mut self.child);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        (status, self.text())
    }
}

impl Drop for Terminal {
    /// For a test that failed half-way.
    fn drop(&mut self) {
        if self.reader.is_some() {
            match self.child.kill().and_then(|()| self.child.wait()) {
                Ok(_) => {}
                Err(error) => eprintln!("the program on the terminal: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;
    use std::path::Path;

    #[test]
    fn a_shell_has_a_controlling_terminal_of_the_asked_size() {
        let mut command = Place::RootLoop.command_behind(&NEW_SESSION, Path::new("/bin/sh"));
        command.args([
            "-c",
            "echo $(stty size) > /dev/tty; read line; echo got $line; stty size; exit 4",
        ]);
        let mut terminal = Terminal::start(&mut command, 13, 57);
        terminal.expect("13 57");
        terminal.resize(20, 60);
        terminal.send("keys\n");
        let (status, printed) = terminal.end();
        assert_eq!(status.code(), Some(4), "{printed}");
        assert!(printed.contains("got keys") && printed.contains("20 60"), "{printed}");
    }
}
