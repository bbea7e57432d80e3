//! Memory that cannot be had: what ends, and what is said of it.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use support::cgroups::of_process;
use support::requirement::skip;
use support::roots::busybox;
use support::{Need, Place, Polecat, Scratch, exec};

use crate::{SHELL, limited, places, run};

/// Takes 90 MB at once, in the program's own process.
const GREEDY: &str = "exec busybox dd if=/dev/zero of=/dev/null bs=90M count=1";

/// What is said where processes were killed; nothing where the kernel counts none.
fn said(hint: &str) -> String {
    let own = of_process("self", "memory").unwrap_or_default();
    let counts = |file: &str| fs::read_to_string(own.join(file)).is_ok_and(|text| text.contains("oom_kill "));
    // The root of version 2 has no such file, and every kernel that has version 2 counts.
    let first_counts = !own.join("memory.oom_control").exists() || counts("memory.oom_control");
    match first_counts {
        true => {
            format!("polecat: out of memory: the kernel has killed processes of the program (try: {hint})\n")
        }
        false => String::new(),
    }
}

#[test]
fn memory_beyond_the_limit_kills() {
    for place in limited() {
        let bundle = SHELL.get();
        let ended = run(&bundle, place, &["--polecat-memory=32M"], GREEDY);
        assert_eq!(ended.signal(), Some(Signal::SIGKILL), "{place}: {ended}");
        assert_eq!(ended.err(), said("a larger --polecat-memory"), "{place}: {ended}");
        for line in [GREEDY, "kill -9 $$"] {
            let ended = run(&bundle, place, &["--polecat-memory=512M"], line);
            assert_eq!(ended.code() == Some(0), line == GREEDY, "{place}: {ended}");
            assert!(!ended.err().contains("polecat: "), "{place}: {ended}");
        }
        // What the shell survives it tells.
        let line = format!("({GREEDY}); echo $?");
        let ended = run(&bundle, place, &["--polecat-memory", "32M"], &line);
        assert_eq!(ended.code(), Some(0), "{place}: {ended}");
        assert!(ended.out().ends_with("137\n"), "{place}: {ended}");
        assert!(
            ended.err().ends_with(&said("a larger --polecat-memory")),
            "{place}: {ended}"
        );
    }
}

#[test]
fn the_option_is_called_as_the_caller_calls_it() {
    if skip(&[Need::Root, Need::Cgroups, Need::Overlay]) {
        return;
    }
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let words = ["run", "--memory=32M"].map(Path::new);
    let line = ["sh", "-c", GREEDY].map(Path::new);
    let ended = Polecat::new(&scratch).run(words.into_iter().chain([root.as_path()]).chain(line));
    assert_eq!(ended.signal(), Some(Signal::SIGKILL), "{ended}");
    assert_eq!(ended.err(), said("a larger --memory"), "{ended}");
}

#[test]
fn limits_of_memory_that_are_too_low_are_named() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let mut failed = 0;
        for (limit, kilobytes) in [("-d", 256), ("-d", 512), ("-d", 1024), ("-v", 4000), ("-v", 8000)] {
            let line = format!("ulimit {limit} {kilobytes}; exec \"$@\"");
            let mut command = bundle.start_behind(place, &["sh", "-c", &line, "sh"]);
            let ended = exec::run(command.args(["-c", "echo started"]));
            if ended.code() == Some(0) {
                assert_eq!(ended.out(), "started\n", "{place}: {line}: {ended}");
                continue;
            }
            failed += 1;
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {line}: {ended}"
            );
            let told = format!("(ulimit {limit}))\n");
            assert!(ended.err().ends_with(&told), "{place}: {line}: {ended}");
            assert!(
                ended.err().lines().all(|line| line.starts_with("polecat: ")),
                "{place}: {ended}"
            );
        }
        assert_ne!(failed, 0, "{place}: none of them is too low");
    }
}
