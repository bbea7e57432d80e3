//! Mounts that are kept for the next start: who uses them, when they go, and whom they are never shared with.

#![forbid(unsafe_code)]

#[path = "kept/refusals.rs"]
mod refusals;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, recv, send, socket,
};
use nix::unistd::Pid;
use support::exec::Ended;
use support::format::{BLOCK, Layout};
use support::place::ORDINARY_USER;
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Need, Place, Polecat, Scratch, exec, wait};

/// Longer than any test.
const LONG: &str = "600";

/// A shell, packed for each test anew: what is kept is kept for all who have the image.
fn shell() -> Option<Bundle> {
    if skip(&BUSYBOX_NEEDS) || skip(&[Need::Root]) {
        return None;
    }
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    // Every image is another one.
    fs::write(root.join("own"), scratch.path().display().to_string()).expect("a file");
    fs::write(root.join("large"), noise(400_000)).expect("a file");
    Some(Bundle::pack(
        &["--include", "/own", "--include", "/large"],
        &root,
        &["/bin/sh", "-c"],
    ))
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn places() -> impl Iterator<Item = Place> {
    Place::BOTH_USERS.into_iter().filter(|place| !skip(place.needs()))
}

/// Runs a line of the shell; `keep`: how long the mount is to be kept.
fn run(bundle: &Bundle, place: Place, keep: Option<&str>, line: &str) -> Ended {
    let mut command = bundle.start(place);
    command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
    command.envs(keep.map(|keep| ("POLECAT_KEEP", keep)));
    exec::run(command.arg(line))
}

/// The rung that the program says it is on.
fn rung(ended: &Ended) -> String {
    let text = ended.err();
    let line = text.lines().find_map(|line| line.strip_suffix(": holds"));
    let rung = line.and_then(|line| line.strip_prefix("polecat: debug: "));
    rung.unwrap_or_else(|| panic!("no rung holds: {ended}")).to_owned()
}

/// Processes of the bundle's file that keep it: holder and server.
fn keepers(bundle: &Bundle) -> Vec<(Pid, String)> {
    let ids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ids.filter_map(|id| {
        let executable = fs::read_link(format!("/proc/{id}/exe")).ok()?;
        let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
        let keeps = executable == bundle.path() && name.starts_with("polecat-keep");
        Some((Pid::from_raw(id.parse().ok()?), name.trim().to_owned())).filter(|_| keeps)
    })
    .collect()
}

fn expected_keepers(place: Place) -> usize {
    if place.is_user() { 2 } else { 1 }
}

fn release(bundle: &Bundle, place: Place) -> String {
    let mut command = bundle.start(place);
    exec::run(command.env_remove("POLECAT_MOUNT").arg("--polecat-release"))
        .exits(0)
        .out()
}

fn nothing_is_left(bundle: &Bundle) {
    wait::until_or(
        "nothing is kept",
        || keepers(bundle).is_empty(),
        || format!("{:?}", keepers(bundle)),
    );
    let devices = || {
        let devices = fs::read_dir("/sys/block").expect("/sys/block").filter_map(Result::ok);
        let mut files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
        files.any(|backing| Path::new(backing.trim_end()) == bundle.path())
    };
    wait::until("no loop device is left", || !devices());
}

#[test]
fn the_next_start_uses_it_until_it_is_released() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let plain = run(&bundle, place, None, "cat /own").exits(0);
        assert_ne!(rung(&plain), "kept", "{place}");
        assert_eq!(keepers(&bundle), [], "{place}: nobody asked for it");
        let first = run(&bundle, place, Some(LONG), "cat /own; touch /x").exits(0);
        assert_eq!(rung(&first), "kept", "{place}: {first}");
        assert_eq!(keepers(&bundle).len(), expected_keepers(place), "{place}");
        let kept = keepers(&bundle);
        let second = run(&bundle, place, None, "cat /own; ls /x").exits(1);
        assert_eq!((rung(&second).as_str(), second.out()), ("kept", plain.out()), "{place}");
        let refusing = run(&bundle, place, Some("0"), "true").exits(0);
        assert_ne!(rung(&refusing), "kept", "{place}");
        assert_eq!(keepers(&bundle), kept, "{place}: the same processes");
        assert_eq!(release(&bundle, place), "released\n", "{place}");
        nothing_is_left(&bundle);
        assert_eq!(release(&bundle, place), "nothing is kept\n", "{place}");
        assert_ne!(rung(&run(&bundle, place, None, "true").exits(0)), "kept", "{place}");
    }
}

#[test]
fn it_goes_when_nobody_wanted_it_for_a_while() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let first = run(&bundle, place, Some("1"), "sleep 2; cat /own").exits(0);
        assert_eq!(rung(&first), "kept", "{place}");
        nothing_is_left(&bundle);
    }
}

#[test]
fn a_running_program_keeps_its_mount() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut command = bundle.start(place);
        command.env_remove("POLECAT_MOUNT").env("POLECAT_KEEP", LONG);
        command.arg("echo ready; read line; busybox cmp /large /large && cat /own; exit 3");
        let mut child = exec::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut printed = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        printed.read_line(&mut line).expect("a line");
        assert_eq!(release(&bundle, place), "released\n", "{place}");
        child.stdin.take().expect("a pipe").write_all(b"\n").expect("a reader");
        printed.read_line(&mut line).expect("a line");
        assert!(line.starts_with("ready\n/"), "{place}: {line}");
        assert_eq!(exec::wait("the shell", &mut child).code(), Some(3), "{place}");
        nothing_is_left(&bundle);
    }
}

#[test]
fn killed_keepers_leave_nothing_and_are_not_missed() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for victim in 0..expected_keepers(place) {
            let _kept = run(&bundle, place, Some(LONG), "true").exits(0);
            let (pid, name) = keepers(&bundle).swap_remove(victim);
            kill(pid, Signal::SIGKILL).expect("a process");
            nothing_is_left(&bundle);
            let next = run(&bundle, place, None, "cat /own").exits(0);
            assert_ne!(rung(&next), "kept", "{place}: {name}");
        }
    }
}

#[test]
fn a_server_that_is_killed_ends_the_run_and_says_so() {
    let place = Place::UserFuse;
    let Some(bundle) = shell() else { return };
    if skip(place.needs()) {
        return;
    }
    let mut command = bundle.start(place);
    command
        .env_remove("POLECAT_MOUNT")
        .env("POLECAT_KEEP", LONG)
        .arg("echo ready; read line");
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = exec::spawn(piped);
    let mut first = [0; 6];
    let stdout = child.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(stdout, &mut first).expect("a line");
    let server = keepers(&bundle)
        .into_iter()
        .find(|(_, name)| name.starts_with("polecat-keep-"));
    kill(server.expect("a server").0, Signal::SIGKILL).expect("a process");
    let ended = exec::finish("the shell".to_owned(), child).exits(125);
    assert!(ended.err().contains("the image server ended"), "{ended}");
    nothing_is_left(&bundle);
}

#[test]
fn a_damaged_block_ends_the_run_as_on_any_mount() {
    let place = Place::UserFuse;
    let Some(bundle) = shell() else { return };
    if skip(place.needs()) {
        return;
    }
    let layout = Layout::read(bundle.path());
    // In the middle of the data that do not compress.
    let offset = layout.image.start + (layout.image.len() / 2) / BLOCK * BLOCK + 17;
    exec::changing_files(|| {
        let file = File::options()
            .read(true)
            .write(true)
            .open(bundle.path())
            .expect("the bundle");
        file.write_all_at(&[layout.bytes[offset] ^ 1], offset as u64)
            .expect("a byte");
    });
    let line = "cat /bin/* /large > /dev/null";
    let ended = run(&bundle, place, Some(LONG), line).exits(121);
    assert!(ended.err().contains("not what was signed"), "{ended}");
    nothing_is_left(&bundle);
}

/// Where the holder of a user's mount listens.
fn address(bundle: &Bundle, user: u32) -> UnixAddr {
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let shown = polecat.run(["inspect".as_ref(), "--json".as_ref(), bundle.path().as_os_str()]);
    let json = shown.json();
    let digest = json["manifest"]["hashTree"]["rootDigest"].as_str().expect("a digest");
    let who = if user == 0 { "p" } else { "u" };
    UnixAddr::new_abstract(format!("polecat/1/{who}/{user}/{user}/{digest}").as_bytes()).expect("a name")
}

fn seqpacket() -> OwnedFd {
    socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).expect("a socket")
}

#[test]
fn somebody_elses_is_never_trusted() {
    let place = Place::UserFuse;
    let Some(bundle) = shell() else { return };
    if skip(place.needs()) {
        return;
    }
    // Root listens where the user's holder would, and would answer anything.
    let listener = seqpacket();
    bind(listener.as_raw_fd(), &address(&bundle, ORDINARY_USER)).expect("a free name");
    listen(&listener, Backlog::new(8).expect("a number")).expect("a listener");
    for keep in [None, Some(LONG)] {
        let ended = run(&bundle, place, keep, "cat /own").exits(0);
        assert_ne!(rung(&ended), "kept", "{ended}");
        assert!(ended.err().contains("kept mount: not used: user "), "{ended}");
    }
    nothing_is_left(&bundle);
}

#[test]
fn nobody_else_is_served() {
    let place = Place::UserFuse;
    let Some(bundle) = shell() else { return };
    if skip(place.needs()) {
        return;
    }
    let _kept = run(&bundle, place, Some(LONG), "true").exits(0);
    // Root is not the user, and neither is nonsense.
    for question in [&b"M"[..], b"R", b"nonsense"] {
        let stranger = seqpacket();
        connect(stranger.as_raw_fd(), &address(&bundle, ORDINARY_USER)).expect("a holder");
        let sent = send(stranger.as_raw_fd(), question, MsgFlags::MSG_NOSIGNAL);
        assert!(matches!(sent, Ok(_) | Err(nix::errno::Errno::EPIPE)), "{sent:?}");
        let answer = recv(stranger.as_raw_fd(), &mut [0; 64], MsgFlags::empty());
        assert!(
            matches!(answer, Ok(0) | Err(nix::errno::Errno::ECONNRESET)),
            "{answer:?}"
        );
    }
    let next = run(&bundle, place, None, "cat /own").exits(0);
    assert_eq!(rung(&next), "kept", "{next}");
    assert_eq!(release(&bundle, place), "released\n");
    nothing_is_left(&bundle);
}

#[test]
fn a_holder_that_does_not_answer_is_left() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let _kept = run(&bundle, place, Some(LONG), "true").exits(0);
        let (holder, _) = keepers(&bundle)
            .into_iter()
            .find(|(_, name)| name == "polecat-keep")
            .expect("a holder");
        kill(holder, Signal::SIGSTOP).expect("a process");
        let next = run(&bundle, place, None, "cat /own").exits(0);
        assert_ne!(rung(&next), "kept", "{place}: {next}");
        assert!(next.err().contains("does not answer"), "{place}: {next}");
        kill(holder, Signal::SIGKILL).expect("a process");
        nothing_is_left(&bundle);
    }
}

#[test]
fn twenty_at_once_share_one() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let children: Vec<_> = (0..20)
            .map(|_| {
                let mut command = bundle.start(place);
                command
                    .env_remove("POLECAT_MOUNT")
                    .env("POLECAT_KEEP", LONG)
                    .arg("cat /own");
                exec::spawn(
                    command
                        .stdin(Stdio::null())
                        .stdout(Stdio::piped())
                        .stderr(Stdio::piped()),
                )
            })
            .collect();
        for child in children {
            let ended = exec::finish(format!("{place}"), child).exits(0);
            assert!(
                ended.out().starts_with('/') && ended.err().is_empty(),
                "{place}: {ended}"
            );
        }
        assert_eq!(keepers(&bundle).len(), expected_keepers(place), "{place}");
        assert_eq!(release(&bundle, place), "released\n", "{place}");
        nothing_is_left(&bundle);
    }
}

#[test]
fn the_last_logout_ends_it() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let runtime = bundle.scratch().open_directory("runtime");
        let mut command = bundle.start(place);
        command
            .env_remove("POLECAT_MOUNT")
            .env("POLECAT_KEEP", LONG)
            .env("XDG_RUNTIME_DIR", &runtime);
        let _kept = exec::run(command.arg("true")).exits(0);
        assert_eq!(keepers(&bundle).len(), expected_keepers(place), "{place}");
        fs::remove_dir(&runtime).expect("an empty directory");
        nothing_is_left(&bundle);
    }
}
