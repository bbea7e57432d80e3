//! Several programs in one file: by the name that it is called by, and by `--polecat-entry`.

#![forbid(unsafe_code)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Ended, Need, Place, Polecat, Scratch, exec};

const BUSYBOX: &str = "/bin/busybox";

fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}

/// A shell, and three applets of busybox that look at their `argv[0]`.
fn packed() -> Option<Bundle> {
    if skip(&BUSYBOX_NEEDS) {
        return None;
    }
    let entries = ["echo", "false", "odd name", "[x"].map(|name| format!("{name}={BUSYBOX}"));
    let options: Vec<&str> = entries.iter().flat_map(|entry| ["--as", entry]).collect();
    Some(Bundle::pack(
        &options,
        &busybox(&Scratch::new()),
        &["/bin/sh", "-c", "echo the command: $*", "sh"],
    ))
}

fn called(bundle: &Bundle, place: Place, file: &Path, arguments: &[&str]) -> Ended {
    let mut command: Command = place.command(file);
    command.current_dir(bundle.work()).env("HOME", bundle.home());
    exec::run(command.args(arguments))
}

fn linked(bundle: &Bundle, name: &str) -> PathBuf {
    let link = bundle.scratch().directory("links").join(name);
    if !link.is_symlink() {
        symlink(bundle.path(), &link).expect("a link");
    }
    link
}

#[test]
fn the_name_of_the_file_chooses() {
    let Some(bundle) = packed() else { return };
    let copy = bundle.scratch().directory("copies").join("false");
    exec::copy(bundle.path(), &copy);
    for place in places() {
        let ended = called(&bundle, place, &linked(&bundle, "echo"), &["a", "--polecat", "b"]).success();
        assert_eq!(ended.out(), "a --polecat b\n", "{place}");
        assert_eq!(called(&bundle, place, &copy, &[]).code(), Some(1), "{place}");
        // Neither part of a name nor a path with one in it.
        for name in ["program.run", "ech", "echo.run", "Echo", "sh", "\u{fc}"] {
            let ended = called(&bundle, place, &linked(&bundle, name), &["x"]).success();
            assert_eq!(ended.out(), "the command: x\n", "{place}: {name}");
        }
        let inside = bundle.scratch().directory("echo").join("other");
        if !inside.is_symlink() {
            symlink(bundle.path(), &inside).expect("a link");
        }
        assert_eq!(
            called(&bundle, place, &inside, &[]).success().out(),
            "the command:\n",
            "{place}"
        );
    }
}

#[test]
fn an_argument_chooses() {
    let Some(bundle) = packed() else { return };
    for place in places() {
        let ended = bundle
            .run(place, ["--polecat-entry", "echo", "--", "--polecat-help", "x"])
            .success();
        assert_eq!(ended.out(), "--polecat-help x\n", "{place}");
        // Over the name of the file.
        let ended = called(&bundle, place, &linked(&bundle, "echo"), &["--polecat-entry", "false"]);
        assert_eq!(ended.code(), Some(1), "{place}: {ended}");
        // The command has a name too.
        let ended = called(
            &bundle,
            place,
            &linked(&bundle, "echo"),
            &["--polecat-entry", "sh", "y"],
        )
        .success();
        assert_eq!(ended.out(), "the command: y\n", "{place}");
        // The program sees the name that it was chosen by: busybox has no such applet, and says so.
        for name in ["odd name", "[x"] {
            let ended = bundle.run(place, ["--polecat-entry", name]).exits(127);
            assert!(
                ended.err().starts_with(&format!("{name}: applet not found")),
                "{place}: {ended}"
            );
        }
        for unknown in ["", "ech", "/bin/busybox", "-c", "--polecat-help"] {
            let ended = bundle.run(place, ["--polecat-entry", unknown]).exits(127);
            assert!(
                ended.err().contains("sh, [x, echo, false, odd name"),
                "{place}: {ended}"
            );
            assert_eq!(ended.out(), "", "{place}");
        }
        let ended = bundle.run(place, ["--polecat-entry"]).exits(125);
        assert!(ended.err().contains("--polecat-help"), "{place}: {ended}");
        let ended = called(&bundle, place, &linked(&bundle, "echo"), &["--polecat-verify"]).success();
        assert!(ended.out().contains("whole and unchanged"), "{place}: {ended}");
    }
}

#[test]
fn no_name_at_all_is_the_command() {
    let Some(bundle) = packed() else { return };
    if skip(&[Need::Tool("bash"), Need::UserNamespaces]) {
        return;
    }
    let place = Place::UserUnpack;
    for name in ["", "/", "..", "echo/..", "-echo"] {
        let mut command = place.command_behind(&["bash", "-c", "exec -a \"$1\" \"$0\""], bundle.path());
        command.arg(name).current_dir(bundle.work()).env("HOME", bundle.home());
        assert_eq!(exec::run(&mut command).success().out(), "the command:\n", "{name}");
    }
}

#[test]
fn each_program_has_its_own_closure() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = Bundle::debian(&["--as", "py=python3", "--as", "calc=/usr/bin/perl"], &["jq", "-n"]);
    for place in places() {
        let python = called(
            &bundle,
            place,
            &linked(&bundle, "py"),
            &["-c", "import json, sys; print(json.dumps(sys.orig_argv[:1]))"],
        );
        assert_eq!(python.success().out(), "[\"py\"]\n", "{place}");
        assert_eq!(bundle.run(place, ["6*7"]).success().out(), "42\n", "{place}");
        let ended = exec::run_with_input(
            bundle.start(place).args(["--polecat-entry", "calc"]),
            b"print 6*9, qq(\n)",
        )
        .success();
        assert_eq!(ended.out(), "54\n", "{place}");
    }
}

#[test]
fn every_report_has_them() {
    let Some(bundle) = packed() else { return };
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let shown = polecat.run(["inspect".as_ref(), bundle.path()]).success().out();
    assert!(shown.contains("called       echo, starts /bin/busybox\n"), "{shown}");
    let json = polecat
        .run(["inspect".as_ref(), "--json".as_ref(), bundle.path()])
        .json();
    let names: Vec<&str> = json["manifest"]["entryPoints"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["[x", "echo", "false", "odd name"]);
    let root = busybox(&scratch);
    let asked = ["--as", "b=sh", "--as", "a=/bin/busybox"].map(PathBuf::from);
    let words = |verb: &[&str]| {
        let mut words: Vec<PathBuf> = verb.iter().map(PathBuf::from).collect();
        words.extend(asked.clone());
        words.extend([root.clone(), "sh".into()]);
        words
    };
    let plan = polecat.run(words(&["plan", "--json"])).success().json();
    assert_eq!(plan["entryPoints"][0]["path"], "/bin/busybox");
    assert_eq!(plan["entryPoints"][1]["name"], "b");
    let text = polecat.run(words(&["plan"])).success().out();
    assert!(text.contains("called b, it starts /bin/sh\n"), "{text}");
    let out = scratch.join("x.run");
    let report = polecat
        .run(words(&["pack", "--json", "-o", out.to_str().expect("UTF-8")]))
        .success();
    assert_eq!(report.json()["entryPoints"][0]["name"], "a");
    for place in places().take(1) {
        let help = bundle.run(place, ["--polecat-help"]).success().out();
        assert!(
            help.contains("Programs in this file: sh, [x, echo, false, odd name."),
            "{help}"
        );
        let own = bundle.run(place, ["--polecat-inspect"]).success().out();
        assert!(own.contains("odd name starts /bin/busybox"), "{own}");
    }
    // Without entry points there is nothing about them.
    let plain = Bundle::pack(&[], &root, &["sh"]);
    let json = polecat
        .run(["inspect".as_ref(), "--json".as_ref(), plain.path()])
        .json();
    assert!(json["manifest"].get("entryPoints").is_none(), "{json}");
}

#[test]
fn what_cannot_be_an_entry_point_is_refused() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let (polecat, root) = (Polecat::new(&scratch), busybox(&scratch));
    let out = scratch.join("x.run");
    let pack = |entries: &[&str]| {
        let mut words: Vec<PathBuf> = vec!["-o".into(), out.clone()];
        words.extend(entries.iter().map(|entry| PathBuf::from(format!("--as={entry}"))));
        words.extend([root.clone(), "sh".into()]);
        polecat.run(words)
    };
    for entry in [
        "x",
        "=sh",
        "x=",
        "a/b=sh",
        ".=sh",
        "..=sh",
        "-x=sh",
        "a\n=sh",
        &format!("{}=sh", "x".repeat(256)),
    ] {
        let ended = pack(&[entry]).exits(2);
        assert!(ended.err().starts_with("polecat: --as: "), "{entry}: {ended}");
    }
    let ended = pack(&["x=sh", "y=sh", "x=busybox"]).exits(2);
    assert!(ended.err().contains("x: names two programs"), "{ended}");
    let ended = pack(&["x=shh"]).exits(5);
    assert!(ended.err().contains("--as x=shh: not found"), "{ended}");
    assert!(!out.exists());
    let _one_program_by_two_names = pack(&["x=sh", "y=sh", "sh=busybox"]).success();
}
