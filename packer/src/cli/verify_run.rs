//! `polecat pack --verify-run`: runs the bundle as its user would, and says what it lacks.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime::sys::process::end_with_this;
use serde::Serialize;

use super::error::CliError;
use super::output::counted;
use crate::rootfs::{RootPath, Rootfs, printable};
use crate::trace::misses;

/// How much of what the program printed is kept: its last words.
const OUTPUT_MAX: usize = 4096;

/// How often it is looked whether it has ended.
const STEP: Duration = Duration::from_millis(20);

/// How long a program may take to end once it was asked to.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a bundle gives back when it could not start its program: verification failed, or the runtime did.
const NOT_STARTED: [i32; 2] = [121, 125];

/// A run of the finished bundle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifyRun {
    /// None where a signal ended it.
    exit_status: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// Its time was up, and it was ended.
    timed_out: bool,
    /// What it looked for in vain and the root file system has; none where that could not be noted.
    missed: Option<Vec<RootPath>>,
    /// The last that it printed.
    output: String,
}

/// Runs `bundle` with the arguments that it was packed with and nothing on standard input, for so many seconds at most.
pub(super) fn run(bundle: &Path, rootfs: &Rootfs, seconds: u64) -> Result<VerifyRun, CliError> {
    let fault = |source| CliError::VerifyRun {
        path: bundle.to_owned(),
        source,
    };
    // It has no name: nothing stays behind where this process is killed.
    let noted = tempfile::tempfile().map_err(fault)?;
    let noted_path = PathBuf::from(format!("/proc/{}/fd/{}", process::id(), noted.as_raw_fd()));
    let (child, output) = start(bundle, &noted_path).map_err(fault)?;
    let output = thread::spawn(move || last_words(output));
    let (status, timed_out) = wait(child, Duration::from_secs(seconds)).map_err(fault)?;
    let output = output.join().unwrap_or_default();
    let missed = missed(&noted_path, rootfs);
    if let (None, Some(code)) = (&missed, status.code())
        && NOT_STARTED.contains(&code)
    {
        return Err(CliError::NotStarted {
            path: bundle.to_owned(),
            said: output,
        });
    }
    Ok(VerifyRun {
        exit_status: status.code(),
        signal: status.signal(),
        timed_out,
        missed,
        output,
    })
}

/// Its standard output and standard error are the pipe's. It does not outlive this process.
fn start(bundle: &Path, noted: &Path) -> io::Result<(Child, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(std::path::absolute(bundle)?);
    command
        .env("POLECAT_MISSES", noted)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    end_with_this(&mut command);
    Ok((command.spawn()?, reader))
}

fn last_words(mut output: PipeReader) -> String {
    let mut kept = Vec::new();
    let mut part = [0; OUTPUT_MAX];
    while let Ok(length @ 1..) = output.read(&mut part) {
        kept.extend_from_slice(&part[..length]);
        kept.drain(..kept.len().saturating_sub(OUTPUT_MAX));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Waits, and where the time is up ends it: as a user would, then what starts everything in the bundle, then the bundle. Whether it was up.
fn wait(mut child: Child, time: Duration) -> io::Result<(ExitStatus, bool)> {
    if let Some(status) = wait_until(&mut child, time)? {
        return Ok((status, false));
    }
    let bundle = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    // It has not been waited for, so that the number is its own. One that has just ended needs no signal.
    for signal in [Signal::SIGTERM, Signal::SIGCONT] {
        kill(bundle, signal)?;
    }
    if let Some(status) = wait_until(&mut child, PATIENCE)? {
        return Ok((status, true));
    }
    if let Some(init) = init_of(bundle) {
        kill(init, Signal::SIGKILL)?;
        if let Some(status) = wait_until(&mut child, PATIENCE)? {
            return Ok((status, true));
        }
    }
    child.kill()?;
    Ok((child.wait()?, true))
}

fn wait_until(child: &mut Child, time: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + time;
    loop {
        match child.try_wait()? {
            None if Instant::now() < end => thread::sleep(STEP),
            status => return Ok(status),
        }
    }
}

/// The first process in the namespaces of the bundle. When it ends all of them do, and the bundle can say still what it has noted.
fn init_of(bundle: Pid) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{bundle}/task/{bundle}/children")).ok()?;
    let mut children = children.split_whitespace();
    let init = children.find(|child| {
        fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim_end() == "polecat-init")
    })?;
    init.parse().ok().map(Pid::from_raw)
}

/// What the bundle wrote, as far as the root file system has it.
fn missed(noted: &Path, rootfs: &Rootfs) -> Option<Vec<RootPath>> {
    let misses = misses::read(noted).ok()?;
    let paths = misses.paths.iter().chain(&misses.uncertain).map(RootPath::new);
    let paths: BTreeSet<RootPath> = paths.filter(|path| rootfs.lstat(path).is_ok()).collect();
    Some(paths.into_iter().collect())
}

impl VerifyRun {
    /// Whether there is something to mend.
    pub(super) fn is_noteworthy(&self) -> bool {
        let ended_well = self.exit_status == Some(0) || self.timed_out;
        !ended_well || self.missed.as_ref().is_none_or(|missed| !missed.is_empty())
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let end = match (self.timed_out, self.exit_status, self.signal) {
            (true, ..) => "was ended when its time was up".to_owned(),
            (false, Some(status), _) => format!("exit status {status}"),
            (false, None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
        };
        let missed = match self.missed.as_deref() {
            None => "what it looked for in vain could not be noted".to_owned(),
            Some([]) => "it looked for nothing in vain that the root file system has".to_owned(),
            Some(missed) => {
                let paths = counted(missed.len() as u64, "path");
                format!("it looked in vain for {paths} that the root file system has:")
            }
        };
        let mut lines = vec![format!("ran it: {end}; {missed}")];
        let missed = self.missed.as_deref().unwrap_or_default();
        lines.extend(missed.iter().map(|path| format!("  {path}")));
        if !missed.is_empty() {
            lines.push("pack them too: run it with POLECAT_MISSES=FILE, then add --add-misses FILE".to_owned());
        }
        let failed = !self.timed_out && self.exit_status != Some(0);
        if (failed || self.missed.is_none()) && !self.output.is_empty() {
            lines.push("it printed:".to_owned());
            let output = self
                .output
                .lines()
                .map(|line| format!("  {}", printable(line.as_bytes())));
            lines.extend(output);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(status: Option<i32>, timed_out: bool, missed: Option<&[&str]>) -> VerifyRun {
        VerifyRun {
            exit_status: status,
            signal: status.is_none().then_some(15),
            timed_out,
            missed: missed.map(|paths| paths.iter().map(RootPath::new).collect()),
            output: "one\ntwo\u{1b}\n".to_owned(),
        }
    }

    #[test]
    fn told_in_lines() {
        for (run, noteworthy, count, expected) in [
            (
                ran(Some(0), false, Some(&[])),
                false,
                1,
                "exit status 0; it looked for nothing",
            ),
            (
                ran(None, true, Some(&[])),
                false,
                1,
                "its time was up; it looked for nothing",
            ),
            (
                ran(None, false, Some(&[])),
                true,
                4,
                "killed by signal 15; it looked for nothing",
            ),
            (
                ran(Some(0), false, Some(&["/a\n", "/b"])),
                true,
                4,
                "in vain for 2 paths",
            ),
            (
                ran(Some(3), false, Some(&["/a"])),
                true,
                6,
                "exit status 3; it looked in vain for 1 path",
            ),
            (ran(Some(0), false, None), true, 4, "could not be noted"),
        ] {
            let lines = run.lines();
            assert_eq!((run.is_noteworthy(), lines.len()), (noteworthy, count), "{lines:?}");
            assert!(lines[0].contains(expected), "{lines:?}");
            assert!(!lines.concat().contains(char::is_control), "{lines:?}");
        }
    }

    #[test]
    fn last_words_are_the_last() {
        let (reader, mut writer) = io::pipe().unwrap();
        let writing = thread::spawn(move || {
            io::Write::write_all(&mut writer, "x".repeat(100_000).as_bytes()).unwrap();
            io::Write::write_all(&mut writer, b"end").unwrap();
        });
        let words = last_words(reader);
        writing.join().unwrap();
        assert_eq!(words.len(), OUTPUT_MAX);
        assert!(words.ends_with("xend"));
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let spawn = |script: &str| Command::new("sh").args(["-c", script]).spawn().unwrap();
        let (status, timed_out) = wait(spawn("exit 3"), Duration::from_secs(60)).unwrap();
        assert_eq!((status.code(), timed_out), (Some(3), false));
        let (status, timed_out) = wait(spawn("exec sleep 1000"), Duration::from_millis(1)).unwrap();
        assert_eq!((status.signal(), timed_out), (Some(15), true));
    }
}
