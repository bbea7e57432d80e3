//! What a program sees of its box, and of the machine around it: read from inside, by a shell that was packed.

#![forbid(unsafe_code)]

#[path = "isolation/probe.rs"]
mod probe;

use std::collections::BTreeSet;
use std::path::Path;

use support::bundle::Shared;
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::status::{field, mounts};
use support::{Bundle, Ended, Place, Scratch};

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));

/// In every place: runs a line in the packed shell, where `busybox` has all the tools.
fn everywhere(line: &str, check: impl Fn(Place, &Bundle, &Ended)) {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = SHELL.get();
    for place in Place::ALL {
        if !skip(place.needs()) {
            check(place, &bundle, &bundle.run(place, ["-c", line]));
        }
    }
}

/// The capabilities that a program of root's keeps, as capability(7) numbers them: chown, dac_override, fowner, fsetid,
/// kill, setgid, setuid, setpcap, net_bind_service, net_raw, audit_write, setfcap.
const KEPT: [u32; 12] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 29, 31];

#[test]
fn capabilities_are_few_for_root_and_none_for_users() {
    everywhere("busybox cat /proc/self/status", |place, _, ended| {
        let status = ended.out();
        let set = |name| {
            let text = field(&status, name).unwrap_or_else(|| panic!("{place}: no {name}: {ended}"));
            u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{place}: {name} {text}"))
        };
        let kept: u64 = if place.is_user() {
            0
        } else {
            KEPT.iter().map(|bit| 1 << bit).sum()
        };
        assert_eq!(set("CapBnd") & !kept, 0, "{place}: bounding {:x}", set("CapBnd"));
        assert_eq!(set("CapPrm"), kept, "{place}: permitted {:x}", set("CapPrm"));
        assert_eq!(set("CapEff"), kept, "{place}: effective {:x}", set("CapEff"));
        assert_eq!(set("CapInh") & !kept, 0, "{place}: inheritable {:x}", set("CapInh"));
        assert_eq!(set("CapAmb") & !kept, 0, "{place}: ambient {:x}", set("CapAmb"));
        assert_eq!(field(&status, "NoNewPrivs"), Some("1"), "{place}");
    });
}

#[test]
fn user_and_groups_are_the_callers() {
    everywhere(
        "busybox cat /proc/self/status; busybox id -un; busybox id -gn",
        |place, _, ended| {
            let printed = ended.out();
            let id = place.id().to_string();
            let four = [id.as_str(); 4].join("\t");
            assert_eq!(field(&printed, "Uid"), Some(four.as_str()), "{place}: {ended}");
            assert_eq!(field(&printed, "Gid"), Some(four.as_str()), "{place}: {ended}");
            // The caller has an entry in passwd and group even where the image has none.
            let names: Vec<&str> = printed.lines().rev().take(2).collect();
            assert!(
                names.iter().all(|name| !name.is_empty() && !name.contains("unknown")),
                "{place}: {ended}"
            );
            assert_eq!(ended.code(), Some(0), "{place}: {ended}");
        },
    );
}

#[test]
fn the_program_is_process_2_and_sees_no_other_of_the_host() {
    everywhere(
        "echo $$; for p in /proc/[0-9]*; do echo ${p#/proc/}; done",
        |place, _, ended| {
            assert_eq!(ended.out(), "2\n1\n2\n", "{place}: {ended}");
        },
    );
}

#[test]
fn namespaces_are_its_own_and_the_network_is_the_hosts() {
    let names = ["mnt", "pid", "ipc", "uts", "net", "user"];
    let line = format!(
        "for n in {}; do busybox readlink /proc/self/ns/$n; done",
        names.join(" ")
    );
    everywhere(&line, |place, _, ended| {
        let printed = ended.out();
        let inside: Vec<&str> = printed.lines().collect();
        assert_eq!(inside.len(), names.len(), "{place}: {ended}");
        for (name, inside) in names.iter().zip(inside) {
            let outside = std::fs::read_link(format!("/proc/self/ns/{name}")).expect("a namespace");
            let shared = *name == "net" || (*name == "user" && !place.is_user());
            assert_eq!(outside == Path::new(inside), shared, "{place}: {name}: {inside}");
        }
    });
}

#[test]
fn devices_are_the_harmless_ones() {
    let line = "cd /dev; for f in * .*; do echo $f; done; echo -- ; \
                for d in null zero full random urandom tty ptmx; do \
                test -c $d && test -w $d && echo $d; done";
    everywhere(line, |place, _, ended| {
        let printed = ended.out();
        let (all, usable) = printed.split_once("--\n").unwrap_or_else(|| panic!("{place}: {ended}"));
        let all: BTreeSet<&str> = all.lines().filter(|name| !matches!(*name, "." | ".." | ".*")).collect();
        let wanted = [
            "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero",
        ];
        let allowed: BTreeSet<&str> = wanted.into_iter().chain(["console", "core", "mqueue"]).collect();
        assert!(all.is_subset(&allowed), "{place}: {all:?}");
        assert!(all.is_superset(&BTreeSet::from(wanted)), "{place}: {all:?}");
        assert_eq!(usable, "null\nzero\nfull\nrandom\nurandom\ntty\nptmx\n", "{place}");
    });
}

#[test]
fn mounts_are_the_documented_ones() {
    everywhere("busybox cat /proc/self/mountinfo", |place, bundle, ended| {
        let mounts = mounts(&ended.out());
        let find = |point: &str| {
            let mut found = mounts.iter().rev().filter(|mount| mount.point == point);
            found
                .next()
                .unwrap_or_else(|| panic!("{place}: nothing at {point}: {ended}"))
        };
        assert_eq!(
            find("/").kind,
            if place.rung() == "unpack" { "tmpfs" } else { "overlay" },
            "{place}: {ended}"
        );
        for (point, kind) in [
            ("/proc", "proc"),
            ("/dev", "tmpfs"),
            ("/dev/pts", "devpts"),
            ("/tmp", "tmpfs"),
            ("/run", "tmpfs"),
        ] {
            assert_eq!(find(point).kind, kind, "{place}: {point}: {ended}");
        }
        let read_only = |mount: &support::status::Mount| mount.options.split(',').any(|option| option == "ro");
        assert!(
            mounts
                .iter()
                .filter(|mount| mount.point.starts_with("/sys"))
                .all(read_only),
            "{place}: {ended}"
        );
        assert_eq!(find("/sys").kind, "sysfs", "{place}: {ended}");
        for shared in [bundle.home(), bundle.work()] {
            let _there = find(&shared.display().to_string());
        }
        let shared = mounts.iter().find(|mount| mount.propagation.contains("shared:"));
        assert_eq!(shared, None, "{place}: events would go out to the host");
        let known = |point: &str| {
            let tops = ["/proc", "/sys", "/dev", "/tmp", "/run", "/etc"].map(Path::new);
            let own = [bundle.home(), bundle.work()];
            point == "/"
                || tops.iter().any(|top| Path::new(point).starts_with(top))
                || own.iter().any(|path| path == Path::new(point))
        };
        let strange: Vec<&str> = mounts
            .iter()
            .map(|mount| mount.point.as_str())
            .filter(|point| !known(point))
            .collect();
        assert_eq!(strange, [""; 0], "{place}");
    });
}

#[test]
fn only_home_and_working_directory_of_the_host_are_there() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = SHELL.get();
    let secret = bundle.scratch().file("secret", "of the host");
    bundle.scratch().file("home/of-home", "h\n");
    bundle.scratch().file("work/of-work", "w\n");
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let line = format!(
            "busybox cat $HOME/of-home of-work; test -e {} && echo seen; pwd",
            secret.display()
        );
        let ended = bundle.run(place, ["-c", &line]);
        assert_eq!(
            ended.out(),
            format!("h\nw\n{}\n", bundle.work().display()),
            "{place}: {ended}"
        );
        // Only these names lead to them: everything else of their parents is the box's own.
        let outside = secret.parent().expect("a parent").display().to_string();
        let listed = bundle
            .run(place, ["-c", &format!("cd {outside} && for f in *; do echo $f; done")])
            .success();
        assert_eq!(listed.out(), "home\nwork\n", "{place}");
    }
}

#[test]
fn what_it_writes_is_gone_and_what_it_writes_at_home_is_not() {
    let line = "set -e; echo changed > /etc/passwd; echo new > /new; busybox mkdir /usr/own; busybox rm /bin/sh; \
                busybox cat /new; echo kept > $HOME/kept-$1; echo kept > kept-$1; busybox cat /etc/passwd";
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = SHELL.get();
    let before = std::fs::read(bundle.path()).expect("the bundle");
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let name = format!("{}-{}", place.id(), place.rung());
        let ended = bundle.run(place, ["-c", line, "sh", &name]).success();
        assert_eq!(ended.out(), "new\nchanged\n", "{place}: {ended}");
        for kept in [bundle.home(), bundle.work()] {
            let text = std::fs::read_to_string(kept.join(format!("kept-{name}"))).expect("what was written");
            assert_eq!(text, "kept\n", "{place}");
        }
        let again = bundle
            .run(place, ["-c", "test -e /new || test -e /usr/own || echo gone"])
            .success();
        assert_eq!(again.out(), "gone\n", "{place}");
    }
    assert!(
        std::fs::read(bundle.path()).expect("the bundle") == before,
        "the bundle was changed"
    );
    assert!(!Path::new("/new").exists(), "written to the host");
}

#[test]
fn what_would_lead_out_is_refused() {
    let attempts = [
        ("a device", "busybox mknod /tmp/disk b 7 0"),
        ("another root", "busybox chroot / busybox true"),
        ("a mount", "busybox mount -t tmpfs none /tmp"),
        ("an unmount", "busybox umount /proc"),
        ("a writable /sys", "busybox mount -o remount,rw /sys"),
        ("a kernel parameter", "echo 1 > /proc/sys/kernel/panic"),
        ("a name for the machine", "busybox hostname elsewhere"),
        (
            "the clock",
            "busybox date -s 2000-01-01; test $(busybox date +%Y) = 2000",
        ),
        ("a module", "busybox insmod /bin/busybox"),
    ];
    for (what, line) in attempts {
        everywhere(line, |place, _, ended| {
            assert!(
                ended.code().is_some_and(|code| code != 0),
                "{place}: {what} was allowed: {ended}"
            );
            assert!(!ended.err().is_empty(), "{place}: {what}: no word on it: {ended}");
        });
    }
}

#[test]
fn a_closed_box_shares_neither_files_nor_environment() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let line = "busybox env; pwd; test -e \"$1\" && echo seen";
    let scratch = Scratch::new();
    let packed_closed = Bundle::pack(&["--contain"], &busybox(&scratch), &["/bin/sh"]);
    let packed_open = SHELL.get();
    for (bundle, variable) in [(&packed_closed, None), (&*packed_open, Some("1"))] {
        for place in Place::ALL {
            if skip(place.needs()) {
                continue;
            }
            let mut command = bundle.start(place);
            command
                .args(["-c", line, "sh"])
                .arg(bundle.work())
                .env("SECRET_OF_THE_CALLER", "yes")
                .env("LANG", "C.UTF-8");
            if let Some(value) = variable {
                command.env("POLECAT_CONTAIN", value);
            }
            let ended = support::exec::run(&mut command);
            let printed = ended.out();
            assert!(!printed.contains("SECRET_OF_THE_CALLER"), "{place}: {ended}");
            assert!(!printed.contains("seen"), "{place}: {ended}");
            assert!(!printed.contains(&*bundle.home().to_string_lossy()), "{place}: {ended}");
            assert!(printed.lines().any(|line| line == "LANG=C.UTF-8"), "{place}: {ended}");
            assert!(printed.lines().any(|line| line == "TERM=xterm"), "{place}: {ended}");
            assert!(
                printed.lines().any(|line| line.starts_with("HOME=/")),
                "{place}: {ended}"
            );
        }
    }
}

#[test]
fn the_caller_cannot_open_a_closed_box() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let bundle = Bundle::pack(&["--contain"], &busybox(&scratch), &["/bin/sh"]);
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        for value in ["0", "", "no", "false"] {
            let mut command = bundle.start(place);
            let home = bundle.home();
            command
                .args(["-c", "test -e \"$1\" || echo closed", "sh"])
                .arg(home)
                .env("POLECAT_CONTAIN", value);
            // Refusing the value is as good as ignoring it.
            let ended = support::exec::run(&mut command);
            assert!(
                ended.out() == "closed\n" || ended.code() == Some(125),
                "{place}: {value:?}: {ended}"
            );
        }
    }
}

#[test]
fn host_names_and_time_zone_are_the_hosts() {
    everywhere(
        "busybox cat /etc/resolv.conf; echo --; busybox cat /etc/hosts",
        |place, _, ended| {
            let printed = ended.out();
            let (resolver, hosts) = printed.split_once("--\n").unwrap_or_else(|| panic!("{place}: {ended}"));
            for (inside, path) in [(resolver, "/etc/resolv.conf"), (hosts, "/etc/hosts")] {
                if let Ok(outside) = std::fs::read_to_string(path) {
                    assert_eq!(inside, outside, "{place}: {path}");
                }
            }
        },
    );
}
