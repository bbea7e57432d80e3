//! Installing into a layer over the root file system, trying out, and packing what came of it.

#![forbid(unsafe_code)]

#[path = "build_scripts/document.rs"]
mod document;
#[path = "build_scripts/site.rs"]
mod site;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::processes::{family, wait_for_end};
use support::{Polecat, exec, wait};

use site::{Builder, Site};

const INSTALLING: &str = r#"
install = [
  "busybox mkdir -p /opt/app /usr/local/bin; echo installed > /opt/app/data; echo changed > /etc/kept; busybox ln -s busybox /bin/cat",
  '''
  busybox printf '#!/bin/sh\ncat /opt/app/data /etc/kept; test ! -e /etc/gone\n' > /usr/local/bin/app
  busybox chmod 750 /usr/local/bin/app
  busybox rm /etc/gone
  ''',
]
"#;

#[test]
fn what_is_installed_is_packed_and_the_root_file_system_stays() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        let before = site.contents();
        let ended = site.build(INSTALLING, &["--include", "/etc/*"], &["app"]).success();
        assert!(ended.err().contains("polecat: install: busybox mkdir"), "{ended}");
        assert_eq!(
            site.contents(),
            before,
            "{builder:?}: the root file system was written to"
        );
        assert_eq!(site.run(&[]).success().out(), "installed\nchanged\n", "{builder:?}");
    }
}

/// Files whose names nothing says.
const TESTING: &str = r#"
install = ["busybox mkdir /data; for i in 1 2 3; do echo $i > /data/x$i; done; busybox ln -s busybox /bin/cat"]
test = [
  "n=2; cat /data/x$n; echo test > /data/x1; echo made > /data/made",
  "cat /data/x1; test ! -e /opt; busybox mkdir /opt",
]
"#;

#[test]
fn what_tests_use_is_packed_and_what_they_write_is_not() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        let ended = site.build(TESTING, &[], &["sh"]).success();
        assert_eq!(ended.out().lines().count(), 3, "the report alone: {ended}");
        assert!(
            ended.err().contains("\n2\n") && ended.err().contains("\ntest\n"),
            "{ended}"
        );
        let ended = site.run(&["-c", "cat /data/x2 /data/x1; cd /data; echo *"]).success();
        // A test wrote over x1, and another read that: it is packed as it was installed.
        assert_eq!(ended.out(), "2\n1\nx1 x2\n", "{builder:?}");
    }
}

const LOOKING: &str = r#"
install = ["busybox id -u > seen; echo $HOME $USER $A $OF_THE_CALLER >> seen"]
test = ["busybox id -u >> seen; echo $HOME $A $OF_THE_CALLER >> seen; busybox whoami > /dev/null"]
[environment]
A = "a b"
"#;

#[test]
fn stages_run_as_whom_and_where_they_should() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        let _packed = site.build(LOOKING, &[], &["sh"]).success();
        let (id, home) = (builder.id(), site.scratch().join("home"));
        let seen = fs::read_to_string(site.work("seen")).expect("in the shared directory");
        let expected = format!("0\n/root root a b yes\n{id}\n{} a b yes\n", home.display());
        assert_eq!(seen, expected, "{builder:?}");
        // The program has none of it.
        assert_eq!(site.run(&["-c", "echo \"<$A>\""]).success().out(), "<>\n");
        fs::remove_file(site.work("seen")).expect("ours");
        let closed = r#"install = ['test -z "$OF_THE_CALLER"; test "$PWD" = /; echo x > seen']"#;
        let _packed = site.build(closed, &["--contain"], &["sh"]).success();
        assert!(!site.work("seen").exists(), "{builder:?}");
    }
}

const REACHING_OUT: &str = r#"
install = [
  "if busybox mknod /etc/node c 1 3; then exit 1; fi",
  "if busybox chroot / /bin/sh -c true; then exit 1; fi",
  "if busybox mount -t tmpfs none /etc; then exit 1; fi",
  "if busybox umount /proc; then exit 1; fi",
  "busybox grep -q 'NoNewPrivs:.*1' /proc/self/status",
  "set -- /proc/[0-9]*; test $# -lt 8",
]
test = [
  "if busybox mount -t tmpfs none /etc; then exit 1; fi",
  "if busybox umount /proc; then exit 1; fi",
  "busybox grep -q 'NoNewPrivs:.*1' /proc/self/status",
]
"#;

#[test]
fn commands_have_no_more_rights_than_a_bundle() {
    for builder in Builder::there() {
        let _packed = Site::new(builder).build(REACHING_OUT, &[], &["sh"]).success();
    }
}

#[test]
fn name_servers_are_there_whatever_the_root_file_system_says() {
    let Ok(servers) = fs::read_to_string("/etc/resolv.conf") else {
        return;
    };
    for builder in Builder::there() {
        for link in [None, Some("../run/systemd/resolve/stub-resolv.conf")] {
            let site = Site::new(builder);
            if let Some(link) = link {
                symlink(link, site.root().join("etc/resolv.conf")).expect("a link");
            }
            let script =
                "install = [\"busybox cat /etc/resolv.conf > one\"]\ntest = [\"busybox cat /etc/resolv.conf > two\"]";
            let _packed = site.build(script, &[], &["sh"]).success();
            for seen in ["one", "two"] {
                let seen = fs::read_to_string(site.work(seen)).expect("in the shared directory");
                assert_eq!(seen, servers, "{builder:?} {link:?}");
            }
        }
    }
}

#[test]
fn streams_may_be_closed() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            for options in [&[][..], &["-q"]] {
                let command = site.command("install = [\"echo out\"]\ntest = [\"echo out\"]", options, &["sh"]);
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("exec \"$@\" {closed}"), "sh"]);
                shell.arg(command.get_program()).args(command.get_args());
                for (name, value) in command.get_envs() {
                    shell.env(name, value.unwrap_or_default());
                }
                let ended = exec::run(shell.current_dir(site.work("")));
                assert!(site.output().exists(), "{builder:?} {closed}: {ended}");
                fs::remove_file(site.output()).expect("packed");
            }
        }
    }
}

/// A script, and what is said of the command of it that fails.
const FAILING: [(&str, &str); 4] = [
    (
        "install = [\"true\",\n  \"echo here; exit 3\", \"echo not here\"]\ntest = [\"echo not here\"]",
        "script.toml: line 2: install: echo here; exit 3: exit status 3\n",
    ),
    (
        "install = [\"true\"]\n\ntest = [\"busybox kill -9 $$\"]",
        "script.toml: line 3: test: busybox kill -9 $$: killed by signal 9\n",
    ),
    (
        "install = [\"\"\"\necho here\nfalse\necho not here\n\"\"\"]",
        "script.toml: line 1: install: echo here ...: exit status 1\n",
    ),
    (
        "test = [\"no-such-program\"]",
        "script.toml: line 1: test: no-such-program: exit status 127 (try: install the program first, in the list install)\n",
    ),
];

#[test]
fn a_command_that_fails_is_named() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        let before = site.contents();
        for (script, told) in FAILING {
            let ended = site.build(script, &[], &["sh"]).exits(6);
            assert!(ended.err().ends_with(told), "{builder:?}: {ended}");
            assert!(!ended.err().contains("\nnot here"), "{ended}");
            assert_eq!(ended.out(), "", "{builder:?}");
            assert!(!site.output().exists());
        }
        assert_eq!(site.contents(), before);
        let script = "install = [\"echo here; echo there >&2\", \"false\"]";
        let quiet = site.build(script, &["-q"], &["sh"]).exits(6);
        assert!(quiet.err().starts_with("there\npolecat: "), "{quiet}");
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let Some(builder) = Builder::there().next() else { return };
    let site = Site::new(builder);
    for (script, code, told) in [
        ("", 2, "neither install nor test"),
        ("install = [\"\"]", 2, "line 1: an empty command"),
        ("#!/bin/sh\necho", 2, "build script"),
        ("install = \"x\"", 2, "build script"),
        ("instal = [\"x\"]", 2, "unknown field"),
        // The program is looked for in what was installed.
        ("install = [\"true\"]", 5, "command: nothing: not found"),
    ] {
        let ended = site.build(script, &[], &["nothing"]).exits(code);
        assert!(ended.err().contains(told), "{ended}");
        assert!(!site.output().exists());
    }
    fs::remove_file(site.root().join("bin/sh")).expect("ours");
    let ended = site.build("install = [\"true\"]", &[], &["/bin/busybox"]).exits(125);
    assert!(
        ended.err().contains("/bin/sh of the root file system: No such file"),
        "{ended}"
    );
    let missing = site.work("missing.toml");
    let root = site.root();
    let words = ["-s".as_ref(), missing.as_os_str(), root.as_os_str(), "x".as_ref()];
    let ended = Polecat::new(site.scratch()).run(words).exits(1);
    assert!(
        ended.err().contains("build script") && ended.err().contains("missing.toml"),
        "{ended}"
    );
}

const LEAVING: &str = r#"
install = [
  "busybox ln -s busybox /bin/sleep; busybox setsid /bin/sleep 1000 > /dev/null 2>&1 &",
  "for i in 1 2 3 4 5 6 7 8 9; do busybox pidof sleep > alive && exit; busybox sleep 1; done; exit 1",
]
test = ["if busybox pidof sleep; then exit 1; fi; /bin/sleep 1000 > /dev/null 2>&1 &"]
"#;

#[test]
fn what_a_stage_leaves_running_ends_with_it() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        let _packed = site.build(LEAVING, &[], &["sh"]).success();
        let alive = fs::metadata(site.work("alive")).expect("in the shared directory");
        assert!(alive.len() > 0, "{builder:?}: it did not even begin");
    }
}

/// Ends a build that sleeps in one of its stages.
fn interrupt(builder: Builder, stage: &str, signal: Signal, to_all: bool) {
    let site = Site::new(builder);
    let before = site.contents();
    let script = format!("{stage} = [\"echo x > /etc/made; busybox sleep 1000\"]");
    let mut command = site.command(&script, &["-q"], &["sh"]);
    command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = exec::spawn(&mut command);
    wait::until("the command sleeps", || {
        family(child.id()).iter().any(|process| process.name() == "busybox")
    });
    let all = family(child.id());
    let id = i32::try_from(child.id()).expect("an id");
    // A terminal's Ctrl-C goes to all in the group.
    kill(Pid::from_raw(if to_all { -id } else { id }), signal).expect("a child of ours");
    let status = child.wait().expect("a child of ours");
    assert_eq!(status.signal(), Some(signal as i32), "{builder:?} {stage}: {status}");
    wait_for_end(&all);
    assert!(!site.output().exists());
    assert_eq!(site.contents(), before, "{builder:?} {stage}");
    let mounted = fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    assert!(
        !mounted.contains(site.scratch().path().to_str().expect("UTF-8")),
        "{mounted}"
    );
}

#[test]
fn an_interrupt_leaves_nothing() {
    for builder in Builder::there() {
        for stage in ["install", "test"] {
            interrupt(builder, stage, Signal::SIGINT, true);
            interrupt(builder, stage, Signal::SIGTERM, false);
            interrupt(builder, stage, Signal::SIGKILL, false);
        }
    }
}

#[test]
fn other_formats_and_reports() {
    for builder in Builder::there() {
        let site = Site::new(builder);
        let script = "install = [\"echo noise; echo installed > /etc/new\"]";
        let report = site
            .build(script, &["--json", "--include", "/etc/new"], &["sh"])
            .success();
        assert_eq!(report.json()["format"], "run", "{builder:?}");
        fs::remove_file(site.output()).expect("packed");
        let _exported = site
            .build(script, &["-f", "dir", "--include", "/etc/*"], &["sh"])
            .success();
        let installed = fs::read_to_string(site.output().join("etc/new"));
        assert_eq!(installed.expect("exported"), "installed\n");
        // The host's, and the caller's name.
        assert!(!site.output().join("etc/resolv.conf").exists());
        let users = fs::read_to_string(site.output().join("etc/passwd")).unwrap_or_default();
        assert!(
            !users.contains(&format!(":{}:", builder.id())) || builder == Builder::Root,
            "{users}"
        );
        let program = fs::metadata(site.output().join("bin/busybox")).expect("exported");
        assert_eq!(program.permissions().mode() & 0o777, 0o755);
    }
}
