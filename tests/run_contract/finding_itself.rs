//! However a bundle is called, it finds itself.

use std::os::unix::fs::symlink;
use std::path::Path;

use support::requirement::skip;
use support::{Need, Place, exec};

use crate::{places, printer};

#[test]
fn by_links_relative_paths_and_path() {
    let Some(bundle) = printer() else { return };
    let links = bundle.scratch().directory("links");
    for (name, target) in [("link", "../program.run"), ("link-to-link", "link")] {
        let link = links.join(name);
        if !link.is_symlink() {
            symlink(target, &link).expect("a link");
        }
    }
    for place in places() {
        for program in [
            links.join("link"),
            links.join("link-to-link"),
            "../program.run".into(),
            "link".into(),
        ] {
            let mut command = place.command(&program);
            command
                .arg("here")
                .current_dir(bundle.work())
                .env("HOME", bundle.home());
            if program == Path::new("link") {
                // By PATH, through a program that searches it, for the search must not be ours.
                command = place.command_behind(&["env"], &program);
                let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", links.display());
                command
                    .arg("here")
                    .current_dir(bundle.work())
                    .env("HOME", bundle.home())
                    .env("PATH", path);
            }
            let ended = exec::run(&mut command).exits(1);
            assert_eq!(ended.out(), "here\n", "{place}: {}", program.display());
        }
    }
}

#[test]
fn under_another_name_with_odd_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let Some(bundle) = printer() else { return };
    let name = std::ffi::OsStr::from_bytes(b"odd \xff\nname' --polecat-help");
    let renamed = bundle.scratch().join(name);
    if !renamed.exists() {
        std::fs::hard_link(bundle.path(), &renamed).expect("a link");
    }
    for place in places() {
        let mut command = place.command(&renamed);
        let ended = exec::run(command.arg("here").current_dir(bundle.work())).exits(1);
        assert_eq!(ended.out(), "here\n", "{place}");
    }
}

#[test]
fn with_another_word_as_argument_zero() {
    use std::os::unix::process::CommandExt as _;
    let Some(bundle) = printer() else { return };
    if skip(Place::RootLoop.needs()) {
        return;
    }
    for word in ["/bin/sh", "", "--polecat-help"] {
        let ended = exec::run(bundle.start(Place::RootLoop).arg0(word).arg("here")).exits(1);
        assert_eq!(ended.out(), "here\n", "{word:?}");
    }
}

#[test]
fn without_proc() {
    let Some(bundle) = printer() else { return };
    if skip(&[Need::Root]) {
        return;
    }
    for place in places().filter(|place| !place.is_user()) {
        let line = "mount -t tmpfs none /proc && exec \"$@\"";
        let mut command = bundle.start_behind(place, &["unshare", "--mount", "sh", "-c", line, "sh"]);
        let ended = exec::run(command.arg("here")).exits(1);
        assert_eq!(ended.out(), "here\n", "{place}");
    }
}

#[test]
fn a_bundle_that_only_may_be_executed() {
    let Some(bundle) = printer() else { return };
    // Without the right to read it, it cannot check itself, and says so.
    let place = Place::UserUnpack;
    if skip(place.needs()) || skip(&[Need::Root]) {
        return;
    }
    let unreadable = bundle.scratch().join("unreadable.run");
    exec::copy(bundle.path(), &unreadable);
    bundle.scratch().permit(&unreadable, 0o711);
    let ended = exec::run(place.command(&unreadable).current_dir(bundle.work())).exits(125);
    assert!(ended.err().contains("ermission denied"), "{ended}");
}
