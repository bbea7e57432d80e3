//! What a command uses, written down while it runs; and packs that are made with it.

#![forbid(unsafe_code)]

#[path = "trace/packing.rs"]
mod packing;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::debian;
use support::processes::{Process, family, wait_for_end};
use support::requirement::skip;
use support::tracer::{Traced, Tracer};
use support::{Ended, Need, Polecat, Scratch, exec, wait};

/// Traces as root and as a user; `check` gets who, how it ended, and what was written.
fn by_both(options: &[&str], words: &[&str], check: impl Fn(Tracer, &Ended, &Traced)) {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        let ended = tracer.run(&scratch, options, &debian(), words);
        assert!(Tracer::file(&scratch).exists(), "{tracer:?}: no trace: {ended}");
        check(tracer, &ended, &Traced::read(&Tracer::file(&scratch)));
    }
}

fn assert_all(tracer: Tracer, traced: &Traced, expected: &[(&str, &str)]) {
    for (path, kind) in expected {
        assert!(traced.has(path, kind), "{tracer:?}: {path} {kind}:\n{}", traced.text);
    }
}

fn assert_none(tracer: Tracer, traced: &Traced, unexpected: &[&str]) {
    for path in unexpected {
        let found = traced.kinds.keys().find(|known| known.starts_with(path));
        assert_eq!(found, None, "{tracer:?}:\n{}", traced.text);
    }
}

#[test]
fn files_that_python_opens() {
    by_both(
        &[],
        &["python3", "-c", "import json, ssl; print(6 * 7)"],
        |tracer, ended, traced| {
            assert_eq!((ended.code(), ended.out().as_str()), (Some(0), "42\n"), "{ended}");
            assert_all(tracer, traced, &[("/usr/bin/python3", "exec")]);
            let is_loader = |path: &String| path.contains("/ld-linux") && traced.has(path, "open");
            assert!(traced.kinds.keys().any(is_loader), "{}", traced.text);
            assert!(traced.has_end("/libssl.so.3", "open"), "{}", traced.text);
            assert!(traced.has_end("/json/__init__.py", "stat"), "{}", traced.text);
            assert!(traced.has_end("/lib-dynload", "list"), "{}", traced.text);
        },
    );
}

#[test]
fn children_and_what_they_make_list_and_miss() {
    let script = "ls /etc/apt; mkdir /var/lib/made; echo x > /var/lib/made/file; cat /var/lib/made/file; \
                  cat /etc/not-there; cd /usr/share; test -e perl; : > /tmp/x; : > in-the-way 2>/dev/null; \
                  mv /etc/motd /etc/motd.old; cat /etc/passwd/below; exit 7";
    by_both(&[], &["bash", "-c", script], |tracer, ended, traced| {
        assert_eq!(ended.code(), Some(7), "{ended}");
        let expected = [
            ("/usr/bin/bash", "exec"),
            ("/usr/bin/ls", "exec"),
            ("/usr/bin/cat", "exec"),
            ("/etc/apt", "list"),
            ("/etc/not-there", "missing"),
            ("/etc/passwd/below", "missing"),
            ("/usr/share", "stat"),
            ("/usr/share", "create-parent"),
            ("/usr/share/perl", "stat"),
            ("/var/lib", "create-parent"),
        ];
        assert_all(tracer, traced, &expected);
        // What it made is its own, and what is mounted is not the root file system's.
        assert_none(
            tracer,
            traced,
            &["/var/lib/made", "/usr/share/in-the-way", "/tmp", "/proc", "/dev"],
        );
    });
}

#[test]
fn interpreters_that_no_call_names() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        let script = scratch.file("own", "#!/usr/bin/perl -w\nprint \"from perl\\n\";\n");
        scratch.permit(&script, 0o755);
        let mut command = tracer.command(&scratch, &[], &debian(), &["sh", "-c", "./own; hello-python"]);
        command.current_dir(scratch.path());
        let ended = exec::run(&mut command).success();
        assert!(ended.out().starts_with("from perl\n"), "{ended}");
        let traced = Traced::read(&Tracer::file(&scratch));
        assert_all(tracer, &traced, &[("/usr/bin/perl", "exec")]);
        assert!(traced.has_end("/hello-python", "exec"), "{}", traced.text);
        assert!(traced.has_end("/python3", "exec"), "{}", traced.text);
        let shared = scratch.path().to_str().expect("UTF-8");
        assert_none(tracer, &traced, &[shared]);
    }
}

#[test]
fn threads_and_processes_that_stay_behind() {
    let code = "import threading, os, subprocess, sys, time\n\
        def read(path): open(path).read()\n\
        t = threading.Thread(target=read, args=('/etc/debian_version',)); t.start(); t.join()\n\
        subprocess.run(['true'])\n\
        if os.fork() == 0:\n    os.setsid(); time.sleep(int(sys.argv[1])); read('/etc/issue'); os._exit(0)\n\
        os._exit(5)\n";
    // Who does not wait for it never sees the end of a long sleep.
    for (options, seconds, waits) in [(&[][..], "0", true), (&["--exit-with-main"][..], "1000", false)] {
        by_both(options, &["python3", "-c", code, seconds], |tracer, ended, traced| {
            assert_eq!(ended.code(), Some(5), "{ended}");
            assert_all(
                tracer,
                traced,
                &[("/etc/debian_version", "open"), ("/usr/bin/true", "exec")],
            );
            assert_eq!(
                traced.has("/etc/issue", "open"),
                waits,
                "{tracer:?} {options:?}: {}",
                traced.text
            );
        });
    }
}

#[test]
fn statuses_and_signals_are_the_commands() {
    for (line, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 121", Some(121), None),
        ("exit 255", Some(255), None),
        ("kill -SEGV $$", None, Some(Signal::SIGSEGV)),
        ("kill -TERM $$", None, Some(Signal::SIGTERM)),
    ] {
        by_both(&[], &["sh", "-c", line], |tracer, ended, _| {
            assert_eq!(
                (ended.code(), ended.signal()),
                (code, signal),
                "{tracer:?}: {line}: {ended}"
            );
        });
    }
}

#[test]
fn what_cannot_be_run_has_no_trace() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for (words, code) in [
        (&["no-such-command"][..], 5),
        (&["--workdir", "relative", "/", "true"][..], 2),
    ] {
        let scratch = Scratch::new();
        let polecat = Polecat::new(&scratch);
        let (out, root) = (scratch.join("x.trace"), debian());
        let mut arguments = vec!["trace".into(), "-o".into(), out.clone()];
        if words.len() == 1 {
            arguments.push(root);
        }
        arguments.extend(words.iter().map(Into::into));
        let ended = polecat.run(arguments).exits(code);
        assert!(ended.err().starts_with("polecat: "), "{ended}");
        assert!(!out.exists(), "{ended}");
    }
}

#[test]
fn streams_are_the_commands_and_the_same_run_gives_the_same_file() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let mut texts = Vec::new();
        for _ in 0..2 {
            let scratch = Scratch::new();
            let mut command = tracer.command(&scratch, &["-q"], &debian(), &["sh", "-c", "tr a-z A-Z; echo e >&2"]);
            let ended = exec::run_with_input(&mut command, b"in\n").success();
            assert_eq!((ended.out().as_str(), ended.err().as_str()), ("IN\n", "e\n"), "{ended}");
            let file = Tracer::file(&scratch);
            let mode = std::fs::metadata(&file).expect("the trace").permissions().mode();
            assert_eq!(mode & 0o111, 0, "nobody executes a trace");
            texts.push(Traced::read(&file).text);
        }
        assert_eq!(texts[0], texts[1], "{tracer:?}");
    }
}

#[test]
fn programs_with_more_rights_run_without_them_and_that_is_said() {
    by_both(&[], &["sh", "-c", "su --version; true"], |tracer, ended, traced| {
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert_eq!(traced.warned, ["/usr/bin/su"], "{tracer:?}: {}", traced.text);
        assert!(ended.err().contains("warning: /usr/bin/su: "), "{ended}");
    });
}

#[test]
fn directories_that_are_shared_are_not_traced() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        scratch.file("data/file", "of the data\n");
        scratch.file("work/file", "of the work\n");
        let bind = format!("{}:/opt/data", scratch.join("data").display());
        let line = "cat /opt/data/file file; ls /opt/data; cat /opt/data/none";
        let ended = tracer.run(&scratch, &["--bind", &bind], &debian(), &["sh", "-c", line]);
        assert_eq!(ended.out(), "of the data\nof the work\nfile\n", "{ended}");
        let traced = Traced::read(&Tracer::file(&scratch));
        assert_none(tracer, &traced, &["/opt/data", scratch.path().to_str().expect("UTF-8")]);
    }
}

#[test]
fn this_machine_is_traced_without_the_home_directory() {
    if skip(&[Need::Polecat]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        scratch.file("home/file", "of the home\n");
        let ended = tracer.run(
            &scratch,
            &[],
            Path::new("/"),
            &["sh", "-c", "cat ~/file; : > ~/made; pwd"],
        );
        let work = scratch.join("work");
        assert_eq!(ended.out(), format!("of the home\n{}\n", work.display()), "{ended}");
        let traced = Traced::read(&Tracer::file(&scratch));
        assert!(traced.has_end("/cat", "exec"), "{}", traced.text);
        assert_none(tracer, &traced, &[scratch.path().to_str().expect("UTF-8")]);
        assert!(scratch.join("home/made").exists(), "as when the bundle is run");
    }
}

#[test]
fn an_interrupt_ends_what_the_command_left_and_the_trace_is_whole() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        let line = "setsid sleep 1000 & cat /etc/issue > /dev/null; exit 3";
        let mut command = tracer.command(&scratch, &["-q"], &debian(), &["sh", "-c", line]);
        let mut child = exec::spawn(command.stdin(std::process::Stdio::null()));
        let sleeps = |all: &[Process]| {
            let names: Vec<String> = all.iter().map(|process| process.name()).collect();
            names.iter().any(|name| name == "sleep") && !names.iter().any(|name| name == "sh" || name == "cat")
        };
        wait::until("the command has ended, and what it left is there", || {
            sleeps(&family(child.id()))
        });
        let all = family(child.id());
        let id = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
        kill(id, Signal::SIGINT).expect("a child of ours");
        assert_eq!(child.wait().expect("a child of ours").code(), Some(3), "{tracer:?}");
        wait_for_end(&all);
        let traced = Traced::read(&Tracer::file(&scratch));
        assert_all(tracer, &traced, &[("/etc/issue", "open"), ("/usr/bin/sleep", "exec")]);
    }
}

#[test]
fn nothing_is_left_behind() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        let root_before = names(&debian().join("var/lib"));
        let line = "mkdir /var/lib/made 2> /dev/null; sleep 1000 & exec sleep 1000";
        let mut command = tracer.command(&scratch, &[], &debian(), &["sh", "-c", line]);
        let mut child = exec::spawn(command.stdin(std::process::Stdio::null()));
        wait::until("both sleep", || {
            family(child.id())
                .iter()
                .filter(|process| process.name() == "sleep")
                .count()
                == 2
        });
        let all = family(child.id());
        child.kill().expect("a child of ours");
        child.wait().expect("a child of ours");
        wait_for_end(&all);
        let mounted = std::fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
        let of_the_run = [scratch.path(), &debian()].map(|path| format!(" {}", path.display()));
        let left = mounted
            .lines()
            .find(|line| of_the_run.iter().any(|path| line.contains(path)));
        assert_eq!(left, None, "{tracer:?}");
        assert_eq!(
            names(&debian().join("var/lib")),
            root_before,
            "{tracer:?}: the root file system stays as it is"
        );
        assert_eq!(names(&scratch.join("out")), [""; 0], "{tracer:?}: no half trace");
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_program_of_the_whole_screen_is_traced_on_a_terminal() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    for tracer in Tracer::ALL {
        if skip(tracer.needs()) {
            continue;
        }
        let scratch = Scratch::new();
        let mut command = tracer.command(&scratch, &[], &debian(), &["top"]);
        let mut terminal = support::pty::Terminal::start(&mut command, 24, 80);
        terminal.expect("PID USER");
        terminal.send("q");
        let (status, _) = terminal.end();
        assert!(status.success(), "{tracer:?}: {status}");
        let traced = Traced::read(&Tracer::file(&scratch));
        assert!(
            traced.has_end("/x/xterm", "open"),
            "{tracer:?}: terminfo: {}",
            traced.text
        );
    }
}
