//! What is left of the cgroups of a run whose processes are killed: nothing.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::cgroups::made_by;
use support::host::Launcher;
use support::processes::{self, Process, family};
use support::requirement::skip;
use support::status::field;
use support::{Need, Place, wait};

use crate::{SHELL, STAY, limited, pid, places, run, start, stay};

const LIMITS: [&str; 3] = ["--polecat-memory=64M", "--polecat-pids=9", "--polecat-cpus=1.5"];

/// The process that takes cgroups away.
const REMOVER: &str = "polecat-cgroup";

fn signal(process: Process, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(process.id).expect("a process id"));
    kill(id, signal).expect("a process");
}

/// The process of the run that has this name. It gives itself one when it is settled, while the others go on.
fn find(child: &Child, name: &str) -> Process {
    let mut found = None;
    wait::until(&format!("there is {name}"), || {
        found = family(child.id()).into_iter().find(|process| process.name() == name);
        found.is_some()
    });
    found.expect("a process")
}

#[test]
fn a_process_that_is_killed_leaves_no_cgroup() {
    for place in limited() {
        let bundle = SHELL.get();
        for victim in ["the monitor", "polecat-init", "sh", REMOVER] {
            let mut child = stay(start(&bundle, place, &LIMITS, STAY));
            let all = family(child.id());
            assert!(!made_by(child.id()).is_empty(), "{place}: {victim}");
            match victim {
                "the monitor" => kill(pid(&child), Signal::SIGKILL).expect("a process"),
                _ => signal(find(&child, victim), Signal::SIGKILL),
            }
            if victim == REMOVER {
                kill(pid(&child), Signal::SIGTERM).expect("a process");
            }
            let _status = child.wait().expect("an end");
            wait::until_or(
                &format!("{place}: nothing is left when {victim} was killed"),
                || made_by(child.id()).is_empty(),
                || format!("{:?}", made_by(child.id())),
            );
            processes::wait_for_end(&all);
        }
    }
}

#[test]
fn a_group_of_processes_that_is_killed_leaves_no_cgroup() {
    for place in limited() {
        let bundle = SHELL.get();
        let mut command = start(&bundle, place, &LIMITS, STAY);
        command.process_group(0);
        let mut child = stay(command);
        let all = family(child.id());
        nix::sys::signal::killpg(pid(&child), Signal::SIGKILL).expect("a group");
        let _status = child.wait().expect("an end");
        wait::until(&format!("{place}: nothing is left"), || made_by(child.id()).is_empty());
        processes::wait_for_end(&all);
    }
}

/// That a process has nothing open but a pipe.
fn assert_has_a_pipe(place: Place, id: u32) {
    let open = fs::read_dir(format!("/proc/{id}/fd")).expect("a process").flatten();
    let open: Vec<_> = open
        .map(|entry| fs::read_link(entry.path()).expect("a descriptor"))
        .collect();
    assert!(
        open.len() == 1 && open[0].to_string_lossy().starts_with("pipe:"),
        "{place}: {open:?}"
    );
}

#[test]
fn it_keeps_nothing_open_where_the_kernel_cannot_close_ranges() {
    if skip(&[Need::Tool("bash"), Need::Tool("musl-gcc")]) {
        return;
    }
    for place in limited() {
        let bundle = SHELL.get();
        let launcher = Launcher::new(bundle.scratch());
        let launcher = launcher.path().to_str().expect("a path");
        // What was opened before the limit is above it.
        let line = "exec 200</dev/null; ulimit -Sn 100; exec \"$@\"";
        let prefix = ["bash", "-c", line, "bash", launcher, "deny=close_range:ENOSYS"];
        let mut command = bundle.start_behind(place, &prefix);
        command.args(LIMITS).args(["--", "-c", STAY]);
        let mut child = stay(command);
        assert_has_a_pipe(place, find(&child, REMOVER).id);
        kill(pid(&child), Signal::SIGTERM).expect("a process");
        let _status = child.wait().expect("an end");
    }
}

#[test]
fn who_waits_for_that_has_nothing_of_the_callers() {
    for place in limited() {
        let bundle = SHELL.get();
        let mut child = stay(start(&bundle, place, &LIMITS, STAY));
        let remover = find(&child, REMOVER).id;
        let about = |file: &str| fs::read_to_string(format!("/proc/{remover}/{file}")).expect("a process");
        assert_has_a_pipe(place, remover);
        let cwd = fs::read_link(format!("/proc/{remover}/cwd")).expect("a process");
        assert_eq!(cwd, Path::new("/"), "{place}");
        // Behind the name: state, parent, group, session, terminal.
        let stat = about("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
        let own = remover.to_string();
        assert_eq!(fields[2..5], [&own, &own, "0"], "{place}: {stat}");
        // All but KILL and STOP.
        assert_eq!(field(&about("status"), "SigBlk"), Some("fffffffffffbfeff"), "{place}");
        for cgroup in made_by(child.id()) {
            let inside = fs::read_to_string(cgroup.join("cgroup.procs")).expect("processes");
            assert!(!inside.lines().any(|line| line == own), "{place}: {inside}");
        }
        kill(pid(&child), Signal::SIGTERM).expect("a process");
        let _status = child.wait().expect("an end");
        assert!(Process::find(remover).is_none(), "{place}: the monitor reaps it");
    }
    for place in places(&[Place::RootUnpack, Place::UserUnpack]) {
        let bundle = SHELL.get();
        let mut child = stay(start(&bundle, place, &["--polecat-hostname=box"], STAY));
        let names: Vec<String> = family(child.id()).into_iter().map(Process::name).collect();
        assert!(!names.iter().any(|name| name == REMOVER), "{place}: {names:?}");
        kill(pid(&child), Signal::SIGTERM).expect("a process");
        let _status = child.wait().expect("an end");
    }
}

#[test]
fn what_is_left_where_both_were_killed_is_taken_away_by_the_next_start() {
    for place in limited() {
        let bundle = SHELL.get();
        let mut child = stay(start(&bundle, place, &["--polecat-pids=9"], STAY));
        let mut other = stay(start(&bundle, place, &["--polecat-pids=9"], STAY));
        assert_eq!(made_by(child.id()).len(), 1, "{place}");
        // Init first: then nobody is in it, and the start of another test may be the next.
        let killed = ["polecat-init", REMOVER].map(|name| find(&child, name));
        kill(pid(&child), Signal::SIGSTOP).expect("a process");
        for process in killed {
            signal(process, Signal::SIGKILL);
        }
        processes::wait_for_end(&killed);
        assert_eq!(made_by(child.id()).len(), 1, "{place}: the monitor has its lock");
        kill(pid(&child), Signal::SIGKILL).expect("a process");
        let _status = child.wait().expect("an end");
        wait::until("the next start takes it away", || {
            let _ended = run(&bundle, place, &["--polecat-pids=9"], "true").success();
            made_by(child.id()).is_empty()
        });
        assert_eq!(made_by(other.id()).len(), 1, "{place}: one that lives stays");
        kill(pid(&other), Signal::SIGTERM).expect("a process");
        let _status = other.wait().expect("an end");
        assert_eq!(made_by(other.id()).len(), 0, "{place}");
    }
}
