//! The first minutes with polecat: no key, no configuration, the program out of the machine's own root file system.

#![forbid(unsafe_code)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::format::{Layout, hex};
use support::requirement::skip;
use support::roots::{TINY_NEEDS, tiny};
use support::{Need, Place, Polecat, Scratch, exec};

#[test]
fn top_of_this_machine() {
    if skip(&[Need::Polecat, Need::Tool("top")]) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let out = scratch.join("top.run");
    let _summary = polecat
        .run(["-o".as_ref(), out.as_os_str(), "/".as_ref(), "top".as_ref()])
        .success();
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let mut command = place.command(&out);
        let ended = exec::run(command.args(["-b", "-n1"]).env("HOME", scratch.path()).current_dir("/")).success();
        assert!(ended.out().starts_with("top - "), "{place}: {ended}");
    }
}

#[test]
fn the_key_is_made_once_and_announced() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = tiny(&scratch);
    let polecat = Polecat::new(&scratch);
    let out = scratch.join("first.run");
    let pack = || {
        polecat
            .run(["-o".as_ref(), out.as_os_str(), root.as_os_str(), "/bin/tiny".as_ref()])
            .success()
    };

    let first = pack();
    let key = polecat.home().join(".config/polecat/signing.key");
    assert_eq!(mode(&key), 0o600);
    assert_eq!(
        mode(key.parent().expect("a directory")) & 0o077,
        0,
        "others may look into the directory of the key"
    );
    let record = Layout::read(&out).signatures().remove(0);
    let (told, id) = (format!("{}{}", first.out(), first.err()), hex(&record.key_id));
    assert!(
        told.contains(&*key.to_string_lossy()),
        "does not say where the new key is: {first}"
    );
    assert!(told.contains(&id), "does not say the key's id: {first}");
    assert_eq!(mode(&out) & 0o111, 0o111, "the bundle is not executable");

    let second = pack();
    assert!(
        !format!("{}{}", second.out(), second.err()).contains(&*key.to_string_lossy()),
        "announced again: {second}"
    );
    assert_eq!(
        Layout::read(&out).signatures()[0],
        record,
        "another key or another file"
    );
}

#[test]
fn configuration_goes_where_it_is_told_to() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let (root, out, configuration) = (
        tiny(&scratch),
        scratch.join("x.run"),
        scratch.directory("configuration"),
    );
    let polecat = Polecat::new(&scratch);
    let mut command = polecat.command(["-o".as_ref(), out.as_os_str(), root.as_os_str(), "/bin/tiny".as_ref()]);
    let _summary = exec::run(command.env("XDG_CONFIG_HOME", &configuration)).success();
    assert_eq!(mode(&configuration.join("polecat/signing.key")), 0o600);
    assert!(
        !polecat.home().join(".config").exists(),
        "something was written to HOME"
    );
}

#[test]
fn the_last_lines_say_what_was_packed() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let (root, out) = (tiny(&scratch), scratch.join("tiny.run"));
    let polecat = Polecat::new(&scratch);
    let ended = polecat
        .run(["-o".as_ref(), out.as_os_str(), root.as_os_str(), "/bin/tiny".as_ref()])
        .success();
    let told = format!("{}{}", ended.out(), ended.err());
    let record = Layout::read(&out).signatures().remove(0);
    assert!(told.contains("tiny.run"), "the file: {told}");
    assert!(told.contains(&hex(&record.key_id)), "the signer: {told}");
    // No progress bar where there is no terminal.
    assert!(!told.contains('\r') && !told.contains('\x1b'), "{told:?}");
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o7777
}
