//! A signal reaches the app once, however it was sent.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill, killpg};
use support::pty::NEW_SESSION;
use support::status::field;
use support::{exec, wait};

use crate::bundle::{line, start, start_reading};
use crate::{places, shell};

/// Counts SIGTERM, tells on SIGUSR1 how many there were, and ends.
const COUNTER: &str = "n=0; trap 'n=$((n + 1)); echo term' TERM; trap 'echo $n in all; exit 0' USR1; echo ready; \
                       while :; do sleep 0.02; done";

#[test]
fn one_to_the_group_arrives_once_and_one_to_the_monitor_too() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut command = bundle.command(place, &["-c", COUNTER]);
        let (run, mut printed) = start_reading(command.process_group(0));
        assert_eq!(line(&mut printed), "ready", "{place}");
        for (round, to_group) in [true, false, true].into_iter().enumerate() {
            if to_group {
                killpg(run.pid(), Signal::SIGTERM)
            } else {
                kill(run.pid(), Signal::SIGTERM)
            }
            .unwrap();
            assert_eq!(line(&mut printed), "term", "{place}: round {round}");
            // A second one is lost on a process that has not taken the first, as anywhere.
            wait::until("the monitor has taken it", || !is_pending(run.id(), Signal::SIGTERM));
        }
        // Whatever was sent before has been delivered before this.
        kill(run.pid(), Signal::SIGUSR1).unwrap();
        assert_eq!(line(&mut printed), "3 in all", "{place}");
        assert!(run.wait().success(), "{place}");
    }
}

#[test]
fn one_that_the_app_sends_to_its_group_arrives_once() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let script = COUNTER.replace("echo ready;", "kill -TERM 0; echo ready;");
        let mut command = bundle.command(place, &["-c", &script]);
        let (run, mut printed) = start_reading(command.process_group(0));
        assert_eq!(line(&mut printed), "term", "{place}");
        assert_eq!(line(&mut printed), "ready", "{place}");
        kill(run.pid(), Signal::SIGUSR1).unwrap();
        assert_eq!(line(&mut printed), "1 in all", "{place}");
        assert!(run.wait().success(), "{place}");
    }
}

#[test]
fn a_terminal_that_hangs_up_is_told_to_the_app() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let told = bundle.home().join(format!("hung-up-{}-{}", place.id(), place.rung()));
        // The kernel tells the session's leader alone: the monitor.
        let script = format!(
            "trap 'echo hup > {}; exit 0' HUP; echo ready; while :; do sleep 0.02; done",
            told.display()
        );
        let mut command = bundle.command_behind(place, &NEW_SESSION, &["-c", &script]);
        let pair = exec::changing_files(|| {
            let pair = openpty(None, None).unwrap();
            fcntl(&pair.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
            fcntl(&pair.slave, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
            pair
        });
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        let run = start(command.stdin(end()).stdout(end()).stderr(end()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(pair.slave);
        let mut master = std::io::BufReader::new(File::from(pair.master));
        assert_eq!(line(&mut master), "ready", "{place}");
        drop(master);
        let status = run.wait();
        assert_eq!(status.code(), Some(0), "{place}: {status}");
        assert_eq!(std::fs::read_to_string(&told).unwrap(), "hup\n", "{place}");
    }
}

#[test]
fn the_app_has_the_callers_dispositions_and_mask() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for setting in [
            "true",
            "trap '' PIPE",
            "trap '' HUP",
            "trap '' CHLD INT QUIT",
            "trap '' TERM USR1",
        ] {
            let script = format!("{setting}; exec \"$@\"");
            let prefix = ["sh", "-c", &script, "sh"];
            let inside = exec::run(&mut bundle.command_behind(place, &prefix, &["-c", "exec cat /proc/self/status"]));
            let mut bare = Command::new("sh");
            bare.args(["-c", &script, "sh", "cat", "/proc/self/status"]);
            let (inside, bare) = (inside.success().out(), exec::run(&mut bare).success().out());
            for name in ["SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd"] {
                let of = |status| signals(field(status, name).expect(name));
                assert_eq!(of(&inside), of(&bare), "{place}: {setting}: {name}");
            }
        }
    }
}

fn is_pending(process: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    signals(field(&status, "ShdPnd").unwrap()) & 1 << (signal as i32 - 1) != 0
}

/// A set of signals, without the three that C libraries keep to themselves.
fn signals(set: &str) -> u64 {
    u64::from_str_radix(set, 16).unwrap() & !(0b111 << 31)
}

#[test]
fn a_realtime_signal_arrives_and_kills() {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(bundle) = shell() else { return };
    for place in places() {
        let (run, mut printed) = start_reading(&mut bundle.command(place, &["-c", "echo ready; exec sleep 1000"]));
        assert_eq!(line(&mut printed), "ready", "{place}");
        let mut kill = Command::new("kill");
        let _sent = exec::run(kill.args(["-s", "40", &run.id().to_string()])).success();
        let status = run.wait();
        assert_eq!(status.signal(), Some(40), "{place}: {status}");
    }
}

#[test]
fn before_there_is_an_app_the_user_ends_the_run() {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(bundle) = shell() else { return };
    for place in places() {
        for step in 0..8 {
            let run = start(bundle.command(place, &["-c", "exec sleep 1000"]).stdin(Stdio::null()));
            std::thread::sleep(std::time::Duration::from_micros(400 * step));
            // Before or after: the same end.
            kill(run.pid(), Signal::SIGINT).unwrap();
            let family = support::processes::family(run.id());
            let status = run.wait();
            assert_eq!(
                status.signal(),
                Some(Signal::SIGINT as i32),
                "{place}: {step}: {status}"
            );
            wait::until("all have ended", || !family.iter().any(|process| process.is_running()));
        }
    }
}
