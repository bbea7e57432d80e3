//! Options of isolation: fixed when packing, given at the start, and to `polecat run`; and where they end.

#![forbid(unsafe_code)]

use std::ffi::OsStr;

use nix::sys::signal::Signal;
use support::bundle::Shared;
use support::exec::Ended;
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Need, Place, Polecat, Scratch, exec};

/// A shell that is called `packed` inside, where the packer has fixed that.
static NAMED: Shared = Shared::new(|| {
    let options = ["--hostname", "packed", "--env", "A=packed"];
    Bundle::pack(&options, &busybox(&Scratch::new()), &["/bin/sh"])
});

/// Prints where it is, and with what.
const LOOK: &str = "echo $(busybox hostname) $A $PWD \"$@\"";

fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}

/// The words that [`LOOK`] prints in a bundle that is started with `options`.
fn look(bundle: &Bundle, place: Place, options: &[&str], arguments: &[&str]) -> Ended {
    let script = ["-c", LOOK, "sh"];
    let all = options.iter().chain(&script).chain(arguments);
    bundle.run(place, all.map(OsStr::new)).exits(0)
}

#[test]
fn packed_options_hold_and_the_callers_come_over_them() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = NAMED.get();
    for place in places() {
        let work = bundle.work();
        let work = work.to_str().expect("text");
        let cases: [(&[&str], String); 4] = [
            (&[], format!("packed packed {work} x\n")),
            (&["--polecat-hostname=given"], format!("given packed {work} x\n")),
            (
                &["--polecat-env", "A=given", "--polecat-workdir", "/bin", "--"],
                "packed given /bin x\n".to_owned(),
            ),
            (&["--polecat-contain"], "packed packed / x\n".to_owned()),
        ];
        for (options, expected) in cases {
            let ended = look(&bundle, place, options, &["x"]);
            assert_eq!(ended.out(), expected, "{place}: {options:?}: {ended}");
        }
    }
}

#[test]
fn what_stands_behind_the_first_argument_is_the_programs() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = NAMED.get();
    for place in places() {
        let given = ["--polecat-hostname=x", "--", "--polecat-help"];
        let ended = look(&bundle, place, &[], &given);
        assert!(
            ended.out().ends_with(" --polecat-hostname=x -- --polecat-help\n"),
            "{place}: {ended}"
        );
    }
}

#[test]
fn options_that_mean_nothing_start_nothing() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = NAMED.get();
    for place in places() {
        for (option, told) in [
            (
                "--polecat-hostnam=x",
                "--polecat-hostnam=x: no flag of polecat's (try: --polecat-help)",
            ),
            (
                "--polecat-hostname=a b",
                "polecat: --polecat-hostname=a b: expected 1 to 64 letters",
            ),
            (
                "--polecat-contain=maybe",
                "polecat: --polecat-contain=maybe: expected yes or no",
            ),
            (
                "--polecat-workdir=../x",
                "polecat: --polecat-workdir=../x: expected an absolute path",
            ),
        ] {
            let ended = bundle.run(place, [option, "-c", "echo started"]).exits(125);
            assert_eq!(ended.out(), "", "{place}: {ended}");
            assert!(ended.err().contains(told), "{place}: {ended}");
        }
        let ended = bundle.run(place, ["--polecat-hostname"]).exits(125);
        assert!(
            ended
                .err()
                .contains("polecat: --polecat-hostname: the option wants a value (try: --polecat-hostname=VALUE)"),
            "{place}: {ended}"
        );
    }
}

#[test]
fn faults_name_an_option_as_it_was_written() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let (bundle, scratch) = (NAMED.get(), Scratch::new());
    let root = busybox(&scratch);
    let place = Place::UserUnpack;
    for (word, told) in [
        ("memory=1X", "{}memory=1X: expected bytes"),
        (
            "log=x",
            "{}log: means nothing without {}background (try: {}background too)",
        ),
        ("seccomp=", "{}seccomp=: expected default"),
    ] {
        let check = |ended: Ended, prefix: &str| {
            let expected = format!("polecat: {}", told.replace("{}", prefix));
            assert!(ended.err().starts_with(&expected), "{expected}: {ended}");
        };
        let given = format!("--{word}");
        let words = ["run".as_ref(), given.as_ref(), root.as_os_str(), "sh".as_ref()];
        check(Polecat::new(&scratch).run(words).exits(125), "--");
        if !skip(place.needs()) {
            let given = format!("--polecat-{word}");
            check(bundle.run(place, [given]).exits(125), "--polecat-");
        }
    }
}

#[test]
fn they_are_signed_and_shown() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let bundle = NAMED.get();
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let shown = polecat.run(["inspect".as_ref(), "--json".as_ref(), bundle.path().as_os_str()]);
    let manifest = &shown.json()["manifest"];
    assert_eq!(manifest["isolation"]["options"][0], "hostname=packed");
    assert_eq!(manifest["requires"][0], "isolation-options");
    let own = bundle.run(Place::UserUnpack, ["--polecat-inspect"]).exits(0);
    assert!(own.out().contains("hostname=packed"), "{own}");
    let help = bundle.run(Place::UserUnpack, ["--polecat-help"]).exits(0);
    assert!(help.out().contains("\n  --polecat-hostname NAME\n"), "{help}");
}

#[test]
fn a_packer_refuses_what_a_start_would() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let polecat = Polecat::new(&scratch);
    let output = scratch.join("x.run");
    for (option, told) in [
        ("--hostname=a b", "--hostname=a b: expected"),
        ("--hostname=", "--hostname=: expected"),
    ] {
        let words = [
            option.as_ref(),
            "-o".as_ref(),
            output.as_os_str(),
            root.as_ref(),
            "sh".as_ref(),
        ];
        let ended = polecat.run(words).exits(2);
        assert!(ended.err().contains(told), "{ended}");
        assert!(!output.exists());
    }
}

#[test]
fn a_directory_to_begin_in_is_there_or_nothing_begins() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    for place in Place::there(&Place::ALL, &[]) {
        let bundle = NAMED.get();
        let mut command = bundle.start(place);
        let ended = exec::run(command.args(["--polecat-workdir=/no/such", "--", "-c", "echo started"]));
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (Some(125), ""),
            "{place}: {ended}"
        );
        assert!(
            ended.err().contains("begin in /no/such: No such file or directory"),
            "{place}: {ended}"
        );
    }
}

#[test]
fn a_directory_with_mounts_below_it_is_for_root() {
    let place = Place::UserUnpack;
    if skip(&BUSYBOX_NEEDS) || skip(place.needs()) || skip(&[Need::Root]) {
        return;
    }
    // Every machine has a /proc.
    let scratch = Scratch::new();
    let own = scratch.join("polecat");
    exec::copy(&Polecat::executable(), &own);
    let mut command = place.command(&own);
    let ended = exec::run(command.args(["run", "/", "/bin/sh", "-c", "true"])).exits(125);
    assert!(
        ended.err().contains("mount an overlay on the root directory: "),
        "{ended}"
    );
    assert!(ended.err().contains("without mounts below it"), "{ended}");
    let scratch = Scratch::new();
    let _ran = Polecat::new(&scratch)
        .run(["run", "/", "/bin/sh", "-c", "true"])
        .success();
}

#[test]
fn a_directory_runs_with_them_too() {
    if skip(&BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let root = root.to_str().expect("text");
    let polecat = Polecat::new(&scratch);
    let options = [
        "run",
        "--hostname",
        "box",
        "--env",
        "A=b",
        "--workdir",
        "/bin",
        // A directory is mounted in one way.
        "--mount=disk",
        "--contain",
    ];
    let ended = polecat.run(options.into_iter().chain([root, "sh", "-c", LOOK, "sh", "--contain"]));
    assert_eq!(ended.exits(0).out(), "box b /bin --contain\n");
    let ended = polecat.run(["run", root, "sh", "-c", "kill -9 $$"]);
    assert_eq!(ended.signal(), Some(Signal::SIGKILL), "{ended}");
    let ended = polecat.run(["run", root, "no-such-program"]).exits(5);
    assert!(ended.err().contains("no-such-program"), "{ended}");
}
