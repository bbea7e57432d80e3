//! Which rung is taken when nobody forces one, and when the caller's limits are in the way.

use support::exec::Ended;
use support::place::ORDINARY_USER;
use support::requirement::skip;
use support::roots::{TINY_NEEDS, inflated};
use support::{Bundle, Need, Place, Scratch, exec};

use crate::{places, printer, shell};

/// What the root of the box is made of, told by the box itself, and whether there is a server process for it.
fn taken(place: Place) -> Option<(String, bool)> {
    let bundle = shell()?;
    if skip(place.needs()) || skip(&[Need::Root]) {
        return None;
    }
    let mut command = bundle.start(place);
    // What awk says is told when awk has ended: it is none of the processes that are counted.
    let line = "kind=$(busybox awk '$5 == \"/\" { for (i = 7; i < NF; i++) if ($i == \"-\") print $(i + 1) }' \
                /proc/self/mountinfo); echo $kind; read wait";
    command.args(["-c", line]).env_remove("POLECAT_MOUNT");
    let mut child = exec::spawn(
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped()),
    );
    let mut printed = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut kind = String::new();
    std::io::BufRead::read_line(&mut printed, &mut kind).expect("a line");
    // Monitor, init, program: one more is the server.
    let family = support::processes::family(child.id()).len();
    drop(child.stdin.take());
    let status = exec::wait("the shell", &mut child);
    assert!(status.code().is_some(), "{status}");
    Some((kind.trim().to_owned(), family > 3))
}

#[test]
fn root_takes_the_loop_device() {
    if !skip(Place::RootLoop.needs())
        && let Some(taken) = taken(Place::RootLoop)
    {
        assert_eq!(taken, ("overlay".to_owned(), false));
    }
}

#[test]
fn a_user_takes_fuse() {
    if let Some(taken) = taken(Place::UserFuse) {
        assert_eq!(taken, ("overlay".to_owned(), true));
    }
}

#[test]
fn a_user_without_fuse_unpacks() {
    if let Some(taken) = taken(Place::UserUnpack) {
        assert_eq!(taken, ("tmpfs".to_owned(), false));
    }
}

/// A small image that is too large to be unpacked at every start.
fn large_tree() -> Bundle {
    let options = ["--include", "/bin/large", "--store-startup", "0"];
    Bundle::pack(&options, &inflated(&Scratch::new()), &["/bin/tiny"])
}

/// How a small bundle goes down the ladder when nobody forces a rung.
fn small(bundle: &Bundle, place: Place) -> Ended {
    let mut command = bundle.start(place);
    command.arg("x").env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
    exec::run(&mut command).exits(1)
}

#[test]
fn small_images_are_unpacked_at_once() {
    let Some(bundle) = printer() else { return };
    for place in places() {
        let ended = small(&bundle, place);
        assert!(ended.err().contains("debug: unpack: holds"), "{place}: {ended}");
        assert!(!ended.err().contains("left"), "{place}: {ended}");
    }
}

#[test]
fn small_images_of_large_trees_are_mounted() {
    if skip(&TINY_NEEDS) || skip(&[Need::Root]) {
        return;
    }
    let bundle = large_tree();
    for (place, rung) in [(Place::RootLoop, "loop"), (Place::UserFuse, "fuse")] {
        if skip(place.needs()) {
            continue;
        }
        let ended = small(&bundle, place);
        assert!(!ended.err().contains("unpack"), "{place}: {ended}");
        assert!(ended.err().contains(&format!("{rung}: holds")), "{place}: {ended}");
    }
    // Where nothing can be mounted it is unpacked all the same.
    if !skip(Place::UserUnpack.needs()) {
        let ended = small(&bundle, Place::UserUnpack);
        assert!(ended.err().contains("unpack: holds"), "{ended}");
    }
}

/// An id that only one test has: a limit of processes counts those of a user.
const LONELY_USER: u32 = 65_530;

/// Started by `user` with one of prlimit(1)'s limits, on this rung or on any.
fn limited(bundle: &Bundle, (place, user): (Place, u32), limit: &str, forced: bool) -> Ended {
    let mut command = place.command_of(user, &["prlimit", limit], bundle.path());
    command.arg("x").env("HOME", "/").current_dir("/");
    if !forced {
        command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
    }
    exec::run(&mut command)
}

#[test]
fn few_descriptors_are_enough_or_named() {
    let Some(bundle) = printer() else { return };
    for place in places() {
        let ended = [false, true].map(|forced| {
            let mut started = false;
            // With less the executable cannot read itself.
            for limit in 4..=16 {
                let ended = limited(&bundle, (place, ORDINARY_USER), &format!("--nofile={limit}"), forced);
                started = ended.code() == Some(1);
                let told = ended.code() == Some(125) && ended.err().contains("(ulimit -n)");
                assert!(started || told, "{place}: {limit}: {ended}");
            }
            started
        });
        assert_eq!(ended, [true, true], "{place}: 16 are enough");
    }
}

#[test]
fn without_a_process_to_spare_the_image_is_unpacked() {
    let place = Place::UserFuse;
    if skip(&TINY_NEEDS) || skip(place.needs()) || skip(&[Need::Root]) {
        return;
    }
    let bundle = large_tree();
    let lonely = (place, LONELY_USER);
    // Monitor, init and program: none for the server, or none for its thread.
    let ended = limited(&bundle, lonely, "--nproc=3", false).exits(1);
    assert_eq!(ended.out(), "x\n", "{ended}");
    assert!(ended.err().contains("unpack: holds"), "{ended}");
    let ended = limited(&bundle, lonely, "--nproc=3", true).exits(125);
    assert!(ended.err().contains("(ulimit -u)"), "{ended}");
    // The server cannot even be forked, and neither can the program afterwards.
    let ended = limited(&bundle, lonely, "--nproc=2", false).exits(125);
    for told in [
        "start the image server: ",
        "unpack: holds",
        "fork the app's process",
        "(ulimit -u)",
    ] {
        assert!(ended.err().contains(told), "{told}: {ended}");
    }
}
