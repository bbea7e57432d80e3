//! How a program without namespaces is watched over: as anywhere else, as far as that can be.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::Shared;
use support::manager::Manager;
use support::place::Place;
use support::processes::with_variable;
use support::requirement::skip;
use support::wait::until;
use support::{Bundle, Need, Scratch, exec};

use crate::{Caller, NEEDS, NO_USER_NAMESPACES, NOBODY, assert_empty, forced, on, shell};

static PYTHON: Shared = Shared::new(|| {
    let library = [
        "/usr/lib/python3*/*.py",
        "/usr/lib/python3*/{collections,encodings}/*.py",
        "/usr/lib/python3*/lib-dynload/*",
    ];
    let options: Vec<&str> = library.iter().flat_map(|glob| ["--include", glob]).collect();
    Bundle::debian(&options, &["python3"])
});

/// Those that the machine has.
fn rungs() -> impl Iterator<Item = &'static str> {
    let fusermount = !skip(&[Need::Tool("fusermount3"), Need::Fuse]);
    ["disk"].into_iter().chain(fusermount.then_some("fusermount"))
}

fn signal(child: &Child, signal: Signal) {
    let monitor = Pid::from_raw(i32::try_from(child.id()).expect("a process"));
    kill(monitor, signal).expect("the monitor");
}

/// Nobody has this variable any more.
fn all_gone(mark: &str) {
    until("nobody is left", || {
        with_variable("POLECAT_TEST_LADDER", mark).is_empty()
    });
}

#[test]
fn a_service_manager_speaks_to_the_program_and_hears_it() {
    if skip(&NEEDS) || skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = PYTHON.get();
    let program = "import os, socket\n\
                   names = 'LISTEN_FDS', 'LISTEN_FDNAMES', 'WATCHDOG_USEC'\n\
                   print(os.environ['LISTEN_PID'] == str(os.getpid()), *[os.environ.get(name) for name in names])\n\
                   print(os.read(3, 100).decode())\n\
                   manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                   manager.sendto(b'READY=1\\nMAINPID=%d' % os.getpid(), os.environ['NOTIFY_SOCKET'])";
    let line = "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec \"$@\" 3<\"$FILE\"";
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let path = scratch.join("notify");
        let manager = Manager::at(&path);
        let mut command = Place::UserFuse.command_of(NOBODY, &["sh", "-c", line, "sh"], bundle.path());
        command
            .arg(on(rung))
            .args(["-c", program])
            .env("HOME", &home)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "9")
            .env("FILE", scratch.file("passed", "passed"))
            .current_dir(bundle.work())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = exec::spawn(&mut command);
        let id = child.id();
        let ended = exec::finish(rung.to_owned(), child).success();
        assert_eq!(ended.out(), "True 1 web 9\npassed\n", "{rung}: {ended}");
        let message = manager.next();
        assert_eq!(
            (message.text.as_str(), message.sender),
            ("READY=1\n", (id, NOBODY)),
            "{rung}"
        );
        assert_empty(&home);
    }
}

#[test]
fn what_holds_is_said_and_required() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut command = forced(rung, &bundle, &home);
        let ended = exec::run(command.args(["--polecat-status", "-c", "exit 7"])).exits(7);
        let said = ended.err();
        for layer in ["user", "mount", "pid", "ipc", "uts"] {
            let line = format!("polecat: status: {layer}: none: the host's: the program could have none of its own\n");
            assert!(said.contains(&line), "{rung}: {layer}: {ended}");
        }
        assert!(said.contains("status: root: none: the host's, in "), "{rung}: {ended}");
        assert!(said.contains("status: seccomp: full: "), "{rung}: {ended}");
        let landlock = said
            .lines()
            .find(|line| line.contains(": landlock: "))
            .expect("Landlock");
        assert!(!landlock.contains("not needed"), "{rung}: {ended}");
        assert!(
            !landlock.contains(": none: ") || skip(&[Need::Landlock]),
            "{rung}: {ended}"
        );
        // What the kernel can do is done, and is seen: the directory is root's and not among those that may be written to.
        let full = landlock.contains(": full: ");
        for (layer, code) in [("pid", 125), ("landlock", if full { 7 } else { 125 })] {
            let mut command = forced(rung, &bundle, &home);
            command.arg(format!("--polecat-require={layer}"));
            let ended = exec::run(command.args(["-c", "exit 7"])).exits(code);
            assert_eq!(ended.err().contains(layer), code == 125, "{rung}: {ended}");
        }
        assert_empty(&home);
    }
}

#[test]
fn landlock_keeps_it_to_what_is_the_callers() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Landlock]) {
        return;
    }
    for rung in rungs() {
        let scratch = Scratch::new();
        let (home, other) = (scratch.home(), Path::new("/srv"));
        let allowed = scratch.open_directory("home/allowed");
        // A directory that everybody may write to, outside of all that the program is left.
        let script = "mount -t tmpfs -o mode=777 tmpfs /srv; exec \"$@\"";
        let plain = forced(rung, &bundle, &home);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation=private", "sh", "-c", script, "sh"]);
        command.arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let line = format!(
            "echo x > {0}/x && echo allowed; echo x > {1}/x || echo refused; busybox rm {0}/x; busybox ls -d {1}",
            allowed.display(),
            other.display()
        );
        command
            .args(["--polecat-status", "-c", &line])
            .current_dir(bundle.work());
        let ended = exec::run(&mut command).success();
        assert_eq!(ended.out(), "allowed\nrefused\n/srv\n", "{rung}: {ended}");
        fs::remove_dir(allowed).expect("a directory of ours");
        assert_empty(&home);
    }
}

/// A container's root owns the kernel's settings and devices. Files are opened, and nothing is written to them.
#[test]
fn what_is_the_machines_root_cannot_write_to() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Landlock]) {
        return;
    }
    let machine = "/proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness /proc/sysrq-trigger \
                   /sys/kernel/mm/transparent_hugepage/enabled /dev/kmsg /dev/loop-control";
    let harmless = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/ptmx /proc/self/comm";
    let line = |files: &str| format!("for f in {files}; do true 2>/dev/null >> $f && echo $f; done; exit 7");
    // What it can write to without us: of the rest there is nothing to see here.
    let mut bare = NO_USER_NAMESPACES.command(Caller::ContainerRoot, &[], Path::new("/bin/sh"));
    let bare = exec::run(bare.args(["-c", &line(machine)])).exits(7).out();
    for tree in ["/proc/", "/sys/", "/dev/"] {
        assert!(bare.lines().any(|file| file.starts_with(tree)), "{tree}: {bare}");
    }
    let machine = bare.trim_end().replace('\n', " ");
    for cwd in ["/", "/proc/sys/kernel", "/dev"] {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut command = NO_USER_NAMESPACES.start(Caller::ContainerRoot, &bundle, &home);
        let script = format!(
            "echo x > /dev/shm/$$ && busybox rm /dev/shm/$$ && echo kept; {}",
            line(&format!("{harmless} {machine}"))
        );
        command.current_dir(cwd).args(["--polecat-status", "-c", &script]);
        let ended = exec::run(&mut command).exits(7);
        let allowed = format!("kept\n{}\n", harmless.replace(' ', "\n"));
        assert_eq!(ended.out(), allowed, "{cwd}: {ended}");
        assert_empty(&home);
    }
}

/// A place that cannot be written to is no reason to let the rest be.
#[test]
fn no_variable_switches_landlock_off() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let closed = scratch.directory("closed");
        scratch.permit(&closed, 0o700);
        let landlock = |home: &Path, runtime: &Path| {
            let mut command = forced(rung, &bundle, home);
            command.env("XDG_RUNTIME_DIR", runtime).arg("--polecat-status");
            let ended = exec::run(command.args(["-c", "exit 7"])).exits(7);
            let said = ended.err();
            let line = said.lines().find(|line| line.contains(": landlock: "));
            line.expect("Landlock").to_owned()
        };
        let expected = landlock(&home, &home);
        assert_eq!(landlock(&closed.join("x"), &home), expected, "{rung}");
        assert_eq!(landlock(&home, &closed.join("x")), expected, "{rung}");
        assert_empty(&home);
    }
}

#[test]
fn what_is_bound_at_its_own_place_can_be_written_to() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Landlock]) {
        return;
    }
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        // Outside of all that the program may write to without it.
        let script = "mount -t tmpfs -o mode=777 tmpfs /srv; mkdir -m 777 /srv/x /srv/y; exec \"$@\"";
        let plain = forced(rung, &bundle, &home);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation=private", "sh", "-c", script, "sh"]);
        command.arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let line = "echo x > /srv/x/file && echo written; echo y > /srv/y/file || echo refused";
        command.args(["--polecat-bind=/srv/x", "--polecat-status", "-c", line]);
        let ended = exec::run(command.current_dir(bundle.work()));
        assert_eq!(ended.out(), "written\nrefused\n", "{rung}: {ended}");
        assert_empty(&home);
    }
}

/// A shell that becomes the program has started something before.
#[test]
fn children_of_the_caller_are_not_its_own() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mark = format!("{}-{rung}-before", std::process::id());
        // The program kills init.
        let line = "POLECAT_TEST_LADDER=$MARK sleep 1000 >/dev/null 2>&1 & exec \"$@\" -c 'kill -9 $PPID; sleep 1000'";
        let mut command = Place::UserFuse.command_of(NOBODY, &["sh", "-c", line, "sh"], bundle.path());
        command
            .arg(on(rung))
            .env("HOME", &home)
            .env("MARK", &mark)
            .current_dir(bundle.work());
        let ended = exec::run(&mut command);
        assert_ne!(ended.code(), Some(0), "{rung}: {ended}");
        let left = with_variable("POLECAT_TEST_LADDER", &mark);
        assert_eq!(left.len(), 1, "{rung}: it is spared: {ended}");
        let id = Pid::from_raw(i32::try_from(left[0].id).expect("a process"));
        kill(id, Signal::SIGKILL).expect("it");
        all_gone(&mark);
        assert_empty(&home);
    }
}

/// Whoever reads what the program writes is at its end when the program has closed it.
#[test]
fn nobody_else_keeps_the_callers_streams() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut command = forced(rung, &bundle, &home);
        command.args(["-c", "echo out; exec >&-; busybox sleep 30"]);
        let mut child = exec::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        let mut text = String::new();
        let mut out = child.stdout.take().expect("a pipe");
        out.read_to_string(&mut text).expect("text");
        assert_eq!(text, "out\n", "{rung}");
        assert!(
            child.try_wait().expect("a child of ours").is_none(),
            "{rung}: it has ended"
        );
        signal(&child, Signal::SIGTERM);
        let _ended = exec::wait(rung, &mut child);
        assert_empty(&home);
    }
}

#[test]
fn it_stays_until_the_last_has_ended_and_signals_reach_those_alone() {
    let Some(bundle) = shell() else { return };
    let script = "(busybox setsid busybox sleep 1000 &) ; exit 5";
    for rung in rungs() {
        for ending in [None, Some(Signal::SIGTERM)] {
            let scratch = Scratch::new();
            let home = scratch.home();
            let mark = format!("{}-{rung}-{ending:?}", std::process::id());
            // Another process of the same user, which is none of the run's.
            let mut other = Place::UserFuse.command_of(NOBODY, &[], Path::new("/bin/sleep"));
            let mut other = exec::spawn(other.arg("1000"));
            let mut command = forced(rung, &bundle, &home);
            command.args(["--polecat-stay", "-c", script]).stdin(Stdio::null());
            let mut child = exec::spawn(command.env("POLECAT_TEST_LADDER", &mark));
            let sleeper = || {
                let all = with_variable("POLECAT_TEST_LADDER", &mark);
                let shells = all.iter().any(|process| process.name() == "sh");
                let found = all
                    .into_iter()
                    .find(|process| process.name() == "busybox" && is_sleep(process.id));
                found.filter(|_| !shells)
            };
            until("the program has ended", || sleeper().is_some());
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(
                child.try_wait().expect("a child of ours").is_none(),
                "{rung}: did not stay"
            );
            match ending {
                Some(ending) => signal(&child, ending),
                None => {
                    let last = i32::try_from(sleeper().expect("it").id).expect("a process");
                    kill(Pid::from_raw(last), Signal::SIGKILL).expect("the last");
                }
            }
            assert_eq!(exec::wait(rung, &mut child).code(), Some(5), "{rung}: {ending:?}");
            all_gone(&mark);
            assert!(
                other.try_wait().expect("a child of ours").is_none(),
                "{rung}: {ending:?}: it hit another"
            );
            other.kill().expect("a child of ours");
            let _killed = exec::wait("another", &mut other);
            assert_empty(&home);
        }
    }
}

fn is_sleep(id: u32) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|words| words.ends_with(b"\0sleep\x001000\0"))
}

#[test]
fn it_goes_on_in_the_background() {
    let Some(bundle) = shell() else { return };
    let line = "echo printed; trap 'echo ended; exit 0' TERM; while :; do busybox sleep 0.05; done";
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let told = scratch.open_directory("told");
        let [log, pid] = ["log", "pid"].map(|name| told.join(name));
        let mut command = forced(rung, &bundle, &home);
        let mark = format!("{}-{rung}", std::process::id());
        command.env("POLECAT_TEST_LADDER", &mark).arg("--polecat-background");
        command
            .arg("--polecat-log")
            .arg(&log)
            .arg("--polecat-pid-file")
            .arg(&pid);
        let ended = exec::run(command.args(["-c", line])).success();
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()), "{rung}");
        let read = || {
            let mut text = String::new();
            let file = fs::File::open(&log).and_then(|mut file| file.read_to_string(&mut text));
            file.map(|_| text).unwrap_or_default()
        };
        until("the program prints", || read() == "printed\n");
        let id = fs::read_to_string(&pid).expect("the pid file");
        let id = Pid::from_raw(id.trim().parse().expect("a process id"));
        kill(id, Signal::SIGTERM).expect("the monitor");
        all_gone(&mark);
        assert_eq!(read(), "printed\nended\n", "{rung}");
        assert!(!pid.exists(), "{rung}");
        assert_empty(&home);
    }
}

/// There is no PID namespace to be that of.
#[test]
fn process_1_is_not_to_be_had_and_not_missed() {
    let Some(bundle) = shell() else { return };
    for rung in rungs() {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut command = forced(rung, &bundle, &home);
        let ended = exec::run(command.args(["--polecat-as-pid-1", "-c", "[ $$ -ne 1 ] && exit 7"])).exits(7);
        assert_eq!(ended.err(), "", "{rung}");
        assert_empty(&home);
    }
}
