//! Where what is written goes: kept, nowhere, or into memory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::processes::family;
use support::requirement::skip;
use support::roots::{busybox, compile};
use support::{Bundle, Ended, Need, Place, Scratch, exec};

use crate::{SHELL, bind, host, places, run};

#[test]
fn what_is_written_is_kept() {
    let line = "busybox cat /kept 2> /dev/null; echo kept > /kept; echo more >> /etc/passwd; busybox rm -f /bin/sh; \
                busybox grep -c more /etc/passwd; test -e /bin/sh && echo sh; true";
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let directory = bundle.work().join(format!("keep-{}-{}", place.id(), place.rung()));
        let option = format!("--polecat-persist={}", directory.display());
        let first = run(bundle.as_ref(), place, &[&option], line).success();
        assert_eq!(first.out(), "1\n", "{place}: {first}");
        let mut command = bundle.start(place);
        // The shell is gone, and stays so.
        let gone = exec::run(command.args([&option, "--", "-c", "true"]));
        assert_eq!(gone.code(), Some(127), "{place}: {gone}");
        let upper = directory.join("upper");
        assert_eq!(
            fs::read_to_string(upper.join("kept")).expect("a file"),
            "kept\n",
            "{place}"
        );
        let kept: Vec<OsString> = fs::read_dir(upper.join("etc"))
            .expect("a directory")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(kept, ["passwd"], "{place}: what was made for the run is not kept");
        let without = run(bundle.as_ref(), place, &[""; 0], "test -e /kept || echo fresh").success();
        assert_eq!(without.out(), "fresh\n", "{place}");
    }
}

#[test]
fn a_layer_is_for_one_image_and_one_run() {
    for place in places(&Place::BOTH_USERS) {
        let bundle = SHELL.get();
        let directory = bundle.work().join(format!("one-{}", place.id()));
        let option = format!("--polecat-persist={}", directory.display());
        let mut command = bundle.start(place);
        command.args([&option, "--", "-c", "echo ready; read line; echo $line > /first"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut first = exec::spawn(&mut command);
        let mut ready = [0; 6];
        std::io::Read::read_exact(first.stdout.as_mut().expect("a pipe"), &mut ready).expect("a word");
        let second = run(bundle.as_ref(), place, &[&option], "echo started");
        assert_eq!(
            (second.code(), second.out().as_str()),
            (Some(125), ""),
            "{place}: {second}"
        );
        assert!(second.err().contains("another run has it"), "{place}: {second}");
        std::io::Write::write_all(first.stdin.as_mut().expect("a pipe"), b"kept\n").expect("a pipe");
        let _first = exec::finish("the first".into(), first).success();
        let third = run(bundle.as_ref(), place, &[&option], "busybox cat /first").success();
        assert_eq!(third.out(), "kept\n", "{place}");
        let scratch = Scratch::new();
        let root = busybox(&scratch);
        fs::write(root.join("other"), "x").expect("a file");
        let other = Bundle::pack(&["--include=/other"], &root, &["/bin/sh"]);
        let refused = run(&other, place, &[&option], "echo started");
        assert_eq!(
            (refused.code(), refused.out().as_str()),
            (Some(125), ""),
            "{place}: {refused}"
        );
        assert!(refused.err().contains("another image"), "{place}: {refused}");
        let foreign = run(bundle.as_ref(), place, &["--polecat-persist=/usr"], "echo started");
        assert_eq!(foreign.code(), Some(125), "{place}: {foreign}");
        // Nobody waits for the other end of a pipe.
        let pipe = bundle.work().join(format!("pipe-{}", place.id()));
        mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
        let option = format!("--polecat-persist={}", pipe.display());
        let piped = run(bundle.as_ref(), place, &[&option], "echo started");
        assert_eq!(piped.code(), Some(125), "{place}: {piped}");
        assert!(piped.err().contains("Not a directory"), "{place}: {piped}");
    }
}

#[test]
fn a_file_system_that_cannot_be_an_upper_layer_is_said_to_be_one() {
    if skip(&[Need::Root, Need::Overlay]) {
        return;
    }
    for place in places(&[Place::RootLoop, Place::RootFuse, Place::RootUnpack]) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let own = scratch.path().display();
        let script = format!(
            "set -e; cd {own}; mkdir l u w m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m; exec \"$@\""
        );
        let prefix = ["unshare", "--mount", "--propagation=private", "sh", "-c", &script, "sh"];
        let mut command = bundle.start_behind(place, &prefix);
        let option = format!("--polecat-persist={own}/m/kept");
        let ended = exec::run(command.args([&option, "--", "-c", "echo started"])).exits(125);
        assert_eq!(ended.out(), "", "{place}: {ended}");
        assert!(
            ended
                .err()
                .contains("Invalid argument (try: a directory on a file system that can be an upper layer"),
            "{place}: {ended}"
        );
    }
}

#[test]
fn a_layer_that_was_not_made_in_full_is_made_anew() {
    for place in places(&Place::BOTH_USERS) {
        let bundle = SHELL.get();
        let directory = bundle.work().join(format!("half-{}", place.id()));
        let option = format!("--polecat-persist={}", directory.display());
        let line = "busybox stat -c %a /";
        let without = run(bundle.as_ref(), place, &[""; 0], line).success();
        let first = run(bundle.as_ref(), place, &[&option], line).success();
        assert_eq!(first.out(), without.out(), "{place}");
        // What a start leaves that ends before the root's attributes are on the layer.
        let closed = fs::Permissions::from_mode(0o700);
        fs::set_permissions(directory.join("upper"), closed).expect("a mode");
        fs::remove_dir_all(directory.join("work")).expect("a directory");
        let second = run(bundle.as_ref(), place, &[&option], line).success();
        assert_eq!(second.out(), without.out(), "{place}");
    }
}

#[test]
fn init_has_the_layer_for_as_long_as_it_lives() {
    for place in places(&Place::BOTH_USERS) {
        for more in [&[][..], &["--polecat-as-pid-1"]] {
            let bundle = SHELL.get();
            let directory = bundle.work().join(format!("held-{}", place.id()));
            let option = format!("--polecat-persist={}", directory.display());
            let mut command = bundle.start(place);
            command.arg(&option).args(more);
            command.args(["--", "-c", "echo ready; read line; true"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = exec::spawn(&mut command);
            let mut ready = [0; 6];
            std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut ready).expect("a word");
            let family = family(child.id());
            let init = family.iter().find(|process| process.name() == "polecat-init");
            let open = fs::read_dir(format!("/proc/{}/fd", init.expect("init").id)).expect("descriptors");
            let open = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
            assert_eq!(open.filter(|path| *path == directory).count(), 1, "{place} {more:?}");
            drop(child.stdin.take());
            let _ended = exec::finish("the run".into(), child).success();
        }
    }
}

#[test]
fn a_root_that_is_read_only_is_written_to_nowhere() {
    let line = "for d in / /bin /etc /dev /new /tmp /run /dev/shm $HOME .; do (echo x > $d/x) 2> /dev/null && echo $d && busybox rm $d/x; done; \
                echo x > /dev/null && echo null";
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let data = host(bundle.scratch(), &format!("data-{}-{}", place.id(), place.rung()));
        let options = ["--polecat-read-only".into(), bind(&data, ":/new")];
        let ended = run(bundle.as_ref(), place, &options, line).success();
        let home = bundle.home().display().to_string();
        assert_eq!(
            ended.out(),
            format!("/new\n/tmp\n/run\n/dev/shm\n{home}\n.\nnull\n"),
            "{place}: {ended}"
        );
        let ended = run(
            bundle.as_ref(),
            place,
            &["--polecat-read-only"],
            "busybox mount -o remount,rw / || echo refused",
        );
        assert_eq!(ended.out(), "refused\n", "{place}: {ended}");
    }
}

/// The rung that the program says it is on.
fn rung(ended: &Ended) -> String {
    let text = ended.err();
    let rung = text.lines().find_map(|line| line.strip_suffix(": holds"));
    let rung = rung.and_then(|line| line.strip_prefix("polecat: debug: "));
    rung.unwrap_or_else(|| panic!("no rung holds: {ended}")).to_owned()
}

/// Runs on whatever rung is the first to hold.
fn run_anyhow(bundle: &Bundle, place: Place, options: &[&str], line: &str) -> Ended {
    let mut command = bundle.start(place);
    command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
    exec::run(command.args(options).args(["--", "-c", line]))
}

/// A program that writes, in an image that is small.
fn writer() -> Bundle {
    let scratch = Scratch::new();
    let root = scratch.directory("root");
    compile("writer.c", &scratch.directory("root/bin").join("writer"));
    Bundle::pack(&[], &root, &["/bin/writer"])
}

#[test]
fn a_small_image_is_unpacked_first_and_obeys_too() {
    if skip(&[Need::Tool("musl-gcc")]) {
        return;
    }
    for place in places(&Place::BOTH_USERS) {
        let bundle = writer();
        let run = |options: &[&str], arguments: &[&str]| {
            let mut command = bundle.start(place);
            command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
            let ended = exec::run(command.args(options).args(arguments)).success();
            (rung(&ended), ended.out())
        };
        let unpacked = |said: &str| ("unpack".to_owned(), format!("{said}\n"));
        let three_million = ["/x", "3000000"];
        assert_eq!(run(&[], &three_million), unpacked("fits"), "{place}");
        let sealed = run(&["--polecat-read-only"], &three_million);
        assert_eq!(sealed, unpacked("Read-only file system"), "{place}");
        let capped = run(&["--polecat-tmp-size=1M"], &three_million);
        assert_eq!(capped, unpacked("No space left on device"), "{place}");
        assert_eq!(
            run(&["--polecat-tmp-size=8M"], &three_million),
            unpacked("fits"),
            "{place}"
        );
        let option = format!("--polecat-persist={}", bundle.work().join("layer").display());
        let (mounted, said) = run(&[&option], &["/x", "7"]);
        assert!(mounted != "unpack" && said == "fits\n", "{place}: {mounted} {said}");
        assert_eq!(run(&[&option], &["/x"]), (mounted, "7\n".to_owned()), "{place}");
    }
}

#[test]
fn a_kept_mount_is_the_image_below_a_layer_that_is_kept_or_read_only() {
    for place in places(&Place::BOTH_USERS) {
        let scratch = Scratch::new();
        let root = busybox(&scratch);
        // Every image is another one, and this one is not small.
        let noise: Vec<u8> = (0..2_u32 << 20)
            .map(|at| at.wrapping_mul(0x9e37_79b9).to_le_bytes()[2])
            .collect();
        fs::write(root.join("own"), scratch.path().display().to_string()).expect("a file");
        fs::write(root.join("large"), noise).expect("a file");
        let bundle = Bundle::pack(&["--include=/own", "--include=/large"], &root, &["/bin/sh"]);
        let directory = bundle.work().join("kept-layer");
        let persist = format!("--polecat-persist={}", directory.display());
        let line = "busybox cat /kept 2> /dev/null; echo kept > /kept; echo x >> /etc/passwd";
        for expected in ["", "kept\n"] {
            let ended = run_anyhow(&bundle, place, &["--polecat-keep=600", &persist], line).success();
            assert_eq!(
                (rung(&ended).as_str(), ended.out().as_str()),
                ("kept", expected),
                "{place}: {ended}"
            );
        }
        // What is kept of the mount has nothing of the layer.
        let clean = "test -e /kept || echo clean; echo x > /x && echo written || echo refused";
        for (options, expected) in [
            (&["--polecat-keep=600"][..], "clean\nwritten\n"),
            (&["--polecat-keep=600", "--polecat-read-only"], "clean\nrefused\n"),
        ] {
            let ended = run_anyhow(&bundle, place, options, clean).success();
            assert_eq!(
                (rung(&ended).as_str(), ended.out().as_str()),
                ("kept", expected),
                "{place}: {ended}"
            );
        }
        // The layer is not the holder's, who stays.
        let ended = run_anyhow(&bundle, place, &["--polecat-keep=0", &persist], "busybox cat /kept").success();
        assert_ne!(rung(&ended), "kept", "{place}: {ended}");
        assert_eq!(ended.out(), "kept\n", "{place}: {ended}");
        let _released = bundle.run(place, ["--polecat-release"]).success();
    }
}

#[test]
fn a_root_that_is_read_only_has_the_service_managers_socket() {
    for place in places(&[Place::RootUnpack, Place::UserUnpack]) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let path = scratch.open_directory("manager").join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        let mut command = bundle.start(place);
        command.env("NOTIFY_SOCKET", &path);
        let line = "test -S $NOTIFY_SOCKET && echo socket; echo x > /dev/x || echo refused";
        let ended = exec::run(command.args(["--polecat-read-only", "--", "-c", line])).success();
        assert_eq!(ended.out(), "socket\nrefused\n", "{place}: {ended}");
        drop(manager);
    }
}
