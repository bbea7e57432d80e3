//! Odd hosts: old kernels, a chroot, no FUSE.

use std::fs;
use std::process::Command;

use support::requirement::skip;
use support::status::mounts;
use support::{Need, Place, Scratch, exec};

use crate::{places, shell};

#[test]
fn without_mount_setattr_each_mount_is_restricted() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Tool("strace")]) {
        return;
    }
    for place in places() {
        // strace(1) answers in place of a kernel before 5.12. It must look at nothing else: a page of the app that the
        // image server, which it holds too, has yet to serve would never come.
        let inject = "inject=mount_setattr:error=ENOSYS";
        let prefix = [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=mount_setattr",
            "-e",
            inject,
        ];
        let inside = exec::run(&mut bundle.command_behind(place, &prefix, &["-c", "cat /proc/self/mountinfo"]));
        let inside = mounts(&inside.success().out());
        let below = |point: &str| -> Vec<_> { inside.iter().filter(|mount| mount.point.starts_with(point)).collect() };
        assert!(!below("/sys").is_empty(), "{place}");
        for mount in below("/sys") {
            for option in ["ro", "nosuid", "nodev", "noexec"] {
                assert!(
                    mount.options.split(',').any(|set| set == option),
                    "{place}: {option}: {mount:?}"
                );
            }
        }
        let home = below(&bundle.home().display().to_string())[0];
        assert!(
            home.options.contains("nosuid") && home.options.contains("rw"),
            "{place}: {home:?}"
        );
        if !place.is_user() {
            assert!(
                below("/proc/sys").iter().all(|mount| mount.options.starts_with("ro")),
                "{place}"
            );
        }
    }
}

#[test]
fn the_next_rung_is_taken_and_the_trace_says_why() {
    let Some(bundle) = shell() else { return };
    let place = Place::UserUnpack;
    // Only where the tests are root does that place hide /dev/fuse.
    if skip(place.needs()) || skip(&[Need::Root]) {
        return;
    }
    let mut command = bundle.command(place, &["-c", "echo ran"]);
    let ended = exec::run(command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1")).success();
    assert_eq!(ended.out(), "ran\n");
    let said = ended.err();
    assert!(said.contains("fuse: left: open /dev/fuse: Permission denied"), "{said}");
    assert!(said.contains("unpack: holds"), "{said}");
}

#[test]
fn a_chroot_is_a_host_too() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Root]) {
        return;
    }
    let scratch = Scratch::new();
    for directory in ["dev", "proc", "tmp", "work"] {
        let _made = scratch.directory(directory);
    }
    exec::copy(&bundle.path(), &scratch.join("program.run"));
    for library in libraries(&bundle.path()) {
        let inside = scratch.path().join(library.trim_start_matches('/'));
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        exec::copy(library.as_ref(), &inside);
    }
    for place in [Place::RootLoop, Place::RootFuse, Place::RootUnpack] {
        if skip(place.needs()) {
            continue;
        }
        // The mounts around it are shared: what is mounted in the chroot would be seen outside.
        let script = "set -e; mount --make-rshared /; mount --rbind /dev \"$1/dev\"; mount -t proc proc \"$1/proc\"; \
                      before=$(wc -l < /proc/self/mountinfo); \
                      chroot \"$1\" /program.run -c 'cd /tmp && touch x && ls -d /bin/busybox /work /x; exit 0'; \
                      test $before = $(wc -l < /proc/self/mountinfo); ls \"$1/tmp\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(scratch.path());
        let ended = exec::run(command.env("POLECAT_MOUNT", place.rung())).success();
        assert_eq!(ended.out(), "/bin/busybox\n", "{place}: {ended}");
    }
}

/// The shared libraries and the loader that the stub of a test build needs; the real one is static.
fn libraries(program: &std::path::Path) -> Vec<String> {
    let listed = exec::run(Command::new("ldd").arg(program)).out();
    listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_kernel_that_forbids_namespaces_is_told_with_what_to_try() {
    let Some(bundle) = shell() else { return };
    let place = Place::UserUnpack;
    if skip(place.needs()) || skip(&[Need::Tool("strace")]) {
        return;
    }
    for (errno, words) in [
        ("EPERM", "forbidden"),
        ("ENOSPC", "user.max_user_namespaces"),
        ("EINVAL", "CONFIG_USER_NS"),
    ] {
        let inject = format!("inject=clone:error={errno}:when=1");
        let prefix = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=clone", "-e", &inject];
        let ended = exec::run(&mut bundle.command_behind(place, &prefix, &["-c", "echo ran"])).exits(125);
        assert_eq!(ended.out(), "", "{errno}");
        assert!(
            ended.err().contains("namespaces") && ended.err().contains(words),
            "{errno}: {ended}"
        );
    }
}
