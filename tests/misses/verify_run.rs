//! `polecat pack --verify-run`.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::requirement::skip;
use support::{Ended, Polecat, Scratch, exec, roots};

use super::tree;

/// Packs a shell with a script, and runs it for so long.
fn packed(options: &[&str], variables: &[(&str, &str)], script: &str) -> Option<(Scratch, Ended)> {
    if skip(&roots::BUSYBOX_NEEDS) || skip(&[support::Need::UserNamespaces]) {
        return None;
    }
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let output = scratch.join("x.run");
    let mut words = vec![
        "pack".as_ref(),
        "--level".as_ref(),
        "1".as_ref(),
        "-o".as_ref(),
        output.as_os_str(),
    ];
    words.extend(options.iter().map(std::ffi::OsStr::new));
    words.extend([root.as_os_str(), "sh".as_ref(), "-c".as_ref(), script.as_ref()]);
    let mut command = Polecat::new(&scratch).command(words);
    command.envs(variables.iter().copied());
    let ended = exec::run(&mut command);
    assert!(output.exists(), "{ended}");
    Some((scratch, ended))
}

fn report(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"))
}

#[test]
fn how_it_ended_and_what_it_missed() {
    let script =
        "echo out; echo err >&2; read x || echo no input; test -e /opt/data/a; test -e /opt/link/deep/b; exit 3";
    let Some((_scratch, ended)) = packed(&["--verify-run", "--json"], &[], script) else {
        return;
    };
    let run = report(&ended)["verifyRun"].clone();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(
        (&run["exitStatus"], &run["timedOut"]),
        (&3.into(), &false.into()),
        "{run}"
    );
    let missed = ["/opt/data/a", "/opt/link", "/opt/link/deep/b"];
    assert_eq!(run["missed"], Value::from(missed.to_vec()), "{run}");
    assert_eq!(run["output"], "out\nerr\nno input\n", "{run}");

    let Some((_scratch, ended)) = packed(&["--verify-run"], &[], script) else {
        return;
    };
    let out = ended.success().out();
    for line in [
        "ran it: exit status 3; it looked in vain for 3 paths",
        "  /opt/data/a",
        "  no input",
    ] {
        assert!(out.lines().any(|shown| shown.starts_with(line)), "{line}: {out}");
    }
}

#[test]
fn what_does_not_end_by_itself() {
    for (script, status, signal) in [
        ("test -e /opt/data/a; while :; do busybox sleep 1; done", None, Some(15)),
        (
            "trap 'exit 4' TERM; test -e /opt/data/a; while :; do busybox sleep 0.1; done",
            Some(4),
            None,
        ),
        (
            "trap '' TERM INT HUP; test -e /opt/data/a; while :; do busybox sleep 1; done",
            None,
            Some(9),
        ),
    ] {
        let Some((_scratch, ended)) = packed(&["--verify-run=3", "--json"], &[], script) else {
            return;
        };
        let run = report(&ended)["verifyRun"].clone();
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert_eq!(run["timedOut"], true, "{script}: {run}");
        let end = (run["exitStatus"].as_i64(), run["signal"].as_i64());
        assert_eq!(end, (status, signal), "{script}: {run}");
        assert_eq!(run["missed"], Value::from(vec!["/opt/data/a"]), "{script}: {run}");
    }
}

#[test]
fn what_cannot_be_run_is_packed_and_said() {
    let variables = [("POLECAT_MOUNT", "sideways")];
    let Some((_scratch, ended)) = packed(&["--verify-run", "--json"], &variables, "true") else {
        return;
    };
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(report(&ended)["verifyRun"].is_null(), "{ended}");
    assert!(
        ended.err().contains("does not start here") && ended.err().contains("sideways"),
        "{ended}"
    );
}

#[test]
fn quietly_only_what_asks_for_something_is_told() {
    for (script, told) in [("true", false), ("test -e /opt/data/a; true", true)] {
        let Some((_scratch, ended)) = packed(&["-q", "--verify-run"], &[], script) else {
            return;
        };
        let ended = ended.success();
        assert_eq!(ended.out(), "", "{ended}");
        assert_eq!(ended.err().contains("/opt/data/a"), told, "{ended}");
    }
}

#[test]
fn without_a_set_of_paths_there_is_nothing_to_tell() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let words = [
        "pack".as_ref(),
        "--verify-run".as_ref(),
        "--no-paths".as_ref(),
        root.as_os_str(),
        "sh".as_ref(),
    ];
    let ended = Polecat::new(&scratch).run(words).exits(2);
    assert!(ended.err().contains("--no-paths"), "{ended}");
}

#[test]
fn the_run_ends_with_polecat_and_nothing_stays_behind() {
    if skip(&roots::BUSYBOX_NEEDS) || skip(&[support::Need::UserNamespaces]) {
        return;
    }
    let scratch = Scratch::new();
    let (root, output, temporary) = (tree(&scratch), scratch.join("x.run"), scratch.directory("temporary"));
    let script = "trap '' TERM; while :; do sleep 1; done";
    let words = [
        "pack".as_ref(),
        "-q".as_ref(),
        "--verify-run=600".as_ref(),
        "-o".as_ref(),
        output.as_os_str(),
        root.as_os_str(),
        "sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
    ];
    let mut command = Polecat::new(&scratch).command(words);
    let mut polecat = command
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .spawn()
        .expect("polecat");
    let polecat_id = polecat.id();
    assert!(eventually(|| runs_of(&output, polecat_id) > 0), "it was not started");
    polecat.kill().expect("a child");
    let _status = polecat.wait().expect("a child");
    assert!(eventually(|| runs_of(&output, polecat_id) == 0), "it goes on");
    let left = fs::read_dir(&temporary).expect("a directory").count();
    assert_eq!(left, 0);
}

fn eventually(holds: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

/// How many processes were started as this file, or as its program.
fn runs_of(bundle: &Path, polecat: u32) -> usize {
    let processes = fs::read_dir("/proc").expect("proc(5)").filter_map(Result::ok);
    let is_one = |process: &fs::DirEntry| {
        let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
        process.file_name().to_str() != Some(&polecat.to_string())
            && words.split(|byte| *byte == 0).next() == Some(bundle.as_os_str().as_bytes())
    };
    processes.filter(is_one).count()
}
