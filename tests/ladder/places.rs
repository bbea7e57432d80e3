//! Which directory the files are put into, who is not trusted with it, and how starts share it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Child, Stdio};

use support::exec::{self, Ended};
use support::place::ORDINARY_USER;
use support::{Bundle, Scratch};

use crate::{Caller, Host, NO_USER_NAMESPACES, assert_empty, shell};

const SAYS: [&str; 2] = ["-c", "busybox dirname $0; exit 7"];

/// With these lines of a shell before it, which see the home as `$HOME`.
fn prepared(prepare: &'static str, caller: Caller, bundle: &Bundle, home: &Path) -> Ended {
    let host = Host {
        prepare,
        ..NO_USER_NAMESPACES
    };
    exec::run(host.start(caller, bundle, home).args(SAYS))
}

#[test]
fn a_directory_that_cannot_execute_is_left() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.open_directory("home");
    let covered =
        "mount -t tmpfs -o noexec,mode=1777 tmpfs \"$HOME\"; mount -t tmpfs -o noexec,mode=1777 tmpfs /var/tmp";
    let ended = prepared(covered, Caller::UserWithoutFuse, &bundle, &home).exits(7);
    let left = format!(
        "disk: left: nothing in {}/.cache/polecat-{ORDINARY_USER} can be executed",
        home.display()
    );
    assert!(ended.err().contains(&left), "{ended}");
    assert!(
        ended.err().contains("disk: left: nothing in /var/tmp/polecat-"),
        "{ended}"
    );
    assert!(
        ended.err().contains(&format!("disk: in /tmp/polecat-{ORDINARY_USER}/")),
        "{ended}"
    );
    assert_empty(&home);
}

#[test]
fn where_nothing_can_be_written_it_is_said() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.open_directory("home");
    let read_only = "for d in \"$HOME\" /var/tmp /tmp; do mount --bind $d $d; mount -o remount,bind,ro $d; done";
    let ended = prepared(read_only, Caller::ContainerRoot, &bundle, &home).exits(125);
    for told in [
        "disk: make ",
        "Read-only file system",
        "namespaces: Operation not permitted",
    ] {
        assert!(ended.err().contains(told), "{told}: {ended}");
    }
    assert_empty(&home);
}

#[test]
fn a_strangers_directory_is_not_used() {
    let Some(bundle) = shell() else { return };
    let name = format!("polecat-{ORDINARY_USER}");
    for trap in ["owner", "mode", "link", "file"] {
        let scratch = Scratch::new();
        let home = scratch.open_directory("home");
        let cache = scratch.directory("home/.cache");
        chown(&cache, Some(ORDINARY_USER), Some(ORDINARY_USER)).expect("root");
        let ours = cache.join(&name);
        match trap {
            "link" => symlink(scratch.open_directory("elsewhere"), &ours).expect("a link"),
            "file" => fs::write(&ours, "x").expect("a file"),
            _ => {
                fs::create_dir(&ours).expect("a directory");
                let (owner, mode) = if trap == "owner" {
                    (0, 0o700)
                } else {
                    (ORDINARY_USER, 0o777)
                };
                chown(&ours, Some(owner), Some(owner)).expect("root");
                fs::set_permissions(&ours, fs::Permissions::from_mode(mode)).expect("root");
            }
        }
        let ended = prepared("", Caller::UserWithoutFuse, &bundle, &home).exits(7);
        assert!(
            ended
                .err()
                .contains(&format!("disk: left: {} is not this user's alone", ours.display())),
            "{trap}: {ended}"
        );
        assert!(ended.err().contains("disk: in /var/tmp/"), "{trap}: {ended}");
        assert!(ours.symlink_metadata().is_ok(), "{trap}: it is not ours to remove");
    }
    // A directory that others may write to without a sticky bit, and somebody else's.
    for (owner, mode) in [(ORDINARY_USER, 0o777), (1, 0o777)] {
        let scratch = Scratch::new();
        let home = scratch.open_directory("home");
        let cache = scratch.open_directory("home/.cache");
        chown(&cache, Some(owner), Some(owner)).expect("root");
        fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).expect("root");
        let ended = prepared("", Caller::UserWithoutFuse, &bundle, &home).exits(7);
        assert!(ended.err().contains("/.cache is not this user's alone"), "{ended}");
    }
}

/// Starts a shell that says where it is, and waits.
fn waiting(bundle: &Bundle, home: &Path) -> (Child, String) {
    let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, bundle, home);
    command
        .args(["-c", "echo ${0%/bin/*}; read wait"])
        .stderr(Stdio::null());
    let mut child = exec::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    (child, line.trim().to_owned())
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    let status = exec::wait("the shell", &mut child);
    assert!(status.code().is_some(), "{status}");
}

#[test]
fn starts_share_the_files_and_the_last_one_removes_them() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.open_directory("home");
    let (first, tree) = waiting(&bundle, &home);
    assert!(tree.starts_with(home.to_str().expect("text")), "{tree}");
    let busybox = Path::new(&tree).join("bin/busybox");
    let number = |path: &Path| {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).expect("the program").ino()
    };
    let inode = number(&busybox);
    assert_eq!(
        fs::metadata(&busybox).expect("it").permissions().mode() & 0o222,
        0,
        "nobody writes"
    );
    let more: Vec<_> = (0..6).map(|_| waiting(&bundle, &home)).collect();
    end(first);
    for (child, other) in more {
        assert_eq!(other, tree);
        assert_eq!(number(&busybox), inode, "unpacked once");
        end(child);
    }
    assert_empty(&home);
}

#[test]
fn fifty_at_once_unpack_and_clear_up() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.open_directory("home");
    let started: Vec<_> = (0..50)
        .map(|_| {
            let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
            let command = command.args(["-c", "exit 7"]).stdin(Stdio::null());
            exec::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
        })
        .collect();
    for child in started {
        let _ended = exec::finish("one of fifty".into(), child).exits(7);
    }
    assert_empty(&home);
}

#[test]
fn what_was_left_is_not_believed() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.open_directory("home");
    let (first, tree) = waiting(&bundle, &home);
    end(first);
    // As a crash leaves it: complete by its name, and a half-written one, and one of another image. Nobody holds them.
    let place = Path::new(&tree).parent().expect("a place");
    fs::create_dir_all(place).expect("a directory");
    let other = place.join("0".repeat(64));
    for directory in [
        Path::new(&tree).join("bin"),
        place.join(format!("{tree}.new/deep/er")),
        other.join("x"),
    ] {
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("busybox"), "#!/bin/sh\necho forged\n").expect("a file");
        fs::set_permissions(directory.join("busybox"), fs::Permissions::from_mode(0o755)).expect("a file");
    }
    fs::write(place.join(format!("{}.lock", "0".repeat(64))), "").expect("a lock");
    let status = std::process::Command::new("chown")
        .args(["-R", &format!("{ORDINARY_USER}:{ORDINARY_USER}")])
        .arg(home.join(".cache"))
        .status()
        .expect("chown");
    assert!(status.success());
    // It would end with another status.
    exec::copy(&crate::deny(), &Path::new(&tree).join("bin/sh"));
    for directory in [home.join(".cache"), place.to_owned()] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("root");
    }
    fs::set_permissions(other.join("x"), fs::Permissions::from_mode(0o000)).expect("root");
    let ended = prepared("", Caller::UserWithoutFuse, &bundle, &home).exits(7);
    assert!(!ended.out().contains("forged"), "{ended}");
    let used = format!("disk: in {tree},");
    assert!(ended.err().contains(&used), "{ended}");
    assert!(!place.exists(), "swept");
}
