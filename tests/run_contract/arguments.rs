//! Arguments reach the program as they are.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::{places, printer};

#[test]
fn arguments_are_untouched() {
    let Some(bundle) = printer() else { return };
    let arguments: [&[u8]; 11] = [
        b"--help",
        b"-h",
        b"--version",
        b"--",
        b"",
        b"a b  c",
        b"'\"$HOME`*",
        b"--polecat-help",
        b"--polecat-nonsense",
        "\u{fc}\u{4e16}".as_bytes(),
        b"\xff\xfe not UTF-8",
    ];
    for place in places() {
        let ended = bundle.run(place, arguments.map(OsStr::from_bytes)).exits(11);
        let wanted: Vec<u8> = arguments
            .iter()
            .flat_map(|argument| [argument, &b"\n"[..]].concat())
            .collect();
        assert_eq!(ended.stdout, wanted, "{place}: {ended}");
        assert_eq!(ended.err(), "", "{place}");
    }
}

#[test]
fn many_and_long_arguments() {
    let Some(bundle) = printer() else { return };
    // 100 arguments of 10 KB: half of what execve(2) takes in all.
    let arguments: Vec<OsString> = (0..100)
        .map(|index| OsString::from(format!("{index:010000}")))
        .collect();
    for place in places() {
        let ended = bundle.run(place, &arguments).exits(100);
        assert_eq!(ended.stdout.len(), 100 * 10_001, "{place}");
    }
}

#[test]
fn no_argument_at_all() {
    let Some(bundle) = printer() else { return };
    for place in places() {
        assert_eq!(bundle.run(place, [""; 0]).success().out(), "", "{place}");
    }
}

#[test]
fn reserved_flags_are_taken_as_the_first_argument_only() {
    let Some(bundle) = printer() else { return };
    for place in places() {
        let help = bundle.run(place, ["--polecat-help", "x"]).success().out();
        for flag in [
            "--polecat-help",
            "--polecat-inspect",
            "--polecat-extract",
            "--polecat-verify",
            "--polecat-entry",
        ] {
            assert!(help.contains(flag), "{place}: {help}");
        }
        let unknown = bundle.run(place, ["--polecat-nonsense"]).exits(125);
        assert_eq!(unknown.out(), "", "{place}");
        assert!(unknown.err().contains("--polecat-nonsense"), "{place}: {unknown}");
        assert!(
            unknown.err().contains("--polecat-help"),
            "{place}: does not say what there is: {unknown}"
        );
        let almost = bundle.run(place, ["--polecat"]).exits(1);
        assert_eq!(almost.out(), "--polecat\n", "{place}");
    }
}

#[test]
fn the_bundle_verifies_and_shows_itself() {
    let Some(bundle) = printer() else { return };
    for place in places() {
        let _says_something = bundle.run(place, ["--polecat-verify"]).success();
        let shown = bundle.run(place, ["--polecat-inspect"]).success().out();
        assert!(shown.contains("/bin/tiny"), "{place}: {shown}");
    }
}
