//! Hosts that let a start have no use of a mount that is kept.

use std::fs;
use std::process::Command;

use support::requirement::{skip, tool};
use support::roots::fixtures;
use support::{Need, Place, Scratch, exec};

use crate::{LONG, keepers, nothing_is_left, release, run, rung, shell};

/// What is forbidden, the rung that is taken all the same, and why not the kept one.
const REFUSALS: [(&str, &str, &str, &str); 4] = [
    // It cannot be entered, and a user namespace of one's own can.
    (
        "1",
        "setns",
        "fuse",
        "kept mount: not used: join the user namespace of the kept mount: Operation not permitted\n",
    ),
    ("0", "setns", "fuse", "kept mount: not used: "),
    (
        "1",
        "setns,clone-user",
        "disk",
        "no root of its own: make user, mount, ",
    ),
    // It can, and nothing be mounted in it.
    (
        "13",
        "mount",
        "disk",
        "kept mount: not used: part the mounts from the host's: Permission denied",
    ),
];

#[test]
fn a_start_that_can_not_use_it_goes_on() {
    let place = Place::UserFuse;
    let Some(bundle) = shell() else { return };
    if skip(place.needs()) || skip(&[Need::Tool("gcc")]) {
        return;
    }
    let deny = bundle.scratch().join("deny");
    let mut compiler = Command::new(tool("gcc"));
    compiler.args(["-static", "-Os", "-o"]).arg(&deny);
    let _no_output = exec::run(compiler.arg(fixtures().join("programs/deny.c"))).success();
    let deny = deny.to_str().expect("text");
    let _kept = run(&bundle, place, Some(LONG), "true").exits(0);
    let kept = keepers(&bundle);
    for (errno, calls, taken, told) in REFUSALS {
        let scratch = Scratch::new();
        let mut command = bundle.start_behind(place, &[deny, errno, calls]);
        command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
        command.env("HOME", scratch.home());
        let ended = exec::run(command.arg("echo inside; exit 7")).exits(7);
        assert_eq!(
            (rung(&ended).as_str(), ended.out().as_str()),
            (taken, "inside\n"),
            "{calls}: {ended}"
        );
        assert!(ended.err().contains(told), "{calls}: {ended}");
        assert!(
            fs::read_dir(scratch.path().join("home"))
                .expect("the home")
                .next()
                .is_none(),
            "{calls}"
        );
        let mut command = bundle.start_behind(place, &[deny, errno, calls]);
        command.env_remove("POLECAT_MOUNT").arg("--polecat-strict");
        let strict = exec::run(command.args(["--", "exit 7"]));
        assert_eq!(
            strict.code(),
            Some(if taken == "disk" { 125 } else { 7 }),
            "{calls}: {strict}"
        );
        assert_eq!(keepers(&bundle), kept, "{calls}: the same processes");
    }
    // It is as good as before.
    assert_eq!(rung(&run(&bundle, place, None, "true").exits(0)), "kept");
    assert_eq!(release(&bundle, place), "released\n");
    nothing_is_left(&bundle);
}
