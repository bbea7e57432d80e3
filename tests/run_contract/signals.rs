//! Signals that someone sends to the bundle reach the program.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::processes::Process;
use support::{Bundle, Place, exec, wait};

use crate::{packed_probe, places, shell};

/// Starts a line in the packed shell and waits for its first word, "ready".
fn start(bundle: &Bundle, place: Place, line: &str) -> (Child, BufReader<ChildStdout>) {
    let mut command = bundle.start(place);
    command
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        // Nothing stops in an orphaned group, which that of the tests may be.
        .process_group(0);
    let mut child = exec::spawn(&mut command);
    let mut printed = BufReader::new(child.stdout.take().expect("a pipe"));
    assert_eq!(line_of(&mut printed), "ready", "{place}");
    (child, printed)
}

fn line_of(from: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a pipe");
    line.trim_end().to_owned()
}

fn send(child: &Child, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(id, signal).unwrap_or_else(|error| panic!("{signal}: {error}"));
}

#[test]
fn every_signal_that_can_be_caught_is_passed_on() {
    let Some(bundle) = shell() else { return };
    let signals = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGWINCH,
        Signal::SIGURG,
        Signal::SIGIO,
    ];
    for place in places() {
        for signal in signals {
            let number = signal as i32;
            let line =
                format!("trap 'echo got {number}; exit 7' {number}; echo ready; while :; do busybox sleep 0.05; done");
            let (mut child, mut printed) = start(&bundle, place, &line);
            send(&child, signal);
            assert_eq!(line_of(&mut printed), format!("got {number}"), "{place}: {signal}");
            assert_eq!(exec::wait("the shell", &mut child).code(), Some(7), "{place}: {signal}");
        }
    }
}

/// All that there are, but for those that nobody can catch, and `SIGCHLD`, which the kernel sends the bundle for its own children.
/// 32 to 34 are what one C library or another keeps for itself: 34 is the first real-time signal of the most common.
fn catchable() -> impl Iterator<Item = i32> {
    let out = [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGCHLD].map(|signal| signal as i32);
    (1..=64).filter(move |signal| !out.contains(signal))
}

/// nix knows no real-time signals.
fn send_number(child: &Child, signal: i32) {
    let mut kill = std::process::Command::new("kill");
    let _silent = exec::run(kill.args([format!("-{signal}"), child.id().to_string()])).success();
}

#[test]
fn every_signal_there_is_reaches_a_program_that_waits_for_it() {
    let Some(bundle) = packed_probe() else { return };
    for place in places() {
        for signal in catchable() {
            let mut command = bundle.start(place);
            command
                .args(["await", &signal.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped());
            let mut child = exec::spawn(command.process_group(0));
            let mut printed = BufReader::new(child.stdout.take().expect("a pipe"));
            assert_eq!(line_of(&mut printed), "ready", "{place}");
            send_number(&child, signal);
            assert_eq!(line_of(&mut printed), signal.to_string(), "{place}");
            assert_eq!(exec::wait("the probe", &mut child).code(), Some(0), "{place}: {signal}");
        }
    }
}

/// Real-time signals wait in a queue, signal(7): each is one.
#[test]
fn real_time_signals_are_counted() {
    let Some(bundle) = packed_probe() else { return };
    for place in places() {
        let mut command = bundle.start(place);
        command
            .args(["await", "15"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = exec::spawn(command.process_group(0));
        let mut printed = BufReader::new(child.stdout.take().expect("a pipe"));
        assert_eq!(line_of(&mut printed), "ready", "{place}");
        for _ in 0..5 {
            send_number(&child, 40);
        }
        for _ in 0..5 {
            assert_eq!(line_of(&mut printed), "40", "{place}");
        }
        send(&child, Signal::SIGTERM);
        assert_eq!(line_of(&mut printed), "15", "{place}");
        assert_eq!(exec::wait("the probe", &mut child).code(), Some(0), "{place}");
    }
}

#[test]
fn a_signal_that_is_not_caught_ends_both() {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(bundle) = shell() else { return };
    for place in places() {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
            let (mut child, _printed) = start(&bundle, place, "echo ready; exec busybox sleep 1000");
            send(&child, signal);
            let status = exec::wait("the shell", &mut child);
            assert_eq!(status.signal(), Some(signal as i32), "{place}: {signal}: {status}");
        }
    }
}

#[test]
fn ignored_signals_stay_ignored() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let line = "trap '' TERM; echo ready; busybox sleep 0.3; echo still here";
        let (mut child, mut printed) = start(&bundle, place, line);
        send(&child, Signal::SIGTERM);
        assert_eq!(line_of(&mut printed), "still here", "{place}");
        assert_eq!(exec::wait("the shell", &mut child).code(), Some(0), "{place}");
    }
}

#[test]
fn what_the_caller_ignores_the_program_ignores() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut command = bundle.start_behind(place, &["sh", "-c", "trap '' USR1; exec \"$@\"", "sh"]);
        let ended = exec::run(command.args(["-c", "kill -USR1 $$; echo alive"])).success();
        assert_eq!(ended.out(), "alive\n", "{place}");
    }
}

#[test]
fn blocked_and_ignored_signals_are_those_of_the_caller() {
    let Some(bundle) = shell() else { return };
    let busybox = support::requirement::tool("busybox");
    for place in places() {
        let bare = exec::run(place.command(&busybox).args(["cat", "/proc/self/status"]))
            .success()
            .out();
        let packed = bundle
            .run(place, ["-c", "trap - QUIT; exec busybox cat /proc/self/status"])
            .success()
            .out();
        for name in ["SigBlk", "SigIgn"] {
            assert_eq!(
                support::status::field(&packed, name),
                support::status::field(&bare, name),
                "{place}: {name}"
            );
        }
    }
}

#[test]
fn stop_and_continue() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let line = "trap 'echo continued' CONT; echo ready; while :; do busybox sleep 0.05; done";
        let (mut child, mut printed) = start(&bundle, place, line);
        let own = Process::find(child.id()).expect("the bundle");
        send(&child, Signal::SIGTSTP);
        wait::until("the bundle is stopped", || own.state() == Some('T'));
        send(&child, Signal::SIGCONT);
        assert_eq!(line_of(&mut printed), "continued", "{place}");
        wait::until("the bundle goes on", || own.state() != Some('T'));
        send(&child, Signal::SIGTERM);
        let status = exec::wait("the shell", &mut child);
        assert_eq!(status.code(), None, "{place}: {status}");
    }
}
