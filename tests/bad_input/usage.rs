//! Command lines.

use std::ffi::OsStr;

use crate::{Case, FAILED, NOT_FOUND, USAGE};

#[test]
fn command_lines_that_make_no_sense() {
    let Some(case) = Case::new() else { return };
    let root = case.root.as_os_str();
    let lines: [&[&OsStr]; 7] = [
        &[],
        &[root],
        &["--nosuch".as_ref(), root, "/bin/tiny".as_ref()],
        &["-o".as_ref()],
        &["key".as_ref()],
        &["verify".as_ref()],
        &["extract".as_ref(), "only-one".as_ref()],
    ];
    for line in lines {
        let ended = case.polecat.run(line);
        assert_eq!(ended.code(), Some(USAGE), "{ended}");
        assert!(!ended.err().is_empty(), "{ended}");
        assert_eq!(ended.out(), "", "{ended}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let Some(case) = Case::new() else { return };
    for flag in ["--help", "--version"] {
        let ended = case.polecat.run([flag]).success();
        assert!(ended.out().contains("polecat"), "{ended}");
        assert_eq!(ended.err(), "", "{ended}");
    }
    for verb in ["pack", "plan", "inspect", "verify", "extract", "sign", "key"] {
        let ended = case.polecat.run([verb, "--help"]).success();
        assert!(ended.out().contains(verb), "{ended}");
    }
}

#[test]
fn keys_that_are_none() {
    let Some(case) = Case::new() else { return };
    let text = case.scratch.file("text.key", "no key\n");
    case.scratch.permit(&text, 0o600);
    let cut = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIH\n-----END PRIVATE KEY-----\n";
    let cut = case.scratch.file("cut.key", cut);
    case.scratch.permit(&cut, 0o600);
    let missing = case.scratch.join("missing.key");
    for (key, word) in [(&text, "text.key"), (&cut, "cut.key"), (&missing, "missing.key")] {
        let ended = case.pack(&["--key".as_ref(), key.as_os_str()], &case.root, "/bin/tiny");
        crate::assert_refused(&ended, FAILED, &[word]);
        case.assert_untouched(&ended);
    }
}

#[test]
fn a_reader_that_goes_away() {
    let Some(case) = Case::new() else { return };
    // `polecat plan … | head -1` is no error to speak of.
    let line = "\"$1\" plan \"$2\" /bin/tiny | head -n 1";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", line, "sh"])
        .arg(support::Polecat::executable())
        .arg(&case.root);
    let ended = support::exec::run(command.env("HOME", case.polecat.home())).success();
    assert!(!ended.err().contains("panicked"), "{ended}");
}

#[test]
fn the_plan_of_what_is_missing() {
    let Some(case) = Case::new() else { return };
    let ended = case
        .polecat
        .run(["plan".as_ref(), case.root.as_os_str(), "nosuch".as_ref()]);
    crate::assert_refused(&ended, NOT_FOUND, &["nosuch"]);
}
