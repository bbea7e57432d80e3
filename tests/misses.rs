//! What a bundle lacks: told where it is run, and packed with the next one.

#![forbid(unsafe_code)]

#[path = "misses/packing.rs"]
mod packing;
#[path = "misses/refusals.rs"]
mod refusals;
#[path = "misses/verify_run.rs"]
mod verify_run;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::bundle::{Bundle, debian};
use support::requirement::skip;
use support::{Ended, Need, Place, Scratch, exec, roots};

/// A file that a bundle wrote.
#[derive(Debug)]
struct Missed {
    head: Value,
    paths: BTreeSet<String>,
    uncertain: BTreeSet<String>,
}

impl Missed {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut lines = lines.collect::<Vec<_>>().into_iter();
        let head = lines.next().expect("a first line");
        assert_eq!(head["polecatMisses"], 1, "{text}");
        let (mut paths, mut uncertain) = (BTreeSet::new(), BTreeSet::new());
        for line in lines {
            let path = line["path"].as_str().or(line["pathBytes"].as_str());
            let path = path.unwrap_or_else(|| panic!("{line}")).to_owned();
            let fresh = match line["uncertain"].as_bool() {
                Some(true) => uncertain.insert(path),
                _ => paths.insert(path),
            };
            assert!(fresh, "{line}: twice");
        }
        Self { head, paths, uncertain }
    }
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(ToString::to_string).collect()
}

/// A busybox, and files that no packer takes with it.
fn tree(scratch: &Scratch) -> PathBuf {
    let root = roots::busybox(scratch);
    for directory in ["opt/data/deep", "etc/app", "srv/state", "home/x", "run/x"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    for file in ["opt/data/a", "opt/data/deep/b", "etc/app/conf", "home/x/y", "run/x/y"] {
        fs::write(root.join(file), "x\n").expect("a file");
    }
    fs::write(root.join(OsStr::from_bytes(b"srv/\xff\n\"")), "x\n").expect("a file");
    symlink("data", root.join("opt/link")).expect("a link");
    symlink("/nowhere", root.join("opt/dangling")).expect("a link");
    root
}

/// A shell of that tree with a script.
fn shell(options: &[&str], script: &str) -> Option<(Scratch, Bundle)> {
    if skip(&roots::BUSYBOX_NEEDS) {
        return None;
    }
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let options = [&["--level", "1"], options].concat();
    let bundle = Bundle::pack(&options, &root, &["sh", "-c", script, "sh"]);
    Some((scratch, bundle))
}

/// Runs it with both ways to be told.
fn run(bundle: &Bundle, place: Place, file: &Path) -> Ended {
    let mut command = bundle.start(place);
    command.env("POLECAT_MISSES", file).arg("--polecat-misses");
    exec::run(&mut command)
}

/// Runs it in each place; `check` gets how it ended and what it wrote.
fn everywhere(bundle: &Bundle, check: impl Fn(Place, &Ended, &Missed)) {
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let file = bundle.scratch().open_directory("out").join(place.rung());
        let ended = run(bundle, place, &file);
        check(place, &ended, &Missed::read(&file));
        let told: Vec<&str> = ended.text_lines();
        let count = told.iter().filter(|line| line.starts_with("  /")).count();
        assert_eq!(count, Missed::read(&file).paths.len(), "{place}: {ended}");
        exec::changing_files(|| fs::remove_file(&file)).expect("the file");
    }
}

trait TextLines {
    fn text_lines(&self) -> Vec<&str>;
}

impl TextLines for Ended {
    fn text_lines(&self) -> Vec<&str> {
        std::str::from_utf8(&self.stderr).expect("UTF-8").lines().collect()
    }
}

/// A shell that looks for things in many ways.
const SCRIPT: &str = "test -e /opt/data/a; test -e /opt/data/never; cd /etc/app; read x < /etc/app/conf; \
    cd /opt; test -e data/deep/../a; test -e /opt/./data//deep/b; test -e /opt/link/deep/b; test -e /opt/dangling; \
    for f in /srv/*; do :; done; test -e \"/srv/$(printf '\\377\\n\"')\"; \
    test -e /home/x/y; test -e /run/x/y; test -e /proc/never; \
    mkdir -p /tmp/x; echo > /srv/state/new; echo [$POLECAT_MISSES]; exit 7";

#[test]
fn what_a_program_looks_for_in_vain() {
    let Some((_root, bundle)) = shell(&[], SCRIPT) else {
        return;
    };
    everywhere(&bundle, |place, ended, missed| {
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(7), "[]\n"),
            "{place}: {ended}"
        );
        let expected = set(&[
            "/etc/app",
            "/etc/app/conf",
            "/home/x/y",
            "/opt/dangling",
            "/opt/data/a",
            // Of data/deep/../a: without the directory there is nothing above it.
            "/opt/data/deep",
            "/opt/data/deep/b",
            "/opt/link",
            // Where a file was to be made.
            "/srv/state",
            "2f7372762fff0a22",
        ]);
        assert_eq!(missed.paths, expected, "{place}: {ended}");
        assert_eq!(missed.uncertain, set(&["/opt/link/deep/b"]), "{place}: {ended}");
        assert_eq!(missed.head["commands"][0][0], "sh", "{place}");
    });
}

#[test]
fn what_is_packed_is_not_missed_even_if_it_is_removed() {
    let script = "busybox rm /etc/app/conf; test -e /etc/app/conf; busybox rm -r /etc/app; test -e /etc/app/conf; \
        test -e /opt/data/deep; \
        busybox mkdir -p /opt/data; echo > /opt/data/a; busybox rm /opt/data/a; test -e /opt/data/a";
    let Some((_root, bundle)) = shell(&["--include", "/etc/app"], script) else {
        return;
    };
    everywhere(&bundle, |place, ended, missed| {
        assert_eq!(ended.code(), Some(1), "{place}: {ended}");
        // The directory was looked for in vain before it was made.
        assert_eq!(missed.paths, set(&["/opt/data/deep"]), "{place}: {ended}");
    });
}

#[test]
fn nothing_is_missed() {
    let Some((_root, bundle)) = shell(&[], "test -e /etc/never") else {
        return;
    };
    everywhere(&bundle, |place, ended, missed| {
        assert_eq!(ended.code(), Some(1), "{place}: {ended}");
        assert_eq!(missed.paths.len(), 0, "{place}: {ended}");
        assert!(
            ended.err().contains("nothing was looked for in vain"),
            "{place}: {ended}"
        );
    });
}

#[test]
fn interpreters_and_loaders_that_no_call_names() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = Bundle::debian(
        &["--closure", "elf", "--level", "1", "--exclude", "/usr/bin/perl"],
        &["bash", "-c", "./own"],
    );
    let script = exec_file(&bundle, "own", "#!/usr/bin/perl\n");
    everywhere(&bundle, |place, ended, missed| {
        assert_ne!(ended.code(), Some(0), "{place}: {ended}");
        assert!(missed.paths.contains("/usr/bin/perl"), "{place}: {ended}");
        let own = |path: &String| path.contains("own");
        assert!(
            !missed.paths.iter().any(own),
            "what is shared is not the bundle's: {script:?} {missed:?}"
        );
    });
}

fn exec_file(bundle: &Bundle, name: &str, contents: &str) -> PathBuf {
    let path = bundle.work().join(name);
    exec::write(&path, contents.as_bytes());
    bundle.scratch().permit(&path, 0o755);
    path
}

#[test]
fn signals_and_processes_are_as_without() {
    let script = "( test -e /opt/data/a ) & wait; busybox sh -c 'test -e /opt/data/deep'; kill -TERM $$";
    let Some((_root, bundle)) = shell(&[], script) else {
        return;
    };
    everywhere(&bundle, |place, ended, missed| {
        assert_eq!(
            ended.signal(),
            Some(nix::sys::signal::Signal::SIGTERM),
            "{place}: {ended}"
        );
        assert_eq!(
            missed.paths,
            set(&["/opt/data/a", "/opt/data/deep"]),
            "{place}: {ended}"
        );
    });
}

#[test]
fn a_program_that_lacks_nearly_everything_is_mended() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let code = "import json, ssl; print(json.dumps([6 * 7]))";
    let mut options: Vec<String> = ["--closure", "elf", "--level", "1"].map(str::to_owned).to_vec();
    let scratch = Scratch::new();
    let place = Place::BOTH_USERS.into_iter().find(|place| !skip(place.needs()));
    let Some(place) = place else { return };
    for round in 1..=4 {
        let words: Vec<&str> = options.iter().map(String::as_str).collect();
        let bundle = Bundle::pack(&words, &debian(), &["python3", "-c", code]);
        let file = scratch.open_directory("out").join(format!("{round}"));
        let ended = run(&bundle, place, &file);
        let missed = Missed::read(&file);
        assert_eq!(round == 1, ended.code() != Some(0), "round {round}: {ended}");
        if round == 1 {
            assert!(missed.paths.contains("/usr/lib/python3.11"), "{missed:?}");
        }
        if missed.paths.is_empty() {
            assert!(round > 1);
            assert_eq!(ended.success().out(), "[42]\n");
            return;
        }
        options.extend(["--add-misses".to_owned(), file.display().to_string()]);
    }
    panic!("it still misses something");
}
