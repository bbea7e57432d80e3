//! What a shell sees that waits for a bundle: stops and continuations of the app as if they were the monitor's.

use std::os::unix::process::CommandExt as _;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use support::processes::{Process, family};
use support::wait;

use crate::bundle::{Run, line, start_reading};
use crate::{places, shell};

fn next_change(run: &Run) -> WaitStatus {
    waitpid(run.pid(), Some(WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED)).expect("a child of ours")
}

#[test]
fn the_app_stops_itself_and_is_continued() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for signal in [Signal::SIGTSTP, Signal::SIGSTOP, Signal::SIGTTIN, Signal::SIGTTOU] {
            let script = format!("echo ready; kill -{} $$; echo went on; exit 6", signal as i32);
            let (run, mut printed) = start_reading(bundle.command(place, &["-c", &script]).process_group(0));
            assert_eq!(line(&mut printed), "ready", "{place}");
            assert_eq!(next_change(&run), WaitStatus::Stopped(run.pid(), signal), "{place}");
            // As the shell's `fg` does it.
            killpg(run.pid(), Signal::SIGCONT).unwrap();
            assert_eq!(next_change(&run), WaitStatus::Continued(run.pid()), "{place}");
            assert_eq!(line(&mut printed), "went on", "{place}: {signal}");
            assert_eq!(run.wait().code(), Some(6), "{place}: {signal}");
        }
    }
}

#[test]
fn a_stop_that_is_sent_to_the_monitor_stops_both() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let script = "trap 'echo went on; exit 7' CONT; echo ready; while :; do sleep 0.02; done";
        let (run, mut printed) = start_reading(bundle.command(place, &["-c", script]).process_group(0));
        assert_eq!(line(&mut printed), "ready", "{place}");
        kill(run.pid(), Signal::SIGTSTP).unwrap();
        assert_eq!(
            next_change(&run),
            WaitStatus::Stopped(run.pid(), Signal::SIGTSTP),
            "{place}"
        );
        // To the monitor alone: it is handed on.
        kill(run.pid(), Signal::SIGCONT).unwrap();
        assert_eq!(line(&mut printed), "went on", "{place}");
        assert_eq!(run.wait().code(), Some(7), "{place}");
    }
}

#[test]
fn a_group_that_is_stopped_as_a_whole_goes_on_as_a_whole() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let (run, mut printed) = start_reading(
            bundle
                .command(place, &["-c", "echo ready; while :; do echo alive; sleep 0.02; done"])
                .process_group(0),
        );
        assert_eq!(line(&mut printed), "ready", "{place}");
        for _ in 0..5 {
            killpg(run.pid(), Signal::SIGSTOP).unwrap();
            assert_eq!(
                next_change(&run),
                WaitStatus::Stopped(run.pid(), Signal::SIGSTOP),
                "{place}"
            );
            // A process that is being made meanwhile would miss the second signal and stay stopped: Linux keeps the
            // first one for it, and forgets to take it back where the second is ignored.
            // One that had ended before stays as it is, and so does one that waits for a page of the image: who would
            // serve them is stopped too.
            let is_stopped = |process: &Process| matches!(process.state(), Some('T' | 'Z' | 'D'));
            wait::until("all have stopped", || family(run.id()).iter().all(is_stopped));
            killpg(run.pid(), Signal::SIGCONT).unwrap();
            assert_eq!(next_change(&run), WaitStatus::Continued(run.pid()), "{place}");
            // More than what a pipe may hold of before.
            for _ in 0..20 {
                assert_eq!(line(&mut printed), "alive", "{place}");
            }
        }
        killpg(run.pid(), Signal::SIGKILL).unwrap();
        let status = run.wait();
        assert!(!status.success(), "{place}");
    }
}
