//! What two bundles differ in.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use support::bundle::debian;
use support::requirement::skip;
use support::{Ended, Need, Polecat, Scratch, exec, roots};

/// A root file system that is packed, changed and packed again.
struct Case {
    scratch: Scratch,
    root: PathBuf,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = roots::busybox(&scratch);
        for (path, contents) in [
            ("same", "same"),
            ("changed", "one one one"),
            ("gone", "gone"),
            ("mode", "x"),
            ("longer", "short"),
        ] {
            let file = scratch.file(&format!("busybox/opt/{path}"), contents);
            scratch.permit(&file, 0o644);
        }
        symlink("same", root.join("opt/link")).expect("a link");
        Self { scratch, root }
    }

    fn pack(&self, name: &str, options: &[&str], arguments: &[&str]) -> PathBuf {
        self.pack_of(&self.root, name, options, arguments)
    }

    fn pack_of(&self, root: &Path, name: &str, options: &[&str], command: &[&str]) -> PathBuf {
        let output = self.scratch.join(name);
        let mut words: Vec<&OsStr> = vec!["-q".as_ref(), "-o".as_ref(), output.as_os_str()];
        words.extend(options.iter().map(OsStr::new));
        words.push(root.as_os_str());
        words.extend(command.iter().map(OsStr::new));
        let _quiet = Polecat::new(&self.scratch).run(words).success();
        output
    }

    fn diff(&self, options: &[&str], a: &Path, b: &Path) -> Ended {
        let words = [OsStr::new("diff")].into_iter().chain(options.iter().map(OsStr::new));
        Polecat::new(&self.scratch).run(words.chain([a.as_os_str(), b.as_os_str()]))
    }
}

const COMMAND: [&str; 2] = ["busybox", "true"];

#[test]
fn equal_bundles_are_the_same() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let one = case.pack("one", &["--include", "/opt"], &COMMAND);
    let two = case.pack("two", &["--include", "/opt"], &COMMAND);
    let ended = case.diff(&[], &one, &two).success();
    assert!(
        ended.out().ends_with("are the same\n") && ended.out().lines().count() == 1,
        "{ended}"
    );
    assert!(case.diff(&["-q"], &one, &one).success().out().is_empty());
    assert_eq!(case.diff(&["--json"], &one, &two).success().json()["same"], true);
}

#[test]
fn files_that_differ_are_told_and_how() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let old = case.pack("old", &["--include", "/opt"], &COMMAND);
    let at = |path: &str| case.root.join("opt").join(path);
    exec::write(&at("changed"), b"one two one");
    exec::write(&at("longer"), b"not so short any more");
    exec::write(&at("new"), b"new");
    fs::remove_file(at("gone")).expect("a file");
    fs::remove_file(at("link")).expect("a link");
    symlink("new", at("link")).expect("a link");
    case.scratch.permit(&at("mode"), 0o4700);
    case.scratch.permit(&at("new"), 0o640);
    let new = case.pack("new", &["--include", "/opt"], &COMMAND);

    let told = case.diff(&[], &old, &new).exits(1).out();
    for line in [
        "  - /opt/gone  (0644, ",
        "  + /opt/new  (0640, ",
        "  ~ /opt/changed: content",
        "  ~ /opt/longer: content, 5 bytes -> 21 bytes",
        "  ~ /opt/link: leads to same -> new",
        "  ~ /opt/mode: mode 0644 -> 4700",
    ] {
        assert_eq!(told.matches(line).count(), 1, "{line}:\n{told}");
    }
    assert!(!told.contains("/opt/same") && !told.contains("busybox:"), "{told}");

    let json = case.diff(&["--json"], &old, &new).exits(1).json();
    let paths = |list: &str| {
        json["files"][list]
            .as_array()
            .expect("a list")
            .iter()
            .map(|file| file["path"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (paths("added"), paths("removed")),
        (vec!["/opt/new".into()], vec!["/opt/gone".into()])
    );
    let mode = json["files"]["changed"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|file| file["path"] == "/opt/mode");
    assert_eq!(mode.expect("there")["parts"], serde_json::json!(["mode"]));
    // The other way round it is the other way round.
    let back = case.diff(&["--json"], &new, &old).exits(1).json();
    assert_eq!(back["files"]["added"], json["files"]["removed"]);
}

#[test]
fn what_a_program_may_and_how_it_starts_is_told() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let open = case.pack("open", &["--name", "x"], &COMMAND);
    let closed = case.pack(
        "closed",
        &["--name", "y", "--contain", "--env", "A=1", "--workdir", "/opt"],
        &["busybox", "false"],
    );
    let told = case.diff(&[], &open, &closed).exits(1).out();
    for line in [
        "permissions\n  ~ isolation.contain: false -> true\n",
        "  ~ name: \"x\" -> \"y\"\n",
        "  ~ process.args: [\"busybox\",\"true\"] -> [\"busybox\",\"false\"]\n",
        "  ~ process.cwd: none -> \"/opt\"\n",
        "\"A=1\"]\n",
    ] {
        assert_eq!(told.matches(line).count(), 1, "{line}:\n{told}");
    }
}

#[test]
fn signers_and_ways_of_storing_are_told() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let one = case.pack("one", &[], &COMMAND);
    let two = case.scratch.join("two");
    exec::copy(&one, &two);
    let key = case.scratch.join("other.key");
    let polecat = Polecat::new(&case.scratch);
    let made = polecat.run([
        "key".as_ref(),
        "generate".as_ref(),
        "--json".as_ref(),
        "--out".as_ref(),
        key.as_os_str(),
    ]);
    let id = made.success().json()["keyId"].as_str().expect("an id").to_owned();
    let _signed = polecat
        .run(["sign".as_ref(), "--key".as_ref(), key.as_os_str(), two.as_os_str()])
        .success();
    let told = case.diff(&[], &one, &two).exits(1).out();
    assert!(told.ends_with(&format!("\nsigners\n  + key {id}\n")), "{told}");

    let small = case.pack("small", &["--level", "19", "--store-startup", "0"], &COMMAND);
    let told = case.diff(&[], &one, &small).exits(1).out();
    assert!(
        told.contains("the same files, stored otherwise") && told.contains("  ~ image "),
        "{told}"
    );
}

#[test]
fn packages_are_told_with_their_versions() {
    if skip(&[Need::Polecat, Need::Rootfs, Need::Tool("busybox")]) {
        return;
    }
    let case = Case::new();
    let root = debian();
    let one = case.pack_of(&root, "one", &["--closure", "elf"], &["true"]);
    let two = case.pack_of(&root, "two", &["--closure", "elf", "--also", "top"], &["true"]);
    let json = case.diff(&["--json"], &one, &two).exits(1).json();
    let added = json["packages"]["added"].as_array().expect("a list");
    let procps = added
        .iter()
        .find(|package| package["name"] == "procps")
        .expect("top's package");
    assert!(
        procps["version"].as_str().is_some_and(|version| !version.is_empty()),
        "{procps}"
    );
    assert_eq!(json["packages"]["removed"], serde_json::json!([]));
    assert_eq!(json["packages"]["changed"], serde_json::json!([]));
}

#[test]
fn what_cannot_be_compared_is_no_difference() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let one = case.pack("one", &[], &COMMAND);
    let _absent = case.diff(&[], &one, &case.scratch.join("absent")).exits(2);
    let _directory = case.diff(&[], case.scratch.path(), &one).exits(2);
    let _no_bundle = case.diff(&[], &one, &case.root.join("bin/busybox")).exits(3);
    // Damage in what is read is damage, wherever it is.
    let two = case.scratch.join("two");
    let mut bytes = fs::read(&one).expect("a bundle");
    let inspected = Polecat::new(&case.scratch)
        .run(["inspect".as_ref(), "--json".as_ref(), one.as_os_str()])
        .success()
        .json();
    let end = inspected["manifest"]["hashTree"]["offset"].as_u64().expect("an offset");
    let at = usize::try_from(end).expect("small") - 4096;
    bytes[at] ^= 1;
    exec::write(&two, &bytes);
    let ended = case.diff(&[], &one, &two).exits(3);
    assert!(ended.err().contains("is not what was signed"), "{ended}");
    let other = case.pack("other", &["--level", "3"], &COMMAND);
    let ended = case.diff(&[], &other, &two).exits(3);
    assert!(ended.err().contains("is not what was signed"), "{ended}");
}
