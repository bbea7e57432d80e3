//! Starting programs, with an end to waiting; and writing files that will be executed.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

/// After this a program hangs. Far above what anything takes on a busy machine.
pub const HANGS: Duration = Duration::from_secs(120);

/// Between fork and exec a child holds copies of all descriptors, and a file that is open for writing anywhere cannot
/// be executed (`ETXTBSY`). So nothing is started while a file is being written.
static STARTING: RwLock<()> = RwLock::new(());

/// Starts a program; never while [`write()`] or [`changing_files`] writes one.
///
/// # Panics
/// Where it cannot be started.
pub fn spawn(command: &mut Command) -> Child {
    let _guard = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", shown(command)))
}

/// Does what opens executables for writing; nothing is started meanwhile.
pub fn changing_files<T>(change: impl FnOnce() -> T) -> T {
    let _guard = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    change()
}

/// Writes a file that may be executed afterwards.
///
/// # Panics
/// Where it cannot be written.
pub fn write(path: &Path, contents: &[u8]) {
    changing_files(|| std::fs::write(path, contents)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Copies a file that may be executed afterwards.
///
/// # Panics
/// Where it cannot be copied.
pub fn copy(from: &Path, to: &Path) {
    changing_files(|| std::fs::copy(from, to)).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
}

/// How a program ended and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// What was run, as it would be typed.
    pub command: String,
    /// As wait(2) says it.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Ended {
    /// Exit status; none after death by a signal.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal it died of.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        self.status.signal().and_then(|number| Signal::try_from(number).ok())
    }

    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Itself, if it ended with status 0.
    ///
    /// # Panics
    /// Otherwise, with all that is known.
    #[must_use = "or it says nothing of the test"]
    pub fn success(self) -> Self {
        self.exits(0)
    }

    /// Itself, if it ended with this status.
    ///
    /// # Panics
    /// Otherwise, with all that is known.
    #[must_use = "or it says nothing of the test"]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (out, err) = (self.out(), self.err());
        write!(
            f,
            "{}\n{}\nstdout: {}\nstderr: {}",
            self.command,
            self.status,
            shortened(&out),
            shortened(&err)
        )
    }
}

/// Enough of a long text to see what it is.
fn shortened(text: &str) -> String {
    const ENOUGH: usize = 4000;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// Runs to the end, without standard input unless the command has one of its own.
///
/// # Panics
/// Where it cannot be started, or hangs.
pub fn run(command: &mut Command) -> Ended {
    command.stdin(Stdio::null());
    run_with(command, &[])
}

/// As [`run`], with `input` on standard input.
///
/// # Panics
/// Where it cannot be started, or hangs.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped());
    run_with(command, input)
}

fn run_with(command: &mut Command, input: &[u8]) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command);
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // Beside the reading: a program may print before it has read all.
        scope.spawn(move || stdin.map(|stdin| feed(stdin, input)));
        finish(shown(command), child)
    })
}

/// A program need not read all that it is given.
fn feed(mut stdin: ChildStdin, input: &[u8]) {
    match stdin.write_all(input) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => panic!("standard input of a child: {error}"),
        _ => {}
    }
}

/// Waits for the end of what [`spawn`] started, and collects what its pipes hold.
///
/// # Panics
/// Where it hangs; it is killed.
pub fn finish(command: String, mut child: Child) -> Ended {
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = wait(&command, &mut child);
    let join = |thread: Option<JoinHandle<Vec<u8>>>| thread.map_or_else(Vec::new, |it| it.join().expect("the reader"));
    Ended {
        command,
        status,
        stdout: join(stdout),
        stderr: join(stderr),
    }
}

/// Waits for the end of a child.
///
/// # Panics
/// Where it hangs; it is killed.
pub fn wait(command: &str, child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + HANGS;
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("a child of ours");
            let status = child.wait().expect("a child of ours");
            panic!("{command}: did not end, was killed ({status})");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe");
        bytes
    })
}

/// A command as it would be typed, its environment left out.
#[must_use]
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
