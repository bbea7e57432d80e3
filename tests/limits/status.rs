//! What is said of limits and namespaces, and what is required of them.

use std::fs;

use support::requirement::skip;
use support::{Ended, Need, Place};

use crate::{SHELL, limited, places, run};

/// The degree and the reason that the status has for a layer.
fn told(ended: &Ended, layer: &str) -> (String, String) {
    let text = ended.err();
    let start = format!("polecat: status: {layer}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("no {layer}: {ended}"));
    let (degree, reason) = line.split_once(": ").expect("a reason");
    (degree.to_owned(), reason.to_owned())
}

#[test]
fn limits_that_hold_are_told_and_can_be_required() {
    for place in limited() {
        let bundle = SHELL.get();
        let options = [
            "--polecat-memory=64M",
            "--polecat-pids=9",
            "--polecat-cpus=1.5",
            "--polecat-status",
            "--polecat-require=memory,cpus,pids",
        ];
        let ended = run(&bundle, place, &options, "true").success();
        for layer in ["memory", "cpus", "pids"] {
            let (degree, reason) = told(&ended, layer);
            assert_eq!(degree, "full", "{place}: {ended}");
            assert!(reason.starts_with("by /sys/fs/cgroup/"), "{place}: {reason}");
        }
    }
}

#[test]
fn what_is_required_and_not_there_stops_the_start() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let own = [
            "--polecat-net=none",
            "--polecat-unshare=cgroup,time",
            "--polecat-require=net,cgroup,time",
        ];
        let ended = run(
            &bundle,
            place,
            &[&own[..], &["--polecat-status"]].concat(),
            "echo started",
        )
        .success();
        assert_eq!(
            told(&ended, "net"),
            ("full".to_owned(), "its own".to_owned()),
            "{place}"
        );
        for layer in ["net", "cgroup", "time", "memory", "cpus", "pids"] {
            let option = format!("--polecat-require={layer}");
            let ended = run(&bundle, place, &[&option], "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {ended}"
            );
            assert!(
                ended.err().contains(&format!("{layer} is required")),
                "{place}: {ended}"
            );
        }
    }
}

#[test]
fn an_optional_limit_that_cannot_be_had_can_be_required() {
    if skip(&[Need::Root]) {
        return;
    }
    for place in places(&[Place::UserFuse, Place::UserUnpack]) {
        let bundle = SHELL.get();
        let optional = ["--polecat-pids=50", "--polecat-limits-optional", "--polecat-status"];
        let ended = run(&bundle, place, &optional, "true").success();
        let (degree, reason) = told(&ended, "pids");
        assert_eq!(degree, "none", "{place}: {ended}");
        assert!(reason.starts_with("limit pids: "), "{place}: {reason}");
        let ended = run(
            &bundle,
            place,
            &[&optional[..], &["--polecat-require=pids"]].concat(),
            "echo started",
        );
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(125), ""),
            "{place}: {ended}"
        );
    }
}

#[test]
fn a_program_that_is_process_1_is_limited_and_in_its_namespaces() {
    for place in limited() {
        let bundle = SHELL.get();
        let options = [
            "--polecat-as-pid-1",
            "--polecat-pids=5",
            "--polecat-unshare=time",
            "--polecat-net=none",
        ];
        let line =
            "echo $$; busybox readlink /proc/self/ns/time; for i in 1 2 3 4 5 6; do busybox sleep 5 & done; wait";
        let ended = run(&bundle, place, &options, line);
        let outside = fs::read_link("/proc/self/ns/time")
            .expect("a namespace")
            .display()
            .to_string();
        let printed = ended.out();
        assert!(
            printed.starts_with("1\ntime:") && !printed.contains(&outside),
            "{place}: {ended}"
        );
        assert!(ended.err().contains("fork"), "{place}: {ended}");
    }
}
