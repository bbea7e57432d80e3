//! `--cap-add` and `--cap-drop`.

use crate::{Bundle, NEEDS, PLAIN, Place, everywhere, field, line, pack, skip};

const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// As capabilities(7) numbers them.
const KILL: u64 = 1 << 5;
const NET_BIND_SERVICE: u64 = 1 << 10;
const SYS_CHROOT: u64 = 1 << 18;
const SYS_ADMIN: u64 = 1 << 21;
/// What a program of root's has by default.
const DEFAULT: u64 = 0xa000_25fb;

/// The sets of a program in the box.
fn sets(bundle: &Bundle, place: Place, options: &[&str]) -> [u64; 5] {
    let status = line(bundle, place, options, "busybox cat /proc/self/status")
        .success()
        .out();
    SETS.map(|name| {
        let set = field(&status, name).unwrap_or_else(|| panic!("{place}: no {name}: {status}"));
        u64::from_str_radix(set, 16).expect("a set")
    })
}

/// What this process, and a program of its place, could have at most.
fn callers() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    u64::from_str_radix(field(&status, "CapPrm").expect("CapPrm"), 16).expect("a set")
}

#[test]
fn the_last_word_counts() {
    everywhere(|place, bundle| {
        let default = if place.is_user() { 0 } else { DEFAULT };
        let cases: [(&[&str], u64); 6] = [
            (&[], default),
            (&["--polecat-cap-drop=kill"], default & !KILL),
            (&["--polecat-cap-drop", "all"], 0),
            (
                &["--polecat-cap-drop=all", "--polecat-cap-add=kill,net_bind_service"],
                KILL | NET_BIND_SERVICE,
            ),
            (&["--polecat-cap-add=CAP_KILL", "--polecat-cap-drop=All"], 0),
            (
                &["--polecat-cap-add=net_bind_service", "--polecat-cap-drop=kill"],
                (default | NET_BIND_SERVICE) & !KILL,
            ),
        ];
        for (options, expected) in cases {
            let [inheritable, permitted, effective, bounding, ambient] = sets(bundle, place, options);
            assert_eq!((permitted, effective), (expected, expected), "{place} {options:?}");
            assert_eq!(bounding & !expected, 0, "{place} {options:?}: bounding {bounding:x}");
            // User 0 has them by being user 0; nobody else keeps them over execve(2) but so.
            let kept = if place.is_user() { expected } else { 0 };
            assert_eq!((inheritable, ambient), (kept, kept), "{place} {options:?}");
        }
    });
}

#[test]
fn never_more_than_the_caller_has_and_never_chroot_unless_named() {
    everywhere(|place, bundle| {
        let [_, permitted, ..] = sets(bundle, place, &["--polecat-cap-add=all"]);
        assert_eq!(permitted & SYS_CHROOT, 0, "{place}: {permitted:x}");
        assert_ne!(permitted & SYS_ADMIN, 0, "{place}: {permitted:x}");
        if !place.is_user() {
            assert_eq!(permitted & !callers(), 0, "{place}: {permitted:x}");
        }
        let [_, with, ..] = sets(bundle, place, &["--polecat-cap-add=all,sys_chroot"]);
        assert_eq!(with, permitted | SYS_CHROOT, "{place}");
        let chroot = |options| line(bundle, place, options, "busybox chroot / busybox true").code();
        assert_eq!(chroot(&["--polecat-cap-add=all"]), Some(1), "{place}");
        assert_eq!(chroot(&["--polecat-cap-add=sys_chroot"]), Some(0), "{place}");
    });
}

/// In its own user namespace it has them over what is made there, and over nothing of the host's or of the box.
#[test]
fn an_ordinary_users_mean_nothing_outside() {
    everywhere(|place, bundle| {
        if !place.is_user() {
            return;
        }
        let options = ["--polecat-cap-add=all,sys_chroot"];
        for (call, told) in [
            ("busybox mount -t tmpfs x /tmp", "denied"),
            ("busybox mount -o remount,rw,bind /sys", "denied"),
            ("busybox umount /proc", "not permitted"),
            ("busybox hostname x", "not permitted"),
        ] {
            let ended = line(bundle, place, &options, call);
            let refused = ended.err().contains(told) || ended.err().contains("ermitted");
            assert!(ended.code() == Some(1) && refused, "{place}: {call}: {ended}");
        }
    });
}

#[test]
fn packed_ones_hold_and_the_caller_narrows() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = pack(&["--cap-drop", "all", "--cap-add", "kill"]);
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        for (options, expected) in [
            (&[][..], KILL),
            (&["--polecat-cap-drop=kill"], 0),
            (&["--polecat-cap-drop=all"], 0),
            (&["--polecat-cap-add=net_bind_service"], KILL | NET_BIND_SERVICE),
        ] {
            let [_, permitted, ..] = sets(&bundle, place, options);
            assert_eq!(permitted, expected, "{place} {options:?}");
        }
    }
}

#[test]
fn names_that_mean_nothing() {
    everywhere(|place, bundle| {
        for option in [
            "--polecat-cap-add=telepathy",
            "--polecat-cap-drop=",
            "--polecat-cap-add=kill,",
        ] {
            let ended = line(bundle, place, &[option], "echo started").exits(125);
            assert!(
                ended.err().contains("expected names of capabilities(7)"),
                "{place}: {ended}"
            );
            assert_eq!(ended.out(), "", "{place}");
        }
    });
    let _plain = PLAIN.get();
}
