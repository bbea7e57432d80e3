//! As whom a program runs, and with which network.

use std::fs;
use std::os::unix::net::UnixListener;

use support::{Place, Scratch, exec};

use crate::{SHELL, places, run, runtime_directory};

#[test]
fn without_a_network_there_is_loopback_and_nothing_else() {
    let line = "busybox cat /proc/net/dev /proc/net/route; busybox ls /sys/class/net; test -e /etc/resolv.conf && echo resolver; \
                (echo hi | busybox nc -l -p 7007 &) ; busybox sleep 1; busybox nc 127.0.0.1 7007 < /dev/null; \
                busybox nc -w 1 192.0.2.1 80 < /dev/null; echo $?; busybox readlink /proc/self/ns/net";
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let user = if place.is_user() {
            "--polecat-user=0"
        } else {
            "--polecat-net=none"
        };
        let ended = run(bundle.as_ref(), place, &["--polecat-net=none", user], line);
        let printed = ended.out();
        let devices = printed
            .lines()
            .filter_map(|line| Some(line.split_once(": ")?.0.trim()))
            .collect::<Vec<_>>();
        assert_eq!(devices, ["lo"], "{place}: {ended}");
        let routes = printed.lines().skip_while(|line| !line.starts_with("Iface")).skip(1);
        assert_eq!(
            routes.take(4).collect::<Vec<_>>()[..3],
            ["lo", "hi", "1"],
            "{place}: {ended}"
        );
        assert!(!printed.contains("resolver"), "{place}: {ended}");
        let outside = fs::read_link("/proc/self/ns/net").expect("a namespace");
        assert!(!printed.contains(&*outside.to_string_lossy()), "{place}: {ended}");
    }
}

#[test]
fn a_program_runs_as_who_was_asked_for() {
    let line = "busybox id -u; busybox id -g; busybox grep ^CapEff /proc/self/status; echo x > /tmp/x; busybox stat -c %u:%g /tmp/x; echo x > $0/as-$1";
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        for (user, uid, gid) in [("0", 0, 0), ("33:44", 33, 44), ("root", 0, 0), ("who", 0, 0)] {
            let option = format!("--polecat-user={user}");
            let mut command = bundle.start(place);
            let (work, name) = (bundle.work(), format!("{}-{}-{uid}", place.id(), place.rung()));
            command.args([&option, "--", "-c", line]).arg(&work).arg(&name);
            let ended = exec::run(&mut command);
            if user == "who" {
                assert_eq!(ended.code(), Some(125), "{place}: {ended}");
                assert!(
                    ended.err().contains("no user or group of this name"),
                    "{place}: {ended}"
                );
                continue;
            }
            let printed = ended.success().out();
            assert!(
                printed.starts_with(&format!("{uid}\n{gid}\n")),
                "{place}: {user}: {printed}"
            );
            assert!(
                printed.ends_with(&format!("{uid}:{gid}\n")),
                "{place}: {user}: {printed}"
            );
            assert_eq!(
                printed.contains("CapEff:\t0000000000000000"),
                uid != 0,
                "{place}: {printed}"
            );
            // On the host root's programs are who they are, and a user's are the user.
            let owner =
                std::os::unix::fs::MetadataExt::uid(&fs::metadata(work.join(format!("as-{name}"))).expect("a file"));
            assert_eq!(owner, if place.is_user() { place.id() } else { uid }, "{place}: {user}");
        }
    }
}

#[test]
fn the_runtime_directory_belongs_to_whom_the_program_runs_as() {
    let line = "busybox stat -c %u:%g:%a $XDG_RUNTIME_DIR; echo x > $XDG_RUNTIME_DIR/own && echo written";
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let runtime = runtime_directory(&scratch, place);
        let _listener = UnixListener::bind(runtime.join("wayland-0")).expect("a socket");
        for (option, owner) in [("--polecat-user=33:44", "33:44"), ("--polecat-user=0", "0:0")] {
            let mut command = bundle.start(place);
            command.env("XDG_RUNTIME_DIR", &runtime);
            command.args([option, "--polecat-share=none,wayland", "--", "-c", line]);
            let ended = exec::run(&mut command).success();
            assert_eq!(ended.out(), format!("{owner}:700\nwritten\n"), "{place}: {ended}");
        }
        assert!(!runtime.join("own").exists(), "{place}");
    }
}

#[test]
fn another_user_keeps_what_is_added_and_nothing_else() {
    let line = "busybox grep -E '^Cap(Eff|Bnd|Amb)' /proc/self/status";
    for place in places(&[Place::RootLoop, Place::RootUnpack]) {
        let bundle = SHELL.get();
        let bits = |bits: u64| format!("CapEff:\t{bits:016x}\nCapBnd:\t{bits:016x}\nCapAmb:\t{bits:016x}\n");
        for (add, expected) in [
            (&[][..], bits(0)),
            (&["--polecat-cap-add=net_bind_service"], bits(1 << 10)),
        ] {
            let required = ["--polecat-user=33", "--polecat-require=capabilities"];
            let ended = run(bundle.as_ref(), place, &[&required[..], add].concat(), line).success();
            assert_eq!(ended.out(), expected, "{place}: {ended}");
        }
    }
}
