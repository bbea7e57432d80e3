//! Running a use of a case in a tree: `fixtures/cases/run-case.sh` in namespaces of its own, with an end to waiting.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::RegexBuilder;
use support::place::ORDINARY_USER;
use support::processes::family;
use support::pty::Terminal;
use support::requirement::tool;
use support::{Polecat, Scratch, exec, roots};

use crate::case::{Case, Use};
use crate::keyboard;

/// After this a use has failed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Rows and columns of the terminals.
const SCREEN: (u16, u16) = (24, 80);

/// Whose namespaces a tree is run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Root: all ids are there inside.
    Root,
    /// An ordinary user, who is root inside.
    User,
}

impl Who {
    /// Words before a command that is to be run as this one. The tests are root.
    pub(crate) fn prefix(self) -> Vec<String> {
        match self {
            Self::Root => Vec::new(),
            Self::User => {
                let (user, group) = (format!("--reuid={ORDINARY_USER}"), format!("--regid={ORDINARY_USER}"));
                ["setpriv", &user, &group, "--clear-groups"].map(str::to_owned).to_vec()
            }
        }
    }

    /// A command for `program`, run as this one, without an environment.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut words: Vec<PathBuf> = self.prefix().into_iter().map(PathBuf::from).collect();
        words.push(program.to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/");
        command
    }
}

/// Makes a tree the ordinary user's.
///
/// # Panics
/// Where that is refused.
pub(crate) fn give_to_user(tree: &Path) {
    let mut chown = Command::new("chown");
    chown
        .args(["-hR", &format!("{ORDINARY_USER}:{ORDINARY_USER}")])
        .arg(tree);
    let _no_output = exec::run(&mut chown).success();
}

/// Where uses are run.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) tree: PathBuf,
    /// An empty directory.
    pub(crate) mount_point: PathBuf,
    pub(crate) who: Who,
}

/// What watches a use, and where it writes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tracer<'path> {
    /// strace(1), with a directory for its files.
    Strace(&'path Path),
    /// `polecat trace`, with the trace.
    Polecat(&'path Path),
}

/// How a use ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// None: it was killed after [`TIMEOUT`].
    status: Option<ExitStatus>,
    /// Standard output and standard error, as they came.
    printed: String,
}

/// Why a use did not pass.
#[derive(Debug)]
pub(crate) struct Failure {
    use_: Use,
    ran: Ran,
    /// What it looked for and did not find, where somebody wants to know.
    pub(crate) missing: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Use { run, status, output } = &self.use_;
        writeln!(f, "    run:      {run}")?;
        writeln!(f, "    expected: exit status: {status}, /{output}/")?;
        match self.ran.status {
            Some(status) => writeln!(f, "    got:      {status}")?,
            None => writeln!(f, "    got:      no end after {} s", TIMEOUT.as_secs())?,
        }
        let lines: Vec<&str> = self.ran.printed.lines().collect();
        for line in &lines[lines.len().saturating_sub(40)..] {
            writeln!(f, "    | {line}")?;
        }
        self.missing
            .iter()
            .try_for_each(|line| writeln!(f, "    missing: {line}"))
    }
}

/// The files that every run needs, in a directory that the ordinary user may read.
#[derive(Debug)]
pub(crate) struct Harness {
    scratch: Scratch,
}

impl Harness {
    /// Copies what is of the harness, and out of the root file system the certificate and key of a server that it may have.
    ///
    /// # Panics
    /// Where a file is missing.
    pub(crate) fn new(rootfs: &Path) -> Self {
        let scratch = Scratch::new();
        let cases = roots::fixtures().join("cases");
        let server = ["etc/ssl/server.crt", "etc/ssl/private/server.key"].map(|file| rootfs.join(file));
        let mut copy = Command::new("cp");
        copy.arg("-R")
            .args([cases.join("inputs"), cases.join("run-case.sh"), tool("busybox")])
            .args(server.iter().filter(|file| file.exists()))
            .arg(scratch.path());
        let _no_output = exec::run(&mut copy).success();
        let key = scratch.join("server.key");
        if key.exists() {
            scratch.permit(&key, 0o644);
        }
        Self { scratch }
    }

    /// Runs a use and judges it.
    pub(crate) fn check(&self, case: &Case, use_: &Use, place: &Place) -> Result<(), Failure> {
        let ran = self.run(case, use_, place, None);
        if ran.status.and_then(|status| status.code()) == Some(use_.status) && matches(&use_.output, &ran.printed) {
            Ok(())
        } else {
            Err(Failure {
                use_: use_.clone(),
                ran,
                missing: Vec::new(),
            })
        }
    }

    /// Runs a use, below a tracer where one is given.
    pub(crate) fn run(&self, case: &Case, use_: &Use, place: &Place, tracer: Option<Tracer>) -> Ran {
        let mut command = self.command(case, use_, place);
        match tracer {
            Some(Tracer::Strace(directory)) => command.arg("strace").arg(directory),
            Some(Tracer::Polecat(trace)) => command.arg(Polecat::executable()).arg(trace),
            None => &mut command,
        };
        match case.keys() {
            Some(keys) => run_on_terminal(&mut command, &keyboard::parse(keys)),
            None => run(&mut command),
        }
    }

    fn command(&self, case: &Case, use_: &Use, place: &Place) -> Command {
        let mut command = place.who.command(Path::new("unshare"));
        if place.who == Who::User {
            command.args(["--user", "--map-root-user"]);
        }
        command
            .args([
                "--mount",
                "--propagation=private",
                "--net",
                "--ipc",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
            ])
            .arg(self.scratch.join("run-case.sh"))
            .args([&place.tree, &place.mount_point])
            .args(["busybox", "inputs", ""].map(|name| self.scratch.join(name)))
            .arg(case.needs.join(" "))
            .arg(&use_.run)
            .stdin(Stdio::null());
        command
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
        .is_match(text)
}

fn run(command: &mut Command) -> Ran {
    let (mut output, input) = std::io::pipe().expect("a pipe");
    command.stdout(input.try_clone().expect("a descriptor")).stderr(input);
    let mut child = exec::spawn(command);
    // The command keeps the pipe's other end; with it open, reading would not end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).expect("a pipe");
        bytes
    });
    let status = wait(&mut child, Instant::now() + TIMEOUT);
    let bytes = reader.join().expect("the reader");
    Ran {
        status,
        printed: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// Waits for the end; at the deadline all is killed.
fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return Some(status);
        }
        if Instant::now() > deadline {
            kill_family(child.id());
            child.wait().expect("a child of ours");
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kills a process and its descendants; with process 1 of its namespace all that is in there ends.
fn kill_family(id: u32) {
    for process in family(id) {
        let id = Pid::from_raw(i32::try_from(process.id).expect("an id"));
        match kill(id, Signal::SIGKILL) {
            // It may have ended by the death of another.
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(error) => panic!("kill: {error}"),
        }
    }
}

fn run_on_terminal(command: &mut Command, keys: &[String]) -> Ran {
    let (rows, columns) = SCREEN;
    let mut terminal = Terminal::start(command, rows, columns);
    let ended = keyboard::type_until_end(&mut terminal, keys, Instant::now() + TIMEOUT);
    if !ended {
        kill_family(terminal.id());
    }
    let (status, text) = terminal.end();
    Ran {
        status: ended.then_some(status),
        printed: keyboard::without_control_sequences(&text),
    }
}
