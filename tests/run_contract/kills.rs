//! `kill -9` of any process of a run, and of all: nothing stays.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::processes::{Process, family, wait_for_end};
use support::{Bundle, Place, exec, wait};

use crate::{places, shell};

/// A run whose program has a child of its own, up and running.
fn start(bundle: &Bundle, place: Place) -> (Child, Vec<Process>) {
    let mut command = bundle.start(place);
    let line = "busybox sleep 1000 & echo ready; wait";
    command
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = exec::spawn(&mut command);
    let mut printed = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    printed.read_line(&mut first).expect("a pipe");
    assert_eq!(first, "ready\n", "{place}");
    let mut processes = Vec::new();
    wait::until("all processes of the run are there", || {
        processes = family(child.id());
        processes
            .iter()
            .any(|process| process.name() == "busybox" || process.name() == "sleep")
            && processes.len() >= usual_number(place)
    });
    (child, processes)
}

/// Monitor, init, shell, sleep, and on FUSE the server.
const fn usual_number(place: Place) -> usize {
    if matches!(place, Place::RootFuse | Place::UserFuse) {
        5
    } else {
        4
    }
}

fn kill_hard(process: Process) {
    let id = Pid::from_raw(i32::try_from(process.id).expect("a process id"));
    match kill(id, Signal::SIGKILL) {
        // The end of another may just have ended it.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("kill {}: {error}", process.id),
    }
}

/// Waits until no loop device has the bundle and no mount of the host names it.
fn nothing_is_left(bundle: &Path) {
    wait::until("no loop device is left", || !has_loop_device(bundle));
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let own = bundle.parent().expect("a directory").display().to_string();
    assert!(!mounts.contains(&own), "a mount is left: {mounts}");
}

fn has_loop_device(file: &Path) -> bool {
    let devices = fs::read_dir("/sys/block").expect("/sys/block").filter_map(Result::ok);
    let files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files.into_iter().any(|backing| Path::new(backing.trim_end()) == file)
}

#[test]
fn each_process_killed_alone_ends_the_run() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut victim = 0;
        loop {
            let (mut child, processes) = start(&bundle, place);
            let number = processes.len();
            kill_hard(processes[victim]);
            let status = exec::wait("the bundle", &mut child);
            assert!(
                victim == number - 1 || !status.success(),
                "{place}: process {victim} of {number}: {status}"
            );
            wait_for_end(&processes);
            nothing_is_left(bundle.path());
            victim += 1;
            if victim == number {
                break;
            }
        }
    }
}

#[test]
fn all_killed_at_once_leave_nothing() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for order in ["parents first", "children first"] {
            let (mut child, mut processes) = start(&bundle, place);
            if order == "children first" {
                processes.reverse();
            }
            for process in &processes {
                if process.is_running() {
                    kill_hard(*process);
                }
            }
            let status = exec::wait("the bundle", &mut child);
            // With its children gone the program may end well before its turn comes.
            let may_end_well = order == "children first";
            assert!(may_end_well || !status.success(), "{place}: {order}: {status}");
            wait_for_end(&processes);
            nothing_is_left(bundle.path());
        }
    }
}

#[test]
fn killed_at_every_stage_of_its_start() {
    let Some(bundle) = shell() else { return };
    // Cut short after more and more of its start: some die in the stub, some mounting, some in the program.
    let pauses = if support::quick() { 4 } else { 24 };
    for place in places() {
        for step in 0..pauses {
            let mut command = bundle.start(place);
            command
                .args(["-c", "exec busybox sleep 1000"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut child = exec::spawn(&mut command);
            std::thread::sleep(std::time::Duration::from_micros(250 * step));
            let processes = family(child.id());
            child.kill().expect("a child of ours");
            let status = exec::wait("the bundle", &mut child);
            assert_eq!(status.code(), None, "{place}: {status}");
            wait_for_end(&processes);
            nothing_is_left(bundle.path());
        }
    }
}
