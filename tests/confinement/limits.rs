//! `--rlimit`, judged by the shell's ulimit and by what happens.

use crate::{NEEDS, Place, Signal, everywhere, line, pack, skip};

#[test]
fn soft_and_hard() {
    everywhere(|place, bundle| {
        for (option, script, expected) in [
            (
                "--polecat-rlimit=nofile=40:50",
                "ulimit -S -n; ulimit -H -n",
                "40\n50\n",
            ),
            ("--polecat-rlimit=nofile=40", "ulimit -S -n; ulimit -H -n", "40\n40\n"),
            ("--polecat-rlimit=core=0", "ulimit -S -c; ulimit -H -c", "0\n0\n"),
            ("--polecat-rlimit=cpu=7:unlimited", "ulimit -S -t", "7\n"),
            (
                "--polecat-rlimit=stack=1024000:2048000",
                "ulimit -S -s; ulimit -H -s",
                "1000\n2000\n",
            ),
        ] {
            let ended = line(bundle, place, &[option], script).success();
            assert_eq!(ended.out(), expected, "{place}: {option}");
        }
        let ended = line(
            bundle,
            place,
            &["--polecat-rlimit=fsize=0"],
            "echo x > /tmp/x; echo never",
        );
        let killed = ended.signal() == Some(Signal::SIGXFSZ);
        assert!(killed || ended.err().contains("File too large"), "{place}: {ended}");
    });
}

/// The limit is there to be kept, not to be reached: who may not raise it gets what there is.
#[test]
fn no_more_than_the_caller_may() {
    everywhere(|place, bundle| {
        if !place.is_user() {
            return;
        }
        let mut command = bundle.start_behind(place, &["sh", "-c", "ulimit -n 60; exec \"$@\"", "sh"]);
        command.args([
            "--polecat-rlimit=nofile=50:70",
            "--polecat-status",
            "-c",
            "ulimit -S -n; ulimit -H -n",
        ]);
        let ended = crate::exec::run(&mut command).success();
        assert_eq!(ended.out(), "50\n60\n", "{place}: {ended}");
        let told = "rlimits: partial: the caller's own limits are lower than what was asked for: nofile=50:60";
        assert!(ended.err().contains(told), "{place}: {ended}");
        let mut command = bundle.start_behind(place, &["sh", "-c", "ulimit -n 60; exec \"$@\"", "sh"]);
        command.args([
            "--polecat-rlimit=nofile=50:70",
            "--polecat-require=rlimits",
            "-c",
            "echo started",
        ]);
        let ended = crate::exec::run(&mut command).exits(125);
        assert_eq!(ended.out(), "", "{place}: {ended}");
    });
}

#[test]
fn packed_ones_hold_and_the_last_of_a_kind_counts() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = pack(&["--rlimit", "nofile=40:50", "--rlimit", "core=0"]);
    for place in Place::BOTH_USERS {
        if skip(place.needs()) {
            continue;
        }
        let script = "ulimit -S -n; ulimit -S -c";
        assert_eq!(line(&bundle, place, &[], script).success().out(), "40\n0\n", "{place}");
        let options = ["--polecat-rlimit=nofile=20", "--polecat-rlimit", "nofile=30"];
        assert_eq!(
            line(&bundle, place, &options, script).success().out(),
            "30\n0\n",
            "{place}"
        );
    }
}

#[test]
fn words_that_mean_nothing() {
    everywhere(|place, bundle| {
        for option in ["nofile", "nofile=x", "nofile=2:1", "files=1", "nofile=-1", ""] {
            let option = format!("--polecat-rlimit={option}");
            let ended = line(bundle, place, &[&option], "echo started").exits(125);
            assert!(ended.err().contains("expected TYPE=SOFT[:HARD]"), "{place}: {ended}");
        }
    });
}
