//! What the app may do, as /proc/self/status has it.

use std::process::Command;

use support::requirement::skip;
use support::status::field;
use support::{Need, Place, exec};

use crate::{places, shell};

/// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW AUDIT_WRITE SETFCAP.
const KEPT: u64 = 0b1010_0000_0000_0000_0010_0101_1111_1011;

/// Capabilities that these tests have themselves.
fn own() -> u64 {
    set(&std::fs::read_to_string("/proc/self/status").unwrap(), "CapEff")
}

fn set(status: &str, name: &str) -> u64 {
    u64::from_str_radix(field(status, name).expect(name), 16).unwrap()
}

#[test]
fn capabilities_are_few_and_none() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let status = bundle.run(place, "cat /proc/self/status").success().out();
        let allowed = if place.is_user() { 0 } else { KEPT & own() };
        for (name, expected) in [
            ("CapPrm", allowed),
            ("CapEff", allowed),
            ("CapBnd", allowed),
            ("CapInh", 0),
            ("CapAmb", 0),
        ] {
            assert_eq!(set(&status, name), expected, "{place}: {name}");
        }
        assert_eq!(field(&status, "NoNewPrivs"), Some("1"), "{place}");
    }
}

#[test]
fn ids_are_the_callers_and_nobody_elses() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let printed = bundle
            .run(place, "id -u; id -g; cat /proc/self/uid_map")
            .success()
            .out();
        let lines: Vec<&str> = printed.lines().collect();
        let id = place.id().to_string();
        assert_eq!(lines[..2], [&id, &id], "{place}");
        let map: Vec<&str> = lines[2].split_whitespace().collect();
        let expected = if place.is_user() {
            [&id, "0", "1"]
        } else {
            ["0", "0", "4294967295"]
        };
        assert_eq!(map, expected, "{place}: {printed}");
    }
}

#[test]
fn init_and_the_app_are_alone() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let line = "echo $PPID; cat /proc/1/comm; set -- /proc/[0-9]*; echo $#";
        let printed = bundle.run(place, line).success().out();
        assert_eq!(printed, "1\npolecat-init\n2\n", "{place}");
    }
}

#[test]
fn nothing_gets_out_of_the_root() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for line in [
            "chroot /tmp /bin/true",
            "echo x > /sys/kernel/uevent_helper",
            "echo x > /proc/sys/kernel/hostname",
        ] {
            let ended = bundle.run(place, line);
            assert_ne!(ended.code(), Some(0), "{place}: {line}: {ended}");
        }
        let printed = bundle.run(place, "cd /; cd ../../..; ls; readlink /proc/1/root").out();
        assert!(printed.starts_with("bin\ndev\n"), "{place}: {printed}");
    }
}

#[test]
fn root_without_the_right_to_mount_gets_a_user_namespace() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Root, Need::UserNamespaces, Need::Tool("setpriv")]) {
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_admin"]).arg(bundle.path());
    command.args([
        "-c",
        "id -u; cat /proc/self/uid_map; touch /new && ls -ln /new; cat /proc/self/status",
    ]);
    let printed = exec::run(command.current_dir("/").env("POLECAT_MOUNT", "unpack"))
        .success()
        .out();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "0");
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>(),
        ["0", "0", "1"],
        "{printed}"
    );
    assert!(lines[2].contains(" 0        0 "), "{printed}");
    assert_eq!(set(&printed, "CapEff"), KEPT & own(), "within its namespace");
}

#[test]
fn more_rights_than_the_caller_has_are_refused() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Root]) {
        return;
    }
    let scratch = support::Scratch::new();
    let set_id = scratch.join("set-id.run");
    exec::copy(&bundle.path(), &set_id);
    scratch.permit(&set_id, 0o4755);
    let ended = exec::run(Place::UserUnpack.command(&set_id).args(["-c", "echo ran"])).exits(125);
    assert_eq!(ended.out(), "");
    assert!(ended.err().contains("more rights"), "{ended}");
}
