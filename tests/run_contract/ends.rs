//! How a program ends is how its bundle ends.

use nix::sys::signal::Signal;
use support::Place;
use support::requirement::skip;

use crate::{packed_probe, places, shell};

#[test]
fn exit_statuses_are_the_programs() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for code in [0, 1, 2, 42, 121, 125, 126, 127, 128, 137, 255] {
            let ended = bundle.run(place, ["-c", &format!("exit {code}")]).exits(code);
            assert_eq!(
                (ended.out(), ended.err()),
                (String::new(), String::new()),
                "{place}: {code}"
            );
        }
    }
}

#[test]
fn death_by_a_signal_is_death_by_that_signal() {
    let Some(bundle) = packed_probe() else { return };
    let deadly = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGILL,
        Signal::SIGABRT,
        Signal::SIGFPE,
        Signal::SIGKILL,
        Signal::SIGUSR1,
        Signal::SIGSEGV,
        Signal::SIGPIPE,
        Signal::SIGALRM,
        Signal::SIGTERM,
    ];
    for place in places() {
        for signal in deadly {
            let ended = bundle.run(place, ["signal", &(signal as i32).to_string()]);
            assert_eq!(ended.signal(), Some(signal), "{place}: {ended}");
            assert_eq!(ended.err(), "", "{place}: {signal}");
        }
    }
    use std::os::unix::process::ExitStatusExt as _;
    for place in places() {
        // glibc lets the children of posix_spawn(3) ignore 32 and 33.
        for signal in 34..=64 {
            let ended = bundle.run(place, ["signal", &signal.to_string()]);
            assert_eq!(ended.status.signal(), Some(signal), "{place}: {ended}");
        }
    }
    assert!(
        !bundle.work().join("core").exists(),
        "a death that was passed on must not dump the monitor's core"
    );
}

#[test]
fn what_the_program_leaves_running_ends_with_it() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        // With its own streams, so that reading ours to the end does not wait for it.
        let line = "busybox setsid busybox sleep 1000 </dev/null >/dev/null 2>&1 & echo started; exit 5";
        let mut command = bundle.start(place);
        command.args(["-c", line]).stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let child = support::exec::spawn(&mut command);
        let id = child.id();
        let ended = support::exec::finish(support::exec::shown(&command), child).exits(5);
        assert_eq!(ended.out(), "started\n", "{place}");
        assert_eq!(support::processes::family(id), [], "{place}");
    }
}

#[test]
fn orphans_are_reaped() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        // Each subshell's child outlives it and becomes the init's.
        let line = "for i in 1 2 3 4 5 6 7 8; do (busybox sleep 0.1 & ); done; busybox sleep 0.5; \
                    for p in /proc/[0-9]*; do \
                    busybox grep -q 'State:.Z' $p/status 2>/dev/null && echo zombie; done; exit 0";
        let ended = bundle.run(place, ["-c", line]).success();
        assert_eq!(ended.out(), "", "{place}: {ended}");
    }
}

#[test]
fn a_program_whose_interpreter_is_not_there_is_not_found() {
    if skip(&support::roots::BUSYBOX_NEEDS) {
        return;
    }
    let scratch = support::Scratch::new();
    let root = support::roots::busybox(&scratch);
    // Only the working directory decides whether there is one: packing, which looks in the root, finds it.
    let script = scratch.file("busybox/bin/script", "#!bin/sh\necho never\n");
    scratch.permit(&script, 0o755);
    let bundle = support::Bundle::pack(&[], &root, &["/bin/script"]);
    for place in places() {
        let ended = bundle.run(place, [""; 0]).exits(127);
        assert!(
            ended.err().contains("/bin/script") && !ended.err().contains("pack it again"),
            "{place}: does not say what: {ended}"
        );
    }
}

#[test]
fn a_rung_that_cannot_be_had_is_125_and_says_so() {
    let Some(bundle) = shell() else { return };
    for (place, rung) in [
        (Place::UserUnpack, "loop"),
        (Place::UserUnpack, "fuse"),
        (Place::UserUnpack, "nonsense"),
    ] {
        if skip(place.needs()) {
            continue;
        }
        if rung == "fuse" && !support::requirement::is_root() {
            // The place hides /dev/fuse only where the tests may mount over it.
            continue;
        }
        let ended =
            support::exec::run(bundle.start(place).args(["-c", "echo ran"]).env("POLECAT_MOUNT", rung)).exits(125);
        assert_eq!(ended.out(), "", "{rung}: ran all the same");
        assert!(ended.err().contains(rung), "{rung}: {ended}");
    }
}
