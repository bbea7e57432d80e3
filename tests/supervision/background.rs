//! Runs that go on without their caller.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use support::processes::{family, wait_for_end, with_variable};
use support::requirement::skip;
use support::roots::busybox;
use support::{Bundle, Ended, Place, Scratch, exec, wait};

use crate::{places, shell};

/// Starts a line of the packed shell in the background, and waits for the end of the start: of its pipes, too.
fn start(bundle: &Bundle, place: Place, options: &[&str], line: &str) -> Ended {
    let mut command = bundle.start(place);
    exec::run(command.arg("--polecat-background").args(options).args(["-c", line]))
}

fn id_in(file: &Path) -> Pid {
    let text = fs::read_to_string(file).expect("the pid file");
    assert!(text.ends_with('\n'), "{text:?}");
    Pid::from_raw(text.trim_end().parse().expect("a process id"))
}

/// Sends `SIGTERM` to the process in the file, and waits until the whole run has ended.
fn end(file: &Path) {
    let id = id_in(file);
    let all = family(id.as_raw().unsigned_abs());
    kill(id, Signal::SIGTERM).expect("the run");
    wait_for_end(&all);
}

/// Files of a test in the work directory: the log and the pid file.
fn files(bundle: &Bundle, test: &str) -> [PathBuf; 2] {
    [".log", ".pid"].map(|end| bundle.work().join(format!("{test}{end}")))
}

#[test]
fn the_program_goes_on_in_a_session_of_its_own() {
    let Some(bundle) = shell() else { return };
    let [log, pid] = files(&bundle, "goes-on");
    let line = "busybox cat; echo printed; echo and said >&2; trap 'echo ended; exit 0' TERM; \
                while :; do busybox sleep 0.05; done";
    let options = ["--polecat-log=goes-on.log", "--polecat-pid-file", "goes-on.pid"];
    for place in places() {
        fs::write(&log, "before\n").expect("a file");
        fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).expect("a file");
        // The caller's standard input would keep cat waiting.
        let mut command = bundle.start(place);
        command.arg("--polecat-background").args(options).args(["-c", line]);
        let ended = exec::run_with_input(&mut command, b"never read").success();
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()), "{place}");
        let printed = "before\nprinted\nand said\n";
        wait::until("the program prints", || {
            fs::read_to_string(&log).is_ok_and(|text| text == printed)
        });
        let id = id_in(&pid);
        let all = family(id.as_raw().unsigned_abs());
        assert!(all.len() >= 3, "{place}: {all:?}");
        for process in &all {
            let member = Pid::from_raw(i32::try_from(process.id).expect("a process id"));
            match getsid(Some(member)) {
                Ok(session) => assert_eq!(session, id, "{place}: {}", process.name()),
                // A sleep of the loop's that has ended.
                Err(_) => assert!(!process.is_running(), "{place}: {}", process.name()),
            }
        }
        end(&pid);
        assert_eq!(
            fs::read_to_string(&log).expect("the log"),
            format!("{printed}ended\n"),
            "{place}"
        );
        wait::until("the pid file is gone", || !pid.exists());
    }
}

#[test]
fn a_log_is_the_callers_alone() {
    let Some(bundle) = shell() else { return };
    let [log, pid] = files(&bundle, "alone");
    for place in places() {
        let options = ["--polecat-log=alone.log", "--polecat-pid-file=alone.pid"];
        let _started = start(&bundle, place, &options, "umask 0; exec busybox sleep 1000").success();
        assert_eq!(
            fs::metadata(&log).expect("the log").permissions().mode() & 0o777,
            0o600,
            "{place}"
        );
        end(&pid);
        fs::remove_file(&log).expect("the log");
        wait::until("the pid file is gone", || !pid.exists());
    }
}

#[test]
fn a_start_that_fails_is_told() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let script = scratch.file("busybox/bin/script", "#!bin/sh\necho never\n");
    scratch.permit(&script, 0o755);
    let no_interpreter = Bundle::pack(&[], &root, &["/bin/script"]);
    for place in places() {
        let words = [
            "--polecat-background",
            "--polecat-pid-file=failed.pid",
            "--polecat-log=failed.log",
        ];
        let ended = no_interpreter.run(place, words).exits(127);
        assert!(ended.err().contains("/bin/script"), "{place}: {ended}");
        assert!(!no_interpreter.work().join("failed.pid").exists(), "{place}");
        let log = fs::read_to_string(no_interpreter.work().join("failed.log")).expect("the log");
        assert_eq!(log, "", "{place}");
        fs::remove_file(no_interpreter.work().join("failed.log")).expect("the log");
        for (option, told) in [
            ("--polecat-log=/nowhere/log", "/nowhere/log"),
            ("--polecat-pid-file=/nowhere/pid", "/nowhere/pid"),
        ] {
            let ended = start(&bundle, place, &[option], "echo never").exits(125);
            assert!(ended.err().contains(told), "{place}: {ended}");
        }
        let ended = exec::run(bundle.start(place).args(["--polecat-log=x", "-c", "echo never"])).exits(125);
        assert!(
            ended.err().contains("background") && ended.out().is_empty(),
            "{place}: {ended}"
        );
    }
    // No rung holds. Init's word and its end come together: often enough to see the one overtaken by the other.
    let times = if skip(Place::UserUnpack.needs()) || !support::requirement::is_root() {
        0
    } else {
        20
    };
    for _ in 0..times {
        let mut command = bundle.start(Place::UserUnpack);
        command
            .args(["--polecat-background", "-c", "echo never"])
            .env("POLECAT_MOUNT", "fuse");
        let ended = exec::run(&mut command).exits(125);
        assert!(ended.err().contains("fuse"), "{ended}");
    }
}

#[test]
fn a_pid_file_is_for_one_run() {
    let Some(bundle) = shell() else { return };
    let [_, pid] = files(&bundle, "one");
    let option = "--polecat-pid-file=one.pid";
    for place in places() {
        let _started = start(&bundle, place, &[option], "exec busybox sleep 1000").success();
        let ended = start(&bundle, place, &[option], "exec busybox sleep 1000").exits(125);
        assert!(ended.err().contains("one.pid"), "{place}: {ended}");
        // Without a chance to take it away.
        let id = id_in(&pid);
        let all = family(id.as_raw().unsigned_abs());
        kill(id, Signal::SIGKILL).expect("the run");
        wait_for_end(&all);
        assert!(pid.exists(), "{place}");
        // In the foreground it names the process that was started.
        let ended = bundle
            .run(place, [option, "-c", "busybox cat one.pid; exit 4"])
            .exits(4);
        assert_ne!(ended.out(), format!("{id}\n"), "{place}");
        assert!(!pid.exists(), "{place}");
    }
}

#[test]
fn streams_that_the_caller_had_closed_are_there() {
    let Some(bundle) = shell() else { return };
    let [log, _] = files(&bundle, "closed");
    for place in places() {
        let shell = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
        let mut command = bundle.start_behind(place, &shell);
        command.args([
            "--polecat-background",
            "--polecat-log=closed.log",
            "-c",
            "echo one; echo two >&2",
        ]);
        let _started = exec::run(&mut command).success();
        wait::until("it prints", || {
            fs::read_to_string(&log).is_ok_and(|text| text == "one\ntwo\n")
        });
        fs::remove_file(&log).expect("the log");
    }
}

/// A caller that gives up does not leave a run behind. One that does so when it has just been told that the program was executed
/// does, but that moment is hardly ever met.
#[test]
fn a_start_that_is_killed_leaves_nothing() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut left_running = 0;
        for step in 0..16 {
            let value = format!("{}-{step}-{}", std::process::id(), place.rung());
            let mut command = bundle.start(place);
            command.env("POLECAT_TEST_START", &value);
            command.args(["--polecat-background", "-c", "exec busybox sleep 1000"]);
            let mut child = exec::spawn(command.stdin(std::process::Stdio::null()));
            std::thread::sleep(Duration::from_micros(300 * step));
            child.kill().expect("a child of ours");
            let told = exec::wait("the start", &mut child).success();
            let left = || with_variable("POLECAT_TEST_START", &value);
            let deadline = Instant::now() + Duration::from_secs(if told { 0 } else { 5 });
            while !left().is_empty() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            left_running += usize::from(!told && !left().is_empty());
            for process in left() {
                let id = Pid::from_raw(i32::try_from(process.id).expect("a process id"));
                match kill(id, Signal::SIGKILL) {
                    // The end of another may have ended it.
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            wait::until("nobody is left", || left().is_empty());
        }
        assert!(left_running <= 1, "{place}: {left_running} of 16 went on");
    }
}
