//! A program that was packed tries to get out of its box, by each way that is known to have led out of some box: as root and as
//! an ordinary user, on every rung, contained and not. Outside of a box the same program gets out, so it is able to.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;

use support::bundle::Shared;
use support::escapes::{Attempts, Prey};
use support::pty::{NEW_SESSION, Terminal};
use support::requirement::skip;
use support::roots::{TINY_NEEDS, escapes};
use support::{Bundle, Need, Place, Scratch, exec};

static ESCAPES: Shared = Shared::new(|| Bundle::pack(&[], &escapes(&Scratch::new()), &["/bin/escapes"]));

/// What is not refused, and why not. Everything else is.
struct Open {
    attempt: &'static str,
    /// Whether it is open to this start.
    to: fn(Start) -> bool,
}

/// How a bundle is started.
#[derive(Clone, Copy)]
struct Start {
    place: Place,
    contain: bool,
    /// A directory of the host came with execve(2).
    directory: bool,
    /// A seccomp filter is there.
    filtered: bool,
}

const OPEN: &[Open] = &[
    // The network is the caller's, and abstract sockets belong to it.
    Open {
        attempt: "connect_abstract",
        to: |_| true,
    },
    // The program is a member of the caller's job: so it is stopped and continued, and hears of the terminal.
    Open {
        attempt: "signal_group",
        to: |_| true,
    },
    // Descriptors that the caller passes are passed.
    Open {
        attempt: "inherited_directory",
        to: |start| start.directory,
    },
    // Who shares the home directory shares what unlocks it.
    Open {
        attempt: "read_session_key",
        to: |start| !start.contain && !start.filtered,
    },
    // To the host's user 0 the files of its own cgroup belong, wherever they are mounted, and it may mount them in a user namespace
    // of its own making, which sandboxes of browsers need.
    Open {
        attempt: "nested_cgroup",
        to: |start| !start.place.is_user(),
    },
];

fn expected(start: Start) -> BTreeSet<&'static str> {
    let open = OPEN.iter().filter(|open| (open.to)(start));
    open.map(|open| open.attempt).collect()
}

/// An abstract socket that somebody listens on.
fn listen(name: &str) -> UnixListener {
    let address = SocketAddr::from_abstract_name(name).expect("an address");
    UnixListener::bind_addr(&address).expect("an abstract socket")
}

/// One start in every place, contained and not, and what got out.
fn nothing_but_what_is_open(directory: bool) {
    if skip(&TINY_NEEDS) {
        return;
    }
    let bundle = ESCAPES.get();
    let socket = format!("polecat-escapes-{}-{directory}", std::process::id());
    let _listener = listen(&socket);
    for place in Place::ALL.into_iter().filter(|place| !skip(place.needs())) {
        let prey = Prey::new(place, bundle.path(), &socket);
        let [program, with_key] = prey.with_key();
        let redirection = if directory { "exec \"$@\" 9</" } else { "exec \"$@\"" };
        for contain in [false, true] {
            let mut command = bundle.start_behind(place, &["sh", "-c", redirection, "sh", program, with_key]);
            command
                .args(contain.then_some("--polecat-contain"))
                .arg("try")
                .args(prey.words());
            let tried = Attempts::of(&exec::run(&mut command));
            let start = Start {
                place,
                contain,
                directory,
                filtered: tried.filtered,
            };
            assert_eq!(
                tried.escaped(),
                expected(start),
                "{place}, contained: {contain}: {:#?}",
                tried.attempts
            );
        }
    }
}

#[test]
fn nothing_leads_out() {
    nothing_but_what_is_open(false);
}

#[test]
fn what_the_caller_passes_leads_where_he_says() {
    nothing_but_what_is_open(true);
}

/// The program on a terminal, started by `command`: whether its words became the caller's.
fn pushes_back_keys(command: &mut Command) -> Attempts {
    let (status, printed) = Terminal::start(command, 24, 80).end();
    assert!(status.success(), "{status}: {printed}");
    // What was pushed back is echoed before what is printed.
    let json = printed.find('{').and_then(|at| printed.get(at..)).unwrap_or_default();
    serde_json::from_str(json.trim()).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// Whether the kernel lets everybody push keys back, as it did until 6.2: `CONFIG_LEGACY_TIOCSTI`.
fn keys_can_be_pushed_back() -> bool {
    std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").map_or(true, |text| text.trim() == "1")
}

#[test]
fn nobody_pushes_back_keys() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let bundle = ESCAPES.get();
    for place in Place::ALL.into_iter().filter(|place| !skip(place.needs())) {
        for contain in [false, true] {
            let mut command = bundle.start_behind(place, &NEW_SESSION);
            command
                .args(contain.then_some("--polecat-contain"))
                .args(["try", "token=none"]);
            let tried = pushes_back_keys(&mut command);
            let attempt = &tried.attempts["push_back_keys"];
            assert_eq!(attempt.escaped, Some(false), "{place}: {attempt:?}");
            // The caller's terminal is the only device that is more than the harmless ones.
            let device = &tried.attempts["open_devices"];
            assert!(
                device.escaped == Some(false) || device.how.starts_with("/dev/console"),
                "{place}: {device:?}"
            );
        }
    }
    let prey = Prey::new(Place::RootUnpack, bundle.path(), "");
    let private = ["unshare", "--mount", "--propagation=private"];
    let prefix: Vec<&str> = NEW_SESSION.into_iter().chain(private).collect();
    let mut bare = Place::RootUnpack.command_behind(&prefix, prey.program());
    let tried = pushes_back_keys(bare.args(["try", "token=none"]));
    assert_eq!(
        tried.attempts["push_back_keys"].escaped,
        Some(keys_can_be_pushed_back())
    );
}

/// Where the program is in nothing but a directory by chroot(2), or nowhere, what it does works: a test of the attempts.
#[test]
fn without_a_box_it_gets_out() {
    if skip(&TINY_NEEDS) || skip(&[Need::Root]) {
        return;
    }
    let scratch = Scratch::new();
    let root = escapes(&scratch);
    for name in ["proc", "sys", "dev", "tmp"] {
        std::fs::create_dir(root.join(name)).expect("a directory");
    }
    let socket = format!("polecat-escapes-bare-{}", std::process::id());
    let _listener = listen(&socket);
    let victim = scratch.file("victim", "");
    let prey = Prey::new(Place::RootUnpack, &victim, &socket);
    let [program, with_key] = prey.with_key();
    // Mounts of its own, that its attempts may change.
    let script = "set -e; cd \"$1\"; mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev; \
                  mount --bind bin bin; mount -o remount,bind,ro bin; shift; exec \"$@\" 9</";
    let in_chroot = ["chroot", "/bin/escapes"];
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation=private", "sh", "-c", script, "sh"])
        .arg(&root)
        .args([program, with_key, in_chroot[0]])
        .arg(&root)
        .args([in_chroot[1], "try"])
        .args(prey.words());
    let tried = Attempts::of(&exec::run(&mut command));
    let out = tried.escaped();
    // The rest depends on the kernel's configuration, or on a user namespace around it.
    for name in [
        "climb_from_chroot",
        "kept_directory",
        "inherited_directory",
        "enter_roots",
        "take_descriptors",
        "trace_others",
        "read_memories",
        "read_environments",
        "open_executables",
        "join_namespaces",
        "signal_others",
        "remount_writable",
        "unmount_covers",
        "mount_anything",
        "open_devices",
        "govern_kernel",
        "read_kernel",
        "load_code",
        "read_session_key",
        "connect_abstract",
    ] {
        assert!(out.contains(name), "{name}: {:?}", tried.attempts[name]);
    }
    // What is not in the root of chroot(2), or cannot be done in it.
    let bare = exec::run(
        Command::new("unshare")
            .args(["--mount", "--propagation=private"])
            .args(prey.with_key())
            .arg(program)
            .arg("try")
            .args(prey.words()),
    );
    let bare = Attempts::of(&bare);
    for name in ["by_handle", "make_devices", "write_bundle"] {
        assert!(bare.escaped().contains(name), "{name}: {:?}", bare.attempts[name]);
    }
}
