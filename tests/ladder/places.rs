//! Which directory the files are put into, who is not trusted with it, and what is left there.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
    let home = scratch.home();
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
    let home = scratch.home();
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
        let home = scratch.home();
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
        let home = scratch.home();
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
    said(
        command
            .args(["-c", "echo ${0%/bin/*}; read wait"])
            .stderr(Stdio::null()),
    )
}

/// Starts what says a line first.
fn said(command: &mut Command) -> (Child, String) {
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

/// What a program does to its files is no other start's matter: they are its user's, so it can.
#[test]
fn every_start_has_files_of_its_own() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
    let forge = "tree=${0%/bin/*}; busybox chmod -R u+w $tree; busybox cp $tree/bin/busybox $tree/bin/other; \
                 echo forged >> $tree/bin/other; busybox mv $tree/bin/other $tree/bin/busybox; echo $tree; read wait";
    command.args(["-c", forge]).stderr(Stdio::null());
    let (first, tree) = said(&mut command);
    assert!(tree.starts_with(home.to_str().expect("text")), "{tree}");
    let forged =
        |tree: &str| fs::read(Path::new(tree).join("bin/busybox")).is_ok_and(|text| text.ends_with(b"forged\n"));
    assert!(forged(&tree), "it is replaced");
    let (second, other) = waiting(&bundle, &home);
    assert!(other != tree && !forged(&other), "{tree}, {other}");
    let busybox = Path::new(&other).join("bin/busybox");
    let mode = fs::symlink_metadata(&busybox)
        .expect("the program")
        .permissions()
        .mode();
    assert_eq!(mode & 0o222, 0, "nobody writes: {mode:o}");
    assert!(Path::new(&tree).exists(), "the first one's stays");
    end(first);
    assert!(!Path::new(&tree).exists(), "it is gone with it");
    assert!(busybox.exists(), "the other's stays");
    end(second);
    assert_empty(&home);
}

/// A runtime directory is the session's to make, and a cache that was there is the user's.
#[test]
fn nothing_is_made_or_removed_that_is_not_its_own() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
    let runtime = home.join("runtime");
    let ended = exec::run(command.env("XDG_RUNTIME_DIR", &runtime).args(SAYS)).exits(7);
    assert!(ended.err().contains("disk: left: look at "), "{ended}");
    assert!(ended.err().contains("/.cache/polecat-"), "{ended}");
    assert_empty(&home);
    let cache = scratch.directory("home/.cache");
    chown(&cache, Some(ORDINARY_USER), Some(ORDINARY_USER)).expect("root");
    // A directory in this one has its set-group-id bit.
    scratch.permit(&cache, 0o2755);
    let used = format!("disk: in {}/polecat-{ORDINARY_USER}/", cache.display());
    let ended = prepared("", Caller::UserWithoutFuse, &bundle, &home).exits(7);
    assert!(ended.err().contains(&used), "{ended}");
    assert_eq!(fs::read_dir(&cache).expect("the user's").count(), 0, "{ended}");
}

/// Whoever can rename a directory above has what is in it.
#[test]
fn what_is_above_is_judged_too() {
    let Some(bundle) = shell() else { return };
    let name = format!("polecat-{ORDINARY_USER}");
    for (mode, used) in [(0o755, true), (0o775, false), (0o757, false)] {
        let scratch = Scratch::new();
        let home = scratch.home();
        let above = scratch.directory("home/above");
        let cache = scratch.directory("home/above/cache");
        for directory in [&above, &cache] {
            chown(directory, Some(ORDINARY_USER), Some(ORDINARY_USER)).expect("root");
        }
        scratch.permit(&above, mode);
        let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
        let ended = exec::run(command.env("XDG_CACHE_HOME", &cache).args(SAYS)).exits(7);
        let holds = ended.err().contains(&format!("disk: in {}/{name}/", cache.display()));
        let left = ended.err().contains("/above is not this user's alone");
        assert_eq!((holds, left), (used, !used), "{mode:o}: {ended}");
        // Nothing is made where nothing would be put.
        let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &above);
        let _ended = exec::run(command.args(SAYS)).exits(7);
        assert!(!above.join(".cache").exists(), "{mode:o}");
    }
}

#[test]
fn fifty_at_once_unpack_and_clear_up() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
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

/// As a crash leaves it: files, a socket's name, and a lock that nobody holds; and a link, as nobody leaves it.
#[test]
fn what_was_left_is_removed_and_not_followed() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let kept = scratch.directory("kept");
    fs::write(kept.join("file"), "kept").expect("a file");
    let cache = scratch.directory("home/.cache");
    let place = cache.join(format!("polecat-{ORDINARY_USER}"));
    let deep = place.join("1-2/deep/er");
    fs::create_dir_all(&deep).expect("a directory");
    fs::write(deep.join("file"), "left").expect("a file");
    symlink(&kept, place.join("1-2/deep/link")).expect("a link");
    symlink(&kept, place.join("3-4")).expect("a link");
    for name in ["1-2.notify", "1-2.lock", "3-4.lock"] {
        fs::write(place.join(name), "").expect("a file");
    }
    for owned in [&kept, &cache] {
        let status = std::process::Command::new("chown")
            .args(["-R", &format!("{ORDINARY_USER}:{ORDINARY_USER}")])
            .arg(owned)
            .status()
            .expect("chown");
        assert!(status.success());
    }
    scratch.permit(&place, 0o700);
    scratch.permit(&deep, 0o000);
    let ended = prepared("", Caller::UserWithoutFuse, &bundle, &home).exits(7);
    assert!(
        ended.err().contains(&format!("disk: in {}/", place.display())),
        "{ended}"
    );
    assert!(!place.exists(), "swept: {ended}");
    assert_eq!(fs::read_to_string(kept.join("file")).expect("not followed"), "kept");
}
