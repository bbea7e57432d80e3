//! Root file systems and programs in them.

use std::os::unix::fs::symlink;
use std::process::Command;

use support::place::ORDINARY_USER;
use support::requirement::{skip, tool};
use support::{Need, exec};

use crate::{Case, FAILED, NOT_FOUND, assert_refused};

#[test]
fn a_command_that_is_not_there() {
    let Some(case) = Case::new() else { return };
    case.refused("nosuch", NOT_FOUND, &["nosuch"]);
    case.refused("/bin/nosuch", NOT_FOUND, &["/bin/nosuch"]);
}

#[test]
fn a_command_that_is_on_the_host_only() {
    let Some(case) = Case::new() else { return };
    case.refused("sh", NOT_FOUND, &["sh"]);
    symlink("/bin/sh", case.root.join("bin/outside")).expect("a link");
    case.refused("outside", NOT_FOUND, &["/bin/sh"]);
    symlink("../../../../../../../../../bin/ls", case.root.join("bin/upwards")).expect("a link");
    case.refused("upwards", NOT_FOUND, &["bin/ls"]);
}

#[test]
fn a_command_that_is_no_program() {
    let Some(case) = Case::new() else { return };
    case.refused("/bin", FAILED, &["/bin"]);
    case.scratch.file("tiny/bin/data", "no program\n");
    case.refused("/bin/data", FAILED, &["/bin/data"]);
    case.executable("bin/empty", "");
    case.refused("/bin/empty", FAILED, &["/bin/empty"]);
    symlink("circle", case.root.join("bin/circle")).expect("a link");
    case.refused("/bin/circle", NOT_FOUND, &["/bin/circle"]);
}

#[test]
fn a_root_that_is_none() {
    let Some(case) = Case::new() else { return };
    let file = case.scratch.file("a-file", "no directory\n");
    for (root, word) in [(&file, "a-file"), (&case.scratch.join("no-root"), "no-root")] {
        let ended = case.pack(&[], root, "/bin/tiny");
        assert_refused(&ended, FAILED, &[word]);
        case.assert_untouched(&ended);
    }
}

#[test]
fn a_truncated_program() {
    let Some(case) = Case::new() else { return };
    let whole = std::fs::read(case.root.join("bin/tiny")).expect("the program");
    for length in [4, 16, 63, 64, 100, 200] {
        case.executable("bin/cut", &whole[..length]);
        case.refused("/bin/cut", FAILED, &["/bin/cut"]);
    }
}

#[test]
fn a_program_of_another_machine() {
    let Some(case) = Case::new() else { return };
    if skip(&[Need::Tool("aarch64-linux-gnu-gcc")]) {
        return;
    }
    let source = case.scratch.file("foreign.c", "void _start(void) { for (;;); }\n");
    let mut compiler = Command::new(tool("aarch64-linux-gnu-gcc"));
    compiler
        .args(["-static", "-nostdlib", "-o"])
        .arg(case.root.join("bin/foreign"))
        .arg(source);
    let _no_output = exec::run(&mut compiler).success();
    case.refused("/bin/foreign", FAILED, &["aarch64", "stub"]);
}

#[test]
fn a_script_without_its_interpreter() {
    let Some(case) = Case::new() else { return };
    case.executable("bin/script", "#!/bin/nosuch\n");
    case.refused("script", NOT_FOUND, &["/bin/script", "/bin/nosuch"]);
    case.executable("bin/by-env", "#!/usr/bin/env nosuch\n");
    case.refused("by-env", NOT_FOUND, &["/bin/by-env"]);
}

#[test]
fn a_library_that_is_not_there() {
    let Some(case) = Case::new() else { return };
    if skip(&[Need::Tool("gcc"), Need::Tool("patchelf")]) {
        return;
    }
    // The loader of the host, no C library, and a library that nobody has.
    let program = case.root.join("bin/needs");
    let source = case.scratch.file("needs.c", "void _start(void) { for (;;); }\n");
    let mut compiler = Command::new(tool("gcc"));
    compiler.args(["-nostdlib", "-pie", "-o"]).arg(&program).arg(source);
    let _no_output = exec::run(&mut compiler).success();
    let _no_output = exec::run(
        Command::new(tool("patchelf"))
            .args(["--add-needed", "libnosuch.so.7"])
            .arg(&program),
    )
    .success();
    let interpreter = exec::run(Command::new(tool("patchelf")).arg("--print-interpreter").arg(&program))
        .success()
        .out();
    let interpreter = interpreter.trim();
    case.refused("needs", NOT_FOUND, &["/bin/needs", interpreter]);
    let inside = case.scratch.file(
        &format!("tiny{interpreter}"),
        std::fs::read(interpreter).expect("the loader"),
    );
    case.scratch.permit(&inside, 0o755);
    case.refused("needs", NOT_FOUND, &["/bin/needs", "libnosuch.so.7"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    let Some(case) = Case::new() else { return };
    if skip(&[Need::Root]) {
        return;
    }
    let secret = case.scratch.file("tiny/data/secret", "secret\n");
    case.scratch.permit(&secret, 0o600);
    let (home, out) = (
        case.scratch.open_directory("home"),
        case.scratch.open_directory("user-out"),
    );
    let user = format!("--reuid={ORDINARY_USER}");
    let group = format!("--regid={ORDINARY_USER}");
    let mut command = Command::new("setpriv");
    command
        .args([&user, &group, "--clear-groups"])
        .arg(support::Polecat::executable());
    command
        .arg("-o")
        .arg(out.join("program.run"))
        .args(["--include", "/data/*"])
        .arg(&case.root)
        .arg("/bin/tiny");
    let ended = exec::run(command.env("HOME", home));
    assert_refused(&ended, FAILED, &["/data/secret", "ermission denied"]);
    assert_eq!(crate::names_in(&out), [""; 0], "{ended}");
}

#[test]
fn an_include_that_matches_nothing_is_told() {
    let Some(case) = Case::new() else { return };
    let ended = case
        .pack(&["--include".as_ref(), "/no/such/*".as_ref()], &case.root, "/bin/tiny")
        .success();
    let warned = |line: &str| line.starts_with("polecat: warning: ") && line.contains("/no/such/*");
    assert!(ended.err().lines().any(warned), "{ended}");
}

#[test]
fn another_program_that_is_not_there() {
    let Some(case) = Case::new() else { return };
    let ended = case.pack(&["--also".as_ref(), "nosuch".as_ref()], &case.root, "/bin/tiny");
    assert_refused(&ended, NOT_FOUND, &["nosuch"]);
    case.assert_untouched(&ended);
}

#[test]
fn a_link_that_an_image_cannot_hold() {
    let Some(case) = Case::new() else { return };
    symlink("t".repeat(1000), case.root.join("bin/long")).expect("a link");
    let ended = case.pack(&["--include".as_ref(), "/bin/*".as_ref()], &case.root, "/bin/tiny");
    assert_refused(&ended, FAILED, &["/bin/long", "1000"]);
    case.assert_untouched(&ended);
}
