//! Where nothing can be told.

use std::fs;

use support::format::Layout;
use support::requirement::skip;
use support::{Need, Place, Polecat, exec, roots};

use super::shell;

const LOOKS: &str = "test -e /opt/data/a; echo ran; exit 3";

#[test]
fn a_bundle_that_does_not_know_its_paths_runs() {
    let Some((_root, bundle)) = shell(&["--no-paths"], LOOKS) else {
        return;
    };
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let file = bundle.scratch().join("list");
        let ended = super::run(&bundle, place, &file);
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(3), "ran\n"),
            "{place}: {ended}"
        );
        assert!(ended.err().contains("--no-paths"), "{place}: {ended}");
        assert!(!file.exists(), "{place}: {ended}");
    }
}

#[test]
fn a_set_that_is_not_what_was_signed_is_not_used() {
    let Some((_root, bundle)) = shell(&[], LOOKS) else {
        return;
    };
    let mut layout = Layout::read(bundle.path());
    let manifest = layout.manifest();
    let offset = manifest["paths"]["offset"].as_u64().expect("an offset");
    let place = usize::try_from(offset).expect("a place") + 30;
    layout.bytes[place] ^= 1;
    exec::write(bundle.path(), &layout.bytes);
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let file = bundle.scratch().join("list");
        let ended = super::run(&bundle, place, &file);
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(121), ""),
            "{place}: {ended}"
        );
        assert!(ended.err().contains("not what was signed"), "{place}: {ended}");
        assert!(!file.exists(), "{place}: {ended}");
        // It is of no use to anything else.
        let ended = bundle.run(place, [] as [&str; 0]);
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(3), "ran\n"),
            "{place}: {ended}"
        );
    }
    let ended = Polecat::new(bundle.scratch()).run(["verify".as_ref(), bundle.path().as_os_str()]);
    assert!(ended.exits(3).err().contains("not what was signed"));
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_runs() {
    let Some((_root, bundle)) = shell(&[], LOOKS) else {
        return;
    };
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let ended = super::run(&bundle, place, "/nowhere/list".as_ref());
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(125), ""),
            "{place}: {ended}"
        );
        assert!(ended.err().contains("/nowhere/list"), "{place}: {ended}");
    }
}

#[test]
fn without_a_listener_of_its_own_it_runs_all_the_same() {
    if skip(&[Need::Tool("musl-gcc")]) {
        return;
    }
    let Some((_root, bundle)) = shell(&[], LOOKS) else {
        return;
    };
    let other = bundle.scratch().join("listener");
    roots::compile("listener.c", &other);
    let other = other.display().to_string();
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let file = bundle.scratch().open_directory("out").join("list");
        fs::write(&file, "before\n").expect("the file");
        bundle.scratch().permit(&file, 0o666);
        let mut command = bundle.start_behind(place, &[&other]);
        command.env("POLECAT_MISSES", &file).arg("--polecat-misses");
        let ended = exec::run(&mut command);
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(3), "ran\n"),
            "{place}: {ended}"
        );
        assert!(ended.err().contains("was not noted: seccomp: "), "{place}: {ended}");
        assert_eq!(fs::read_to_string(&file).expect("the file"), "before\n", "{place}");
    }
}
