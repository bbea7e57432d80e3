//! Files that should be bundles. What is done to whole ones by damage is in the suite `tamper`.

use std::ffi::OsStr;
use std::path::Path;

use crate::{Case, FAILED, NOT_A_BUNDLE, assert_refused, names_in};

/// The verbs that read a bundle, each with what comes after the file.
fn readers(case: &Case) -> [(&'static str, Vec<std::ffi::OsString>); 4] {
    let target = case.scratch.join("extracted").into_os_string();
    [
        ("verify", vec![]),
        ("inspect", vec![]),
        ("extract", vec![target]),
        ("sign", vec![]),
    ]
}

fn each_reader(case: &Case, file: &Path, code: i32, words: &[&str]) {
    for (verb, more) in readers(case) {
        let mut arguments = vec![OsStr::new(verb), file.as_os_str()];
        arguments.extend(more.iter().map(AsRef::<OsStr>::as_ref));
        let ended = case.polecat.run(arguments);
        assert_refused(&ended, code, words);
        assert!(!case.scratch.join("extracted").exists(), "{ended}");
    }
}

#[test]
fn other_files() {
    let Some(case) = Case::new() else { return };
    let text = case.scratch.file("text", "a text\n");
    let empty = case.scratch.file("empty", "");
    let program = case.root.join("bin/tiny");
    for (file, word) in [(&text, "text"), (&empty, "empty"), (&program, "tiny")] {
        let before = std::fs::read(file).expect("the file");
        each_reader(&case, file, NOT_A_BUNDLE, &[word]);
        assert_eq!(std::fs::read(file).expect("the file"), before, "changed");
    }
}

#[test]
fn no_files() {
    let Some(case) = Case::new() else { return };
    each_reader(&case, &case.scratch.join("missing"), FAILED, &["missing"]);
    each_reader(&case, &case.root, FAILED, &["tiny"]);
}

#[test]
fn extracting_to_where_something_is() {
    let Some(case) = Case::new() else { return };
    let bundle = case.bundle();
    let directory = case.scratch.directory("occupied");
    case.scratch.file("occupied/mine", "mine\n");
    let ended = case
        .polecat
        .run(["extract".as_ref(), bundle.as_os_str(), directory.as_os_str()]);
    assert_refused(&ended, FAILED, &["occupied"]);
    assert_eq!(names_in(&directory), ["mine"], "{ended}");
}

#[test]
fn extracting_a_damaged_image() {
    let Some(case) = Case::new() else { return };
    let bundle = case.bundle();
    let layout = support::format::Layout::read(&bundle);
    let mut bytes = layout.bytes.clone();
    // The first block of data: what it holds is a program, or part of one.
    bytes[layout.image.start + 200] ^= 1;
    support::exec::write(&bundle, &bytes);
    let ended = case.polecat.run([
        "extract".as_ref(),
        bundle.as_os_str(),
        case.scratch.join("extracted").as_os_str(),
    ]);
    assert_refused(&ended, NOT_A_BUNDLE, &["whole.run"]);
}
