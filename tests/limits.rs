//! What a program may use: memory, processes, processors. Judged by the kernel's files of the host, and by what happens at the limit.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::Shared;
use support::cgroups::{made_by, of_process};
use support::place::ORDINARY_USER;
use support::processes::{self, family};
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Ended, Need, Place, Scratch, exec, wait};

#[path = "limits/kills.rs"]
mod kills;
#[path = "limits/memory.rs"]
mod memory;
#[path = "limits/status.rs"]
mod status;

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));

const ROOT: [Place; 3] = [Place::RootLoop, Place::RootFuse, Place::RootUnpack];

fn places(wanted: &[Place]) -> Vec<Place> {
    Place::there(wanted, &BUSYBOX_NEEDS)
}

fn limited() -> Vec<Place> {
    if skip(&[Need::Root, Need::Cgroups]) {
        Vec::new()
    } else {
        places(&ROOT)
    }
}

fn start(bundle: &Bundle, place: Place, options: &[&str], line: &str) -> Command {
    let mut command = bundle.start(place);
    command.args(options).args(["--", "-c", line]);
    command
}

/// Runs, and looks for what is left of it.
fn run(bundle: &Bundle, place: Place, options: &[&str], line: &str) -> Ended {
    let mut command = start(bundle, place, options, line);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = exec::spawn(&mut command);
    let id = child.id();
    let ended = exec::finish(exec::shown(&command), child);
    assert!(made_by(id).is_empty(), "{place}: left behind: {ended}");
    ended
}

/// A run that says `ready` and stays.
fn stay(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = exec::spawn(&mut command);
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut first)
        .expect("a pipe");
    assert_eq!(first, "ready\n");
    child
}

const STAY: &str = "echo ready; busybox sleep 1000; true";

/// The processor time, in microseconds of how many, that a cgroup gives.
fn quota(cgroup: &Path) -> String {
    let read = |name: &str| fs::read_to_string(cgroup.join(name)).ok();
    let both = || {
        Some(format!(
            "{} {}",
            read("cpu.cfs_quota_us")?.trim(),
            read("cpu.cfs_period_us")?.trim()
        ))
    };
    read("cpu.max")
        .map(|text| text.trim().to_owned())
        .or_else(both)
        .expect("a file of the cpu controller")
}

fn first_of(cgroup: &Path, names: &[&str]) -> String {
    let text = names.iter().find_map(|name| fs::read_to_string(cgroup.join(name)).ok());
    text.unwrap_or_else(|| panic!("none of {names:?} in {}", cgroup.display()))
        .trim()
        .to_owned()
}

#[test]
fn processes_beyond_the_limit_are_not_made() {
    let line = "for i in 1 2 3 4 5 6 7 8; do busybox sleep 5 & echo $i; done; kill $(jobs -p); wait";
    for place in limited() {
        let bundle = SHELL.get();
        let ended = run(&bundle, place, &["--polecat-pids=5"], line);
        assert!(ended.out().starts_with("1\n2\n3\n4\n"), "{place}: {ended}");
        assert!(!ended.out().contains("5\n"), "{place}: {ended}");
        assert!(ended.err().contains("fork"), "{place}: {ended}");
        let ended = run(&bundle, place, &["--polecat-pids=50"], line);
        assert!(ended.out().ends_with("8\n"), "{place}: {ended}");
    }
}

#[test]
fn the_kernel_has_the_limits_that_were_asked_for() {
    let options = ["--polecat-memory=64M", "--polecat-pids=9", "--polecat-cpus=1.5"];
    for place in limited() {
        let bundle = SHELL.get();
        let mut child = stay(start(&bundle, place, &options, STAY));
        let family = family(child.id());
        let app = family
            .iter()
            .find(|process| ["sh", "busybox"].contains(&&*process.name()))
            .expect("the program");
        let of_app = |controller| of_process(&app.id.to_string(), controller).expect("a cgroup");
        let memory = first_of(&of_app("memory"), &["memory.max", "memory.limit_in_bytes"]);
        assert_eq!(memory, (64 << 20).to_string(), "{place}");
        assert_eq!(first_of(&of_app("pids"), &["pids.max"]), "9", "{place}");
        assert_eq!(quota(&of_app("cpu")), "150000 100000", "{place}");
        let mine = made_by(child.id());
        assert!(mine.contains(&of_app("memory")), "{place}: {mine:?}");
        // Nobody else is in it: not what keeps the box going. While the shell starts its child that has another name.
        let pids = of_app("pids").join("cgroup.procs");
        wait::until("the program and its child are in it, and nobody else", || {
            let inside = fs::read_to_string(&pids).expect("processes");
            let processes = processes::family(child.id());
            inside.lines().count() == 2
                && processes.iter().all(|process| {
                    let is_app = ["sh", "busybox", "sleep"].contains(&&*process.name()) && process.id != child.id();
                    is_app == inside.lines().any(|line| line == process.id.to_string())
                })
        });
        kill(pid(&child), Signal::SIGTERM).expect("a process");
        let _status = child.wait().expect("an end");
        assert!(made_by(child.id()).is_empty(), "{place}");
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

#[test]
fn a_limit_that_cannot_be_had_stops_the_start() {
    if skip(&[Need::Root]) {
        return;
    }
    for place in places(&[Place::UserFuse, Place::UserUnpack]) {
        let bundle = SHELL.get();
        for option in ["--polecat-memory=1G", "--polecat-pids=50", "--polecat-cpus=1"] {
            let ended = run(&bundle, place, &[option], "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {ended}"
            );
            let told = ended.err();
            assert!(
                told.contains("limit ") && told.contains("limits-optional"),
                "{place}: {ended}"
            );
            let ended = run(&bundle, place, &[option, "--polecat-limits-optional"], "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(0), "started\n"),
                "{place}: {ended}"
            );
        }
    }
}

/// A cgroup that is the ordinary user's. Gone at the end.
struct Delegated(PathBuf);

impl Delegated {
    fn new(controller: &str) -> Self {
        let parent = of_process("self", controller).expect("a cgroup");
        let path = parent.join(format!("polecat-test-delegated-{}", std::process::id()));
        fs::create_dir(&path).expect("a cgroup");
        for name in ["", "cgroup.procs", "tasks", "cgroup.subtree_control"] {
            let file = path.join(name);
            if file.exists() {
                chown(&file, Some(ORDINARY_USER), Some(ORDINARY_USER)).expect("delegation");
            }
        }
        Self(path)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                let _result = fs::remove_dir(entry.path());
            }
        }
        let _result = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_user_limits_where_a_cgroup_is_delegated() {
    // In version 2 the place would be beside this process, and the service manager's to give.
    let is_first = of_process("self", "pids").is_some_and(|own| own.join("tasks").exists());
    if skip(&[Need::Root, Need::Cgroups]) || !is_first {
        return;
    }
    let delegated = Delegated::new("pids");
    let procs = delegated.0.join("cgroup.procs").display().to_string();
    for place in places(&[Place::UserFuse, Place::UserUnpack]) {
        let bundle = SHELL.get();
        // Root moves the process, and it becomes the user afterwards.
        let line = format!("echo $$ > {procs} && exec \"$@\"");
        let inner = bundle.start(place);
        let mut command = Command::new("sh");
        command
            .args(["-c", &line, "sh"])
            .arg(inner.get_program())
            .args(inner.get_args());
        command.args(["--polecat-pids=5", "--", "-c"]);
        command.arg("for i in 1 2 3 4 5 6 7 8; do busybox sleep 5 & echo $i; done; kill $(jobs -p); wait");
        command
            .env("POLECAT_MOUNT", place.rung())
            .env("HOME", bundle.home())
            .current_dir(bundle.work());
        let ended = exec::run(&mut command);
        assert!(
            ended.out().starts_with("1\n2\n3\n4\n") && !ended.out().contains("5\n"),
            "{place}: {ended}"
        );
        let left = fs::read_dir(&delegated.0)
            .expect("a cgroup")
            .flatten()
            .filter(|entry| entry.path().is_dir());
        assert_eq!(left.count(), 0, "{place}");
    }
}

#[test]
fn processors_are_those_that_were_asked_for() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let line = "busybox grep Cpus_allowed_list /proc/self/status";
        let ended = run(&bundle, place, &["--polecat-cpu-mask=0"], line).success();
        assert_eq!(ended.out(), "Cpus_allowed_list:\t0\n", "{place}");
        let ended = run(&bundle, place, &["--polecat-cpu-mask=1000-1023"], line);
        assert_eq!(ended.code(), Some(125), "{place}: {ended}");
        assert!(ended.err().contains("processors"), "{place}: {ended}");
    }
}

#[test]
fn memory_that_is_written_to_has_the_size_that_was_asked_for() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        for (file, size, fits) in [
            ("/tmp/x", "1M", false),
            ("/x", "1M", false),
            ("/tmp/x", "8M", true),
            ("/x", "8M", true),
        ] {
            let option = format!("--polecat-tmp-size={size}");
            let line = format!("busybox dd if=/dev/zero of={file} bs=64k count=48");
            let ended = run(&bundle, place, &[&option], &line);
            assert_eq!(ended.code() == Some(0), fits, "{place}: {file} {size}: {ended}");
        }
    }
}

#[test]
fn amounts_that_mean_nothing_are_refused() {
    for place in places(&[Place::RootUnpack, Place::UserUnpack]) {
        let bundle = SHELL.get();
        for option in [
            "memory=0",
            "memory=1X",
            "cpus=0",
            "cpus=-1",
            "pids=0",
            "cpu-mask=1-0",
            "tmp-size=0",
        ] {
            let ended = run(&bundle, place, &[&format!("--polecat-{option}")], "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {option}: {ended}"
            );
            assert!(ended.err().contains(option), "{place}: {ended}");
        }
    }
}

#[test]
fn own_cgroups_are_all_that_is_seen_where_that_is_asked_for() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let line =
            "busybox cat /proc/self/cgroup; busybox readlink /proc/self/ns/cgroup; busybox readlink /proc/self/ns/time";
        let ended = run(&bundle, place, &["--polecat-unshare=cgroup,time"], line).success();
        let printed = ended.out();
        let (groups, spaces): (Vec<&str>, Vec<&str>) = printed.lines().partition(|line| line.matches(':').count() >= 2);
        assert!(
            !groups.is_empty() && groups.iter().all(|line| line.ends_with(":/")),
            "{place}: {ended}"
        );
        assert_eq!(spaces.len(), 2, "{place}: {ended}");
        for (name, inside) in ["cgroup", "time"].iter().zip(spaces) {
            let outside = fs::read_link(format!("/proc/self/ns/{name}")).expect("a namespace");
            assert_ne!(outside, Path::new(inside), "{place}");
        }
    }
}
