//! A unit of `Type=notify`: what the service manager tells a bundle is told to its program, and what the program says comes from
//! the process that the manager started. Inside, systemd's own library is asked.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::bundle::{Shared, debian};
use support::manager::Manager;
use support::requirement::skip;
use support::{Bundle, Ended, Need, Place, exec};

use crate::{places, shell};

/// Python with systemd's library, which it looks for at run time.
static PYTHON: Shared = Shared::new(|| {
    let library = [
        "/usr/lib/python3*/*.py",
        "/usr/lib/python3*/{collections,ctypes,encodings}/*.py",
        "/usr/lib/python3*/lib-dynload/_ctypes*",
        "/usr/lib/*/libsystemd.so*",
    ];
    let options: Vec<&str> = library.iter().flat_map(|glob| ["--include", glob]).collect();
    Bundle::debian(&options, &["python3"])
});

fn python() -> Option<Arc<Bundle>> {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return None;
    }
    let library = debian().join("usr/lib");
    let has = |directory: std::fs::DirEntry| directory.path().join("libsystemd.so.0").exists();
    let found = std::fs::read_dir(library)
        .expect("a directory")
        .any(|entry| has(entry.expect("an entry")));
    assert!(found, "the root file system of the tests has no libsystemd");
    Some(PYTHON.get())
}

/// What every program begins with.
const PRELUDE: &str = "import ctypes, os, sys\nlib = ctypes.CDLL('libsystemd.so.0')\n";

/// Contained or not.
const BOXES: [&[&str]; 2] = [&[], &["--polecat-contain"]];

/// A command in the packed python.
fn command(bundle: &Bundle, place: Place, options: &[&str], prefix: &[&str], program: &str) -> Command {
    let mut command = bundle.start_behind(place, prefix);
    command.args(options).args(["-c", &format!("{PRELUDE}{program}")]);
    command
}

fn spawn(command: &mut Command) -> Child {
    exec::spawn(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit()),
    )
}

fn finish(child: Child) -> Ended {
    exec::finish("python".to_owned(), child)
}

/// A name in the work directory that no other test has.
fn fresh(bundle: &Bundle, name: &str) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    bundle
        .scratch()
        .join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn messages_come_from_the_main_process() {
    let Some(bundle) = python() else { return };
    let program = "message = 'READY=1\\nMAINPID=%d\\nSTATUS=serving' % os.getpid()\n\
                   print(lib.sd_notify(0, message.encode()))";
    for place in places() {
        for (options, is_abstract) in [(BOXES[0], false), (BOXES[0], true), (BOXES[1], false), (BOXES[1], true)] {
            let path = fresh(&bundle, "notify");
            let name = format!("polecat-test-{}{}", std::process::id(), path.display());
            let (manager, variable) = if is_abstract {
                (Manager::named(&name), format!("@{name}"))
            } else {
                (Manager::at(&path), path.display().to_string())
            };
            let child = spawn(command(&bundle, place, options, &[], program).env("NOTIFY_SOCKET", variable));
            let id = child.id();
            let message = manager.next();
            // The process id of the inside would be another process's.
            assert_eq!(message.text, "READY=1\nSTATUS=serving", "{place}: {options:?}");
            assert_eq!(message.sender, (id, place.id()), "{place}: {options:?}");
            assert_eq!(finish(child).success().out(), "1\n", "{place}: {options:?}");
            assert!(manager.within(Duration::ZERO).is_none(), "{place}: said twice");
        }
    }
}

#[test]
fn a_barrier_holds_until_the_manager_has_heard() {
    let Some(bundle) = python() else { return };
    let program = "print(lib.sd_notify_barrier(0, ctypes.c_uint64(60000000)))";
    for place in places() {
        let path = fresh(&bundle, "notify");
        let manager = Manager::at(&path);
        let mut child = spawn(command(&bundle, place, &[], &[], program).env("NOTIFY_SOCKET", path));
        let message = manager.next();
        assert_eq!(
            (message.text.as_str(), message.descriptors()),
            ("BARRIER=1", 1),
            "{place}"
        );
        std::thread::sleep(Duration::from_millis(100));
        assert!(
            child.try_wait().expect("a child of ours").is_none(),
            "{place}: did not wait"
        );
        drop(message);
        assert_eq!(finish(child).success().out(), "1\n", "{place}");
    }
}

#[test]
fn descriptors_can_be_stored() {
    let Some(bundle) = python() else { return };
    let program = "fds = [os.memfd_create(name) for name in ('a', 'b')]\n\
                   for fd in fds: os.write(fd, b'in %d' % fd)\n\
                   array = (ctypes.c_int * 2)(*fds)\n\
                   print(lib.sd_pid_notify_with_fds(0, 0, b'FDSTORE=1\\nFDNAME=x', array, 2), *fds)";
    for place in places() {
        for options in BOXES {
            let path = fresh(&bundle, "notify");
            let manager = Manager::at(&path);
            let child = spawn(command(&bundle, place, options, &[], program).env("NOTIFY_SOCKET", path));
            let message = manager.next();
            let printed = finish(child).success().out();
            assert_eq!(message.text, "FDSTORE=1\nFDNAME=x", "{place}");
            assert_eq!(message.descriptors(), 2, "{place}");
            let sent: Vec<&str> = printed.split_whitespace().skip(1).collect();
            let stored = [0, 1].map(|index| message.contents(index));
            assert_eq!(
                stored.to_vec(),
                sent.iter().map(|fd| format!("in {fd}")).collect::<Vec<_>>(),
                "{place}"
            );
        }
    }
}

/// More than any queue between the two takes at once; those that the program sent before it ended come all the same.
#[test]
fn no_message_is_lost_at_the_end() {
    let Some(bundle) = python() else { return };
    const COUNT: usize = 700;
    let program = format!("for number in range({COUNT}): assert lib.sd_notify(0, b'STATUS=%d' % number) == 1");
    for place in places() {
        let path = fresh(&bundle, "notify");
        let manager = Manager::at(&path);
        let child = spawn(command(&bundle, place, &[], &[], &program).env("NOTIFY_SOCKET", path));
        for number in 0..COUNT {
            assert_eq!(manager.next().text, format!("STATUS={number}"), "{place}");
        }
        let _ended = finish(child).success();
    }
}

#[test]
fn a_manager_that_is_not_there_is_no_hindrance() {
    let Some(bundle) = python() else { return };
    let program = "print(lib.sd_notify(0, b'READY=1'))";
    for place in places() {
        for socket in ["/nowhere/notify", "@polecat-test-nobody"] {
            let mut command = command(&bundle, place, &[], &[], program);
            let ended = exec::run(command.env("NOTIFY_SOCKET", socket)).success();
            assert_eq!((ended.out(), ended.err()), ("1\n".to_owned(), String::new()), "{place}");
        }
        let ended = exec::run(&mut command(&bundle, place, &[], &[], program)).success();
        assert_eq!(ended.out(), "0\n", "{place}: nobody is there to be told");
    }
}

#[test]
fn sockets_are_passed_on() {
    let Some(bundle) = python() else { return };
    // The variables are the program's own, and it takes them away: children are not meant.
    let program = "import socket\n\
                   names = ctypes.POINTER(ctypes.c_char_p)()\n\
                   count = lib.sd_listen_fds_with_names(1, ctypes.byref(names))\n\
                   print(count, *[names[n].decode() for n in range(count)])\n\
                   print(lib.sd_is_socket_unix(3, socket.SOCK_STREAM, 1, None, 0), os.read(4, 100).decode())\n\
                   sys.stdout.flush()\n\
                   peer, _ = socket.socket(fileno=3).accept()\n\
                   peer.sendall(b'hello ' + peer.recv(100))";
    let line = "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:log; exec \"$@\" 3<&0 4<\"$FILE\" </dev/null";
    for place in places() {
        for options in BOXES {
            let path = fresh(&bundle, "listen");
            let listener = UnixListener::bind(&path).expect("a socket");
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("a socket");
            let mut command = command(&bundle, place, options, &["sh", "-c", line, "sh"], program);
            command.env("FILE", bundle.scratch().file("passed", "passed"));
            command
                .stdin(OwnedFd::from(listener))
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit());
            let child = exec::spawn(&mut command);
            drop(command);
            let mut peer = UnixStream::connect(&path).expect("a listener");
            peer.write_all(b"world").expect("a peer");
            let mut answer = String::new();
            peer.read_to_string(&mut answer).expect("a peer");
            assert_eq!(answer, "hello world", "{place}: {options:?}");
            assert_eq!(
                finish(child).success().out(),
                "2 web log\n1 passed\n",
                "{place}: {options:?}"
            );
        }
    }
}

/// What the library makes of variables that a shell sets before it executes the bundle: `$$` is the bundle's process id then.
fn understood(bundle: &Bundle, place: Place, options: &[&str], exports: &str) -> String {
    let program = "usec = ctypes.c_uint64(0)\n\
                   enabled = lib.sd_watchdog_enabled(0, ctypes.byref(usec))\n\
                   ours = [n for n in os.environ if n.startswith(('LISTEN', 'WATCHDOG', 'NOTIFY'))]\n\
                   print(lib.sd_listen_fds(0), enabled, usec.value, *sorted(ours))";
    let line = format!("export {exports}; exec \"$@\" 3</dev/null");
    let ended = exec::run(&mut command(
        bundle,
        place,
        options,
        &["sh", "-c", &line, "sh"],
        program,
    ));
    ended.success().out().trim_end().to_owned()
}

#[test]
fn what_is_for_another_process_is_not_for_the_program() {
    let Some(bundle) = python() else { return };
    for place in places() {
        for options in BOXES {
            for (exports, expected) in [
                (
                    "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_PIDFDID=1",
                    "1 0 0 LISTEN_FDS LISTEN_PID",
                ),
                // The program's own number inside; in the shell it is nobody's.
                ("LISTEN_PID=2 LISTEN_FDS=1 LISTEN_FDNAMES=x", "0 0 0"),
                ("LISTEN_FDS=1", "0 0 0"),
                (
                    "WATCHDOG_PID=$$ WATCHDOG_USEC=5000000",
                    "0 1 5000000 WATCHDOG_PID WATCHDOG_USEC",
                ),
                ("WATCHDOG_PID=2 WATCHDOG_USEC=5000000", "0 0 0"),
                ("WATCHDOG_USEC=5000000", "0 1 5000000 WATCHDOG_USEC"),
            ] {
                let found = understood(&bundle, place, options, exports);
                assert_eq!(found, expected, "{place}: {options:?}: {exports}");
            }
        }
    }
}

/// The socket inside is the box's own: not the host's by another name.
#[test]
fn nothing_of_the_hosts_is_made_for_it() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let path = fresh(&bundle, "notify");
        let _manager = Manager::at(&path);
        let mut command = bundle.start(place);
        command.args(["-c", "echo $NOTIFY_SOCKET; test -S $NOTIFY_SOCKET"]);
        let ended = exec::run(command.env("NOTIFY_SOCKET", &path)).success();
        let inside = PathBuf::from(ended.out().trim_end());
        assert!(
            inside.is_absolute() && inside != path && !inside.exists(),
            "{place}: {ended}"
        );
    }
}
