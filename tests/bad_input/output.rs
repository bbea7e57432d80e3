//! OUT.

use std::os::unix::fs::symlink;

use support::requirement::skip;
use support::{Need, Polecat, exec};

use crate::{BEFORE, Case, FAILED, assert_refused, in_own_mounts, names_in};

#[test]
fn a_directory() {
    let Some(mut case) = Case::new() else { return };
    case.out = case.scratch.directory("a-directory");
    let ended = case.pack(&[], &case.root, "/bin/tiny");
    assert_refused(&ended, FAILED, &["a-directory", "directory"]);
    assert_eq!(names_in(&case.out), [""; 0], "{ended}");
    assert!(
        names_in(case.scratch.path()).iter().all(|name| !name.contains("tmp")),
        "{:?}",
        names_in(case.scratch.path())
    );
}

#[test]
fn in_a_directory_that_is_not_there() {
    let Some(mut case) = Case::new() else { return };
    case.out = case.scratch.join("no-directory/program.run");
    let ended = case.pack(&[], &case.root, "/bin/tiny");
    assert_refused(&ended, FAILED, &["no-directory"]);
    assert!(!case.scratch.join("no-directory").exists());
}

#[test]
fn replaced_as_a_whole() {
    let Some(case) = Case::new() else { return };
    // Someone who has the old file open keeps the old file.
    let old = std::fs::File::open(&case.out).expect("OUT");
    let _summary = case.pack(&[], &case.root, "/bin/tiny").success();
    assert_eq!(std::io::read_to_string(old).expect("the old file").as_bytes(), BEFORE);
    assert!(std::fs::read(&case.out).expect("OUT").starts_with(b"\x7fELF"));
    assert_eq!(names_in(case.out.parent().expect("a directory")), ["program.run"]);
}

#[test]
fn a_bundle_that_is_running() {
    let Some(case) = Case::new() else { return };
    let place = support::Place::UserUnpack;
    if skip(place.needs()) {
        return;
    }
    for _ in 0..2 {
        let _summary = case.pack(&[], &case.root, "/bin/tiny").success();
        let ended = exec::run(place.command(&case.out).arg("x").current_dir("/")).exits(1);
        assert_eq!(ended.out(), "x\n");
    }
}

#[test]
fn a_full_disk() {
    let Some(case) = Case::new() else { return };
    if skip(&[Need::Root]) {
        return;
    }
    // Noise, for it cannot be made smaller.
    let noise: Vec<u8> = (0..2_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    case.scratch.file("tiny/data/noise", noise);
    let disk = case.scratch.directory("disk");
    // Too small for the stub, for the image, and for what is written last.
    for kib in ["100", "1000", "2000"] {
        let line = "set -e; mount -t tmpfs -o size=$1k,nr_inodes=64 tmpfs \"$2\"; cd \"$2\"; \
                    printf before > out; status=0; \
                    \"$3\" -o out --include '/data/*' \"$4\" /bin/tiny || status=$?; \
                    test \"$(cat out)\" = before; test \"$(ls -A)\" = out; exit $status";
        let executable = Polecat::executable();
        let home = case.polecat.home().as_os_str();
        let arguments = [
            kib.as_ref(),
            disk.as_os_str(),
            executable.as_os_str(),
            case.root.as_os_str(),
        ];
        let with_home = format!("HOME='{}'; export HOME; {line}", home.to_string_lossy());
        let ended = in_own_mounts(&with_home, &arguments);
        assert_refused(&ended, FAILED, &["out", "No space left on device"]);
    }
}

#[test]
fn a_link() {
    let Some(mut case) = Case::new() else { return };
    // A link to a file: either it is followed or it is replaced, never is something half-way.
    let target = case.out.clone();
    case.out = case.scratch.join("out/link.run");
    symlink(&target, &case.out).expect("a link");
    let _summary = case.pack(&[], &case.root, "/bin/tiny").success();
    assert!(std::fs::read(&case.out).expect("OUT").starts_with(b"\x7fELF"));
    assert_eq!(
        names_in(target.parent().expect("a directory")),
        ["link.run", "program.run"]
    );
}

#[test]
fn nobody_may_write_there() {
    let Some(mut case) = Case::new() else { return };
    case.out = "/proc/program.run".into();
    let ended = case.pack(&[], &case.root, "/bin/tiny");
    assert_refused(&ended, FAILED, &["/proc"]);
}
