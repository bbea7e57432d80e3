//! A program's report of itself, held against what is known from outside; and the same program in a box of another maker, to
//! know that the report can be believed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use support::bundle::Shared;
use support::host::Launcher;
use support::place::ORDINARY_USER;
use support::report::Report;
use support::requirement::{skip, tool};
use support::roots::{TINY_NEEDS, compile, probe};
use support::status::field;
use support::{Bundle, Need, Place, Scratch, exec, processes};

use crate::KEPT;

static PROBE: Shared = Shared::new(|| Bundle::pack(&[], &probe(&Scratch::new()), &["/bin/probe"]));

/// A start of the packed probe in every place, contained and not.
fn everywhere(check: impl Fn(Place, bool, &Bundle)) {
    if skip(&TINY_NEEDS) {
        return;
    }
    let bundle = PROBE.get();
    for place in Place::ALL.into_iter().filter(|place| !skip(place.needs())) {
        for contain in [false, true] {
            check(place, contain, &bundle);
        }
    }
}

/// Tests beside this one may have terminals open that every child gets.
fn start(bundle: &Bundle, place: Place, contain: bool) -> Command {
    let launcher = Launcher::new(bundle.scratch());
    let mut command = bundle.start_behind(place, &[&launcher.path().to_string_lossy(), "close-others"]);
    command.args(contain.then_some("--polecat-contain"));
    command
}

fn report(command: &mut Command) -> Report {
    Report::of(&exec::run(command.args(["report", "a b", "\u{e9}"])))
}

#[test]
fn what_it_reports_is_what_is_seen_from_outside() {
    everywhere(|place, contain, bundle| {
        let mut command = start(bundle, place, contain);
        let mut child = exec::spawn(command.arg("hold").stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut line).expect("a line");
        let inside = Report::parse(&line);
        let family = processes::family(child.id());
        let program = family
            .iter()
            .find(|process| process.name() == "probe")
            .unwrap_or_else(|| panic!("{place}: no probe in {family:?}"));
        let proc = format!("/proc/{}", program.id);
        let status = std::fs::read_to_string(format!("{proc}/status")).expect("its status");
        for (name, set) in [
            ("CapEff", &inside.capabilities.effective),
            ("CapPrm", &inside.capabilities.permitted),
            ("CapInh", &inside.capabilities.inheritable),
            ("CapBnd", &inside.capabilities.bounding),
            ("CapAmb", &inside.capabilities.ambient),
        ] {
            let told = set.iter().fold(0_u64, |bits, bit| bits | 1 << bit);
            let seen = field(&status, name).and_then(|text| u64::from_str_radix(text, 16).ok());
            assert_eq!(seen, Some(told), "{place}: {name}");
        }
        for name in ["NoNewPrivs", "Seccomp"] {
            assert_eq!(field(&status, name), inside.status(name).as_deref(), "{place}: {name}");
        }
        for (name, told) in &inside.namespaces {
            let seen = std::fs::read_link(format!("{proc}/ns/{name}")).expect("a namespace");
            assert_eq!(seen, Path::new(told), "{place}");
        }
        // Its parent is the box's own init, and that the monitor's child.
        assert_eq!((inside.pid, inside.ppid), (2, 1), "{place}");
        // From outside every id is the one of the caller's namespace.
        let id = place.id().to_string();
        let ids = [id.as_str(); 4].join("\t");
        assert_eq!(
            (field(&status, "Uid"), field(&status, "Gid")),
            (Some(&*ids), Some(&*ids)),
            "{place}"
        );
        drop(child.stdin.take());
        let _status = exec::wait("the probe", &mut child);
    });
}

#[test]
fn rights_and_ids() {
    everywhere(|place, contain, bundle| {
        let report = report(&mut start(bundle, place, contain));
        let kept: BTreeSet<u32> = if place.is_user() { BTreeSet::new() } else { KEPT.into() };
        let sets = &report.capabilities;
        assert_eq!(sets.effective, kept, "{place}: effective");
        assert_eq!(sets.permitted, kept, "{place}: permitted");
        assert_eq!(sets.bounding, kept, "{place}: bounding");
        assert_eq!(sets.inheritable, BTreeSet::new(), "{place}: inheritable");
        assert_eq!(sets.ambient, BTreeSet::new(), "{place}: ambient");
        assert!(report.no_new_privs, "{place}");
        assert_eq!((report.uid, report.gid), ([place.id(); 3], [place.id(); 3]), "{place}");
        let whole = place.id() == 0;
        let id = place.id().to_string();
        let line = if whole {
            ["0", "0", "4294967295"].map(str::to_owned)
        } else {
            // The namespace around it is the one where the caller is user 0.
            [id, "0".to_owned(), "1".to_owned()]
        };
        assert_eq!(report.uid_map, Some(vec![line.to_vec()]), "{place}");
        assert_eq!(report.gid_map, Some(vec![line.to_vec()]), "{place}");
    });
}

#[test]
fn what_a_process_inherits_is_the_callers() {
    everywhere(|place, contain, bundle| {
        // HUP ignored and USR1 blocked by nobody: the limits and the mask come through, and nothing of ours does.
        let line = "trap '' HUP PIPE; umask 027; ulimit -c 0; ulimit -n 77; exec \"$@\"";
        let mut command = bundle.start_behind(place, &["sh", "-c", line, "sh"]);
        command.args(contain.then_some("--polecat-contain"));
        let report = report(&mut command);
        assert_eq!(report.umask, 0o27, "{place}");
        assert_eq!(report.limits["core"][0], 0, "{place}");
        assert_eq!(report.limits["nofile"], [77, 77], "{place}");
        let bare = Report::of(&exec::run(
            place
                .command_behind(&["sh", "-c", line, "sh"], &program(bundle.scratch()))
                .arg("report"),
        ));
        assert_eq!(report.limits, bare.limits, "{place}");
        assert_eq!(
            (report.ignored, report.blocked),
            (bare.ignored, bare.blocked),
            "{place}"
        );
        assert_eq!(report.groups, bare.groups, "{place}");
        // What the program is told about the end of its parent is nobody's business but its own.
        assert_eq!(report.parent_death_signal, bare.parent_death_signal, "{place}");
        assert_eq!(report.dumpable, bare.dumpable, "{place}");
    });
}

/// The probe outside of any bundle.
fn program(scratch: &Scratch) -> std::path::PathBuf {
    let program = scratch.join("bare-probe");
    if !program.exists() {
        compile("probe.c", &program);
    }
    program
}

#[test]
fn words_variables_and_directory() {
    everywhere(|place, contain, bundle| {
        let mut command = start(bundle, place, contain);
        let report = report(command.env("TOKEN", "of the caller").env("LD_PRELOAD", "/evil.so"));
        // The bytes of UTF-8, each a character.
        assert_eq!(&report.arguments[1..], ["report", "a b", "\u{c3}\u{a9}"], "{place}");
        let passed = (!contain).then_some("of the caller");
        assert_eq!(report.variable("TOKEN"), passed, "{place}: {contain}");
        assert_eq!(report.variable("LD_PRELOAD"), None, "{place}");
        assert!(
            !report.environment.iter().any(|word| word.starts_with("POLECAT_")),
            "{place}"
        );
        let work = bundle.work().display().to_string();
        assert_eq!(
            report.cwd.as_deref(),
            Some(if contain { "/" } else { &work }),
            "{place}"
        );
    });
}

#[test]
fn nothing_of_the_host_is_open_or_mounted() {
    everywhere(|place, contain, bundle| {
        let report = report(&mut start(bundle, place, contain));
        let kinds = report.descriptors.iter().map(|it| (it.number, it.kind.as_str()));
        let expected = [(0, "character"), (1, "pipe"), (2, "pipe")];
        assert_eq!(kinds.collect::<Vec<_>>(), expected, "{place}");
        let root = report.mount_at("/").expect("a root");
        assert_eq!(
            root.kind,
            if place.rung() == "unpack" { "tmpfs" } else { "overlay" },
            "{place}"
        );
        let shared = [bundle.home(), bundle.work()].map(|path| path.display().to_string());
        for path in &shared {
            assert_eq!(report.mount_at(path).is_some(), !contain, "{place}: {path}");
        }
        // Whatever is of the host and is no device may not be written, but for what the caller shares.
        for mount in report.mounts() {
            let own = ["overlay", "tmpfs", "proc", "devpts", "devtmpfs", "mqueue"].contains(&mount.kind.as_str());
            let read_only = mount.options.split(',').any(|option| option == "ro");
            assert!(
                own || read_only || shared.contains(&mount.point),
                "{place}: contained {contain}: {mount:?}"
            );
        }
        assert!(
            report
                .mounts()
                .iter()
                .all(|mount| !mount.propagation.contains("shared:")),
            "{place}"
        );
    });
}

#[test]
fn a_terminal_is_the_callers() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let bundle = PROBE.get();
    for place in Place::ALL.into_iter().filter(|place| !skip(place.needs())) {
        let mut command = bundle.start_behind(place, &support::pty::NEW_SESSION);
        let terminal = support::pty::Terminal::start(command.arg("report"), 24, 80);
        let (status, printed) = terminal.end();
        assert!(status.success(), "{place}: {status}: {printed}");
        let report = Report::parse(printed.trim());
        assert!(report.controlling_terminal && report.foreground, "{place}: {printed}");
        let kinds = report.descriptors.iter().map(|it| it.kind.as_str());
        assert_eq!(kinds.take(3).collect::<Vec<_>>(), ["character"; 3], "{place}");
        // Its group and its session began outside.
        assert_eq!((report.pgid, report.sid), (0, 0), "{place}");
    }
}

/// bwrap(1) with these options over the host's root, as root or as an ordinary user, and what the probe reports in it.
fn in_bubblewrap(scratch: &Scratch, user: bool, options: &[&str]) -> Report {
    let program = program(scratch);
    let place = if user { Place::UserUnpack } else { Place::RootUnpack };
    let mut command = place.command(&tool("bwrap"));
    command
        .args(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"])
        .args(options)
        .arg(program)
        .current_dir("/")
        .env("TOKEN", "of the caller");
    report(&mut command)
}

#[test]
fn the_report_is_right_about_another_makers_box() {
    if skip(&TINY_NEEDS) || skip(&[Need::Root, Need::UserNamespaces, Need::Tool("bwrap")]) {
        return;
    }
    let scratch = Scratch::new();
    let bound = scratch.directory("bound").display().to_string();
    let outside = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).expect("a namespace");
    for user in [false, true] {
        let open = in_bubblewrap(&scratch, user, &["--bind", &bound, "/srv"]);
        let closed = in_bubblewrap(
            &scratch,
            user,
            &[
                "--unshare-all",
                "--cap-drop",
                "ALL",
                "--clearenv",
                "--chdir",
                "/tmp",
                "--as-pid-1",
            ],
        );
        // What bubblewrap says that it does, and nothing else.
        let is_own = |report: &Report, name: &str| outside(name) != Path::new(&report.namespaces[name]);
        for name in ["ipc", "net", "pid", "uts", "cgroup"] {
            assert!(!is_own(&open, name) && is_own(&closed, name), "{user}: {name}");
        }
        assert!(is_own(&open, "mnt") && is_own(&closed, "mnt"), "{user}");
        assert_eq!(closed.pid, 1, "{user}");
        assert!(open.pid > 2, "{user}");
        assert!(open.no_new_privs && closed.no_new_privs, "{user}");
        assert_eq!(closed.capabilities.effective, BTreeSet::new(), "{user}");
        assert_eq!(closed.capabilities.bounding, BTreeSet::new(), "{user}");
        assert_eq!(
            open.capabilities.effective.contains(&21),
            !user,
            "{user}: CAP_SYS_ADMIN"
        );
        assert_eq!(closed.cwd.as_deref(), Some("/tmp"), "{user}");
        assert_eq!(
            (open.variable("TOKEN"), closed.variable("TOKEN")),
            (Some("of the caller"), None)
        );
        let id = if user { ORDINARY_USER } else { 0 };
        assert_eq!((open.uid, closed.uid), ([id; 3], [id; 3]));
        let writable = |report: &Report, point: &str| {
            let mount = report.mount_at(point)?;
            Some(mount.options.split(',').next() == Some("rw"))
        };
        assert_eq!(writable(&open, "/"), Some(false), "{user}");
        assert_eq!(writable(&open, "/srv"), Some(true), "{user}");
        assert_eq!(writable(&closed, "/srv"), None, "{user}");
    }
    let one = in_bubblewrap(&scratch, false, &["--cap-drop", "ALL", "--cap-add", "CAP_NET_RAW"]);
    assert_eq!(one.capabilities.effective, BTreeSet::from([13]));
}
