//! The program as process 1, without an init.

use std::io::BufReader;
use std::process::{Child, ChildStdout, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::Shared;
use support::processes::{Process, family, wait_for_end};
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, TINY_NEEDS, busybox, compile};
use support::status::field;
use support::{Bundle, Place, Scratch, exec, wait};

use crate::{places, shell};

static PACKED: Shared = Shared::new(|| Bundle::pack(&["--as-pid-1"], &busybox(&Scratch::new()), &["/bin/sh"]));

const OPTION: &str = "--polecat-as-pid-1";

fn start(bundle: &Bundle, place: Place, line: &str) -> (Child, BufReader<ChildStdout>) {
    let mut command = bundle.start(place);
    command
        .args([OPTION, "-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = exec::spawn(&mut command);
    let mut printed = BufReader::new(child.stdout.take().expect("a pipe"));
    assert_eq!(line_of(&mut printed), "ready", "{place}");
    (child, printed)
}

fn line_of(from: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a pipe");
    line.trim_end().to_owned()
}

fn send(child: &Child, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(id, signal).expect("a child of ours");
}

#[test]
fn the_program_is_process_1_and_alone() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let (plain, packed) = (shell().expect("a shell"), PACKED.get());
    let line = "echo $$; for p in /proc/[0-9]*; do echo ${p#/proc/}; done; busybox id -u; exit 7";
    for place in places() {
        let expected = format!("1\n1\n{}\n", place.id());
        assert_eq!(
            plain.run(place, [OPTION, "-c", line]).exits(7).out(),
            expected,
            "{place}"
        );
        assert_eq!(packed.run(place, ["-c", line]).exits(7).out(), expected, "{place}");
        let not = packed.run(place, ["--polecat-as-pid-1=no", "-c", "echo $$"]).success();
        assert_eq!(not.out(), "2\n", "{place}");
    }
}

/// pid_namespaces(7): only signals with a handler reach process 1, and the caller's come from outside of its namespace.
#[test]
fn signals_that_it_handles_reach_it_and_no_others() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let line = "trap 'echo got USR1' USR1; trap 'exit 3' HUP; echo ready; while :; do busybox sleep 0.05; done";
        let (mut child, mut printed) = start(&bundle, place, line);
        send(&child, Signal::SIGTERM);
        send(&child, Signal::SIGUSR1);
        assert_eq!(line_of(&mut printed), "got USR1", "{place}");
        send(&child, Signal::SIGHUP);
        assert_eq!(exec::wait("the shell", &mut child).code(), Some(3), "{place}");
    }
}

#[test]
fn orphans_are_its_own_to_reap() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        // Its parent ends at once, and who it is left to never waits.
        let line = "(busybox sleep 0.1 & ); echo ready; exec busybox sleep 1000";
        let (mut child, _printed) = start(&bundle, place, line);
        wait::until("a zombie is left to the program", || {
            family(child.id()).iter().any(|process| {
                let (id, name) = (process.id, process.name());
                let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
                let is_zombie = |child: &str| {
                    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
                    field(&status, "State").is_some_and(|state| state.starts_with('Z'))
                };
                matches!(name.as_str(), "busybox" | "sleep") && children.split_whitespace().any(is_zombie)
            })
        });
        child.kill().expect("a child of ours");
        let _status = exec::wait("the bundle", &mut child);
    }
}

#[test]
fn what_fails_is_told_as_ever() {
    let Some(bundle) = shell() else { return };
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let script = scratch.file("busybox/bin/script", "#!bin/sh\necho never\n");
    scratch.permit(&script, 0o755);
    let no_interpreter = Bundle::pack(&[], &root, &["/bin/script"]);
    for place in places() {
        let ended = no_interpreter.run(place, [OPTION]).exits(127);
        assert!(ended.err().contains("/bin/script"), "{place}: {ended}");
        let mut command = bundle.start(place);
        command
            .args([OPTION, "-c", "echo never"])
            .env("POLECAT_MOUNT", "nonsense");
        assert_eq!(exec::run(&mut command).exits(125).out(), "", "{place}");
    }
}

#[test]
fn nobody_is_left_whoever_is_killed() {
    if skip(&BUSYBOX_NEEDS) || skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    compile("probe.c", &root.join("bin/probe"));
    let bundle = Bundle::pack(&["--also", "/bin/probe"], &root, &["/bin/sh"]);
    for place in places() {
        let mut victim = 0;
        loop {
            // Root's becomes another user, by which the kernel forgets a parent-death signal, prctl(2).
            let step = if place.is_user() {
                ""
            } else {
                "/bin/probe become 65533 "
            };
            let line = format!("echo ready; exec {step}/bin/sh -c 'busybox sleep 1000 & wait'");
            let (mut child, _printed) = start(&bundle, place, &line);
            let mut all = Vec::new();
            wait::until("all are there", || {
                all = family(child.id());
                all.iter()
                    .any(|process| process.name() == "busybox" || process.name() == "sleep")
            });
            kill_hard(all[victim]);
            let _status = exec::wait("the bundle", &mut child);
            wait_for_end(&all);
            victim += 1;
            if victim == all.len() {
                break;
            }
        }
    }
}

fn kill_hard(process: Process) {
    let id = Pid::from_raw(i32::try_from(process.id).expect("a process id"));
    kill(id, Signal::SIGKILL).expect("a process of ours");
}

#[test]
fn a_service_of_its_own_is_watched_over() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let line = "export LISTEN_PID=$$ LISTEN_FDS=0; exec \"$@\"";
        let mut command = bundle.start_behind(place, &["sh", "-c", line, "sh"]);
        let ended = exec::run(command.args([OPTION, "-c", "echo $LISTEN_PID"])).success();
        assert_eq!(ended.out(), "1\n", "{place}");
    }
}
