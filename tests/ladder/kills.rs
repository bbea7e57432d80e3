//! Processes that are killed without a chance to clear up.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::processes;
use support::requirement::skip;
use support::wait::until;
use support::{Bundle, Need, Place, Scratch, exec};

use crate::{assert_empty, shell};

const MARK: &str = "54322";

/// By root, whose mounts are in the mount namespace of this test.
fn started(bundle: &Bundle, rung: &str, home: &Path) -> Command {
    let mut command = Place::RootFuse.command(bundle.path());
    command
        .arg(crate::on(rung))
        .env("HOME", home)
        .current_dir(bundle.work());
    command
}

fn running(bundle: &Bundle, rung: &str, home: &Path) -> Child {
    let mut command = started(bundle, rung, home);
    let script = format!("busybox setsid busybox sleep {MARK} & echo ready; busybox sleep {MARK}");
    let command = command.args(["-c", &script]).stdin(Stdio::null());
    let mut child = exec::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    assert_eq!(line, "ready\n", "{rung}");
    until("both sleep", || {
        let sleeping = processes::with_argument(MARK);
        let family = processes::family(child.id());
        family.iter().filter(|process| sleeping.contains(process)).count() == 2
    });
    assert_eq!(is_mounted(home), rung == "fusermount");
    child
}

fn rungs() -> Vec<&'static str> {
    let mut rungs = vec!["disk"];
    if !skip(&[Need::Tool("fusermount3"), Need::Fuse]) {
        rungs.push("fusermount");
    }
    rungs
}

fn nothing_is_left(rung: &str, who: &str, home: &Path) {
    until(&format!("{rung}: {who}: the processes"), || {
        processes::with_argument(MARK).is_empty()
    });
    until(&format!("{rung}: {who}: the files"), || {
        fs::read_dir(home).expect("the home").next().is_none()
    });
    assert_empty(home);
}

#[test]
fn kills_of_one_process() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        for number in 0..3 {
            let scratch = Scratch::new();
            let home = scratch.home();
            let mut child = running(&bundle, rung, &home);
            // Monitor, init, then what they started.
            let family = processes::family(child.id());
            let victim = family[number.min(family.len() - 1)];
            let pid = i32::try_from(victim.id).expect("a process");
            kill(Pid::from_raw(pid), Signal::SIGKILL).expect("a process");
            let status = exec::wait(rung, &mut child);
            assert!(!status.success(), "{rung}, {number}: {status}");
            nothing_is_left(rung, &format!("process {number} of {family:?}"), &home);
        }
    }
}

#[test]
fn a_monitor_that_is_killed_during_the_start_leaves_nothing() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        for step in 0..40 {
            let mut command = started(&bundle, rung, &home);
            let command = command
                .args(["-c", &format!("busybox sleep {MARK}")])
                .stdin(Stdio::null());
            let mut child = exec::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
            std::thread::sleep(Duration::from_micros(250 * step));
            let family = processes::family(child.id());
            child.kill().expect("a process");
            let _killed = exec::wait(rung, &mut child);
            until(&format!("{rung}: {step}: init ends"), || {
                !family.iter().any(|process| process.is_running())
            });
            nothing_is_left(rung, &format!("the monitor, step {step}"), &home);
            assert!(!is_mounted(&home), "{rung}: {step}");
        }
    }
}

/// Kills all processes of a run at once, but those of this name.
fn kill_all_but(child: &Child, spared: &str) {
    for victim in processes::family(child.id()) {
        if victim.name() == spared {
            continue;
        }
        match kill(
            Pid::from_raw(i32::try_from(victim.id).expect("a process")),
            Signal::SIGKILL,
        ) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}

fn is_mounted(home: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
    mounts.contains(home.to_str().expect("text"))
}

#[test]
fn kills_of_all_at_once_leave_what_the_next_start_removes() {
    let Some(bundle) = shell() else { return };
    // fusermount3 takes a mount away that nobody serves, unless it is killed too.
    for (rung, spared) in rungs().into_iter().flat_map(|rung| [(rung, "fusermount3"), (rung, "")]) {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut child = running(&bundle, rung, &home);
        kill_all_but(&child, spared);
        let _killed = exec::wait(rung, &mut child);
        until(&format!("{rung}: the processes"), || {
            processes::with_argument(MARK).is_empty()
        });
        if !spared.is_empty() {
            until(&format!("{rung}: the mount"), || !is_mounted(&home));
        }
        let _ended = exec::run(started(&bundle, "disk", &home).args(["-c", "exit 7"])).exits(7);
        assert_empty(&home);
    }
}

/// What serves the mount, and what takes it away if nobody else can.
#[test]
fn a_mount_without_its_server_or_its_guard_ends_the_run() {
    let Some(bundle) = shell() else { return };
    if !rungs().contains(&"fusermount") {
        return;
    }
    for (victim, told) in [
        (
            "polecat-image",
            "the image server ended before the app did: killed by signal 9\n",
        ),
        ("fusermount3", "fusermount3 ended before the app did\n"),
    ] {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut child = running(&bundle, "fusermount", &home);
        let family = processes::family(child.id());
        let found = family.iter().find(|process| process.name() == victim);
        let id = found.unwrap_or_else(|| panic!("no {victim} in {family:?}")).id;
        kill(Pid::from_raw(i32::try_from(id).expect("a process")), Signal::SIGKILL).expect("a process");
        assert_eq!(exec::wait("fusermount", &mut child).code(), Some(125), "{victim}");
        nothing_is_left("fusermount", victim, &home);
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("its last words");
        assert!(said.ends_with(&format!("polecat: {told}")), "{victim}: {said}");
    }
}
