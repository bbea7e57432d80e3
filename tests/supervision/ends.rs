//! When a run ends, and how that is told.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::Shared;
use support::processes::{family, wait_for_end};
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, TINY_NEEDS, busybox, probe};
use support::{Bundle, Place, Scratch, exec, wait};

use crate::{places, shell};

static STAYING: Shared = Shared::new(|| Bundle::pack(&["--stay"], &busybox(&Scratch::new()), &["/bin/sh"]));

/// Leaves a process of another session running that says so in its own time, and ends.
const LEAVES: &str =
    "busybox mkfifo go; busybox setsid sh -c 'read x <go; echo late >late' </dev/null >/dev/null 2>&1 & exit 5";

#[test]
fn it_stays_until_the_last_has_ended() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut command = bundle.start(place);
        command.args(["--polecat-stay", "-c", LEAVES]).stdin(Stdio::null());
        let mut child = exec::spawn(&mut command);
        // Monitor and init, the shell that was left, and on FUSE the server.
        let number = if matches!(place, Place::RootFuse | Place::UserFuse) {
            4
        } else {
            3
        };
        wait::until("the program has ended", || {
            bundle.work().join("go").exists() && family(child.id()).len() == number
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(
            child.try_wait().expect("a child of ours").is_none(),
            "{place}: did not stay"
        );
        std::fs::write(bundle.work().join("go"), "x\n").expect("a fifo");
        assert_eq!(exec::wait("the bundle", &mut child).code(), Some(5), "{place}");
        let late = std::fs::read_to_string(bundle.work().join("late"));
        assert_eq!(late.expect("what was said last"), "late\n", "{place}");
        for name in ["go", "late"] {
            std::fs::remove_file(bundle.work().join(name)).expect("a file");
        }
    }
}

#[test]
fn the_caller_may_end_what_was_packed_to_stay() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = STAYING.get();
    let line = "busybox sleep 1000 </dev/null >/dev/null 2>&1 & exit 5";
    for place in places() {
        for option in ["--polecat-exit-with-main", "--polecat-stay=no"] {
            let _ended = bundle.run(place, [option, "-c", line]).exits(5);
        }
        let mut child = exec::spawn(bundle.start(place).args(["-c", line]).stdin(Stdio::null()));
        // A signal is for those that are left, and the status is the program's all the same.
        let mut all = Vec::new();
        wait::until("the sleeper alone is left", || {
            all = family(child.id());
            let mut names = all.iter().map(|process| process.name());
            let is_init = |name: &String| name == "polecat-init";
            names.any(|name| name == "busybox" || name == "sleep")
                && !all.iter().any(|it| it.name() == "sh")
                && all.iter().filter(|it| is_init(&it.name())).count() == 1
        });
        let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        kill(id, Signal::SIGTERM).expect("a child of ours");
        assert_eq!(exec::wait("the bundle", &mut child).code(), Some(5), "{place}");
        wait_for_end(&all);
    }
}

#[test]
fn a_death_can_be_told_by_a_status() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = probe(&scratch);
    let (plain, packed) = [&[][..], &["--signal-status"]]
        .map(|options| Bundle::pack(options, &root, &["/bin/probe"]))
        .into();
    for place in places() {
        for signal in [1, 2, 6, 9, 11, 15, 34, 64] {
            let number = signal.to_string();
            let dies = ["signal", &number];
            let told = ["--polecat-signal-status", "signal", &number];
            let not_told = ["--polecat-signal-status=no", "signal", &number];
            let code = 128 + signal;
            assert_eq!(plain.run(place, dies).status.signal(), Some(signal), "{place}");
            assert_eq!(plain.run(place, told).code(), Some(code), "{place}");
            assert_eq!(packed.run(place, dies).code(), Some(code), "{place}");
            assert_eq!(packed.run(place, not_told).status.signal(), Some(signal), "{place}");
        }
    }
}
