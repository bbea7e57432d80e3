//! Packing and planning: what is written, and what is said of it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use polecat::stubs::embedded;
use serde_json::Value;

use crate::common::{skip_without_tool, succeed};
use crate::desk::{Desk, Ended};

#[test]
fn the_first_pack_makes_a_key_and_says_so() {
    let desk = Desk::new();
    let first = desk.run("root program -x").exits(0);
    assert_eq!(first.err.lines().count(), 1, "{first:?}");
    let key = fs::metadata(desk.path("home/.config/polecat/signing.key")).expect("made");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let id = first.err.split("key id ").nth(1).expect("announced")[..16].to_owned();
    let lines: Vec<&str> = first.out.lines().collect();
    assert!(
        lines[0].starts_with("program.run: ") && lines[0].contains(" packed into "),
        "{first:?}"
    );
    assert_eq!(
        lines[1..],
        [format!("signed by key {id}").as_str(), "run it: ./program.run"]
    );
    let mode = fs::metadata(desk.path("program.run"))
        .expect("packed")
        .permissions()
        .mode();
    assert_eq!(mode & 0o700, 0o700);

    let second = desk.run("pack -q root program").exits(0);
    assert_eq!((second.out.as_str(), second.err.as_str()), ("", ""));
    assert_eq!(desk.names(), ["home", "program.run", "root"]);
}

#[test]
fn a_pack_reports_as_json() {
    let desk = Desk::new();
    let report = desk
        .run("--json -o out.run --include /usr/share/** root program")
        .exits(0)
        .json();
    assert_eq!(report["output"], "out.run");
    assert_eq!(report["entry"], "/usr/bin/program");
    assert_eq!(report["architecture"], embedded().architecture);
    let plan = desk
        .run("plan --json --include /usr/share/** root program")
        .exits(0)
        .json();
    assert_eq!(report["files"], plan["totals"]["files"]);
    assert_eq!(report["unpackedSize"], plan["totals"]["bytes"]);
    assert_eq!(report["keyCreated"], true);
    let length = fs::metadata(desk.path("out.run")).expect("packed").len();
    assert_eq!(report["fileLength"], length);
    assert_eq!(report["warnings"], Value::Array(Vec::new()));
}

#[test]
fn a_working_directory_is_stored_plainly_and_looked_for() {
    let desk = Desk::new();
    let packed = desk.run("-q --workdir /usr//share/program/ root program").exits(0);
    assert!(
        packed.err.contains("warning: /usr/share/program: is not packed"),
        "{packed:?}"
    );
    let report = desk.run("inspect --json program.run").exits(0).json();
    assert_eq!(report["manifest"]["process"]["cwd"], "/usr/share/program");
    let packed = desk
        .run("-q --workdir /usr/share/program --include /usr/share/program root program")
        .exits(0);
    assert_eq!(packed.err, "");
    let plan = desk.run("plan --workdir /no/such root program").exits(0);
    assert!(plan.out.contains("warning: /no/such: "), "{plan:?}");
}

#[test]
fn two_packs_are_the_same_file() {
    let desk = Desk::new();
    desk.run("-o one root program").exits(0);
    desk.run("-o two root program").exits(0);
    assert!(fs::read(desk.path("one")).expect("packed") == fs::read(desk.path("two")).expect("packed"));
}

#[test]
fn a_plan_names_reasons_and_writes_nothing() {
    let desk = Desk::new();
    let plan = desk.run("plan --include /usr/share/program/* root program -x").exits(0);
    let line = |path: &str| plan.out.lines().find(|line| line.contains(path)).map(str::to_owned);
    assert!(
        line(" /usr/bin/program ").is_some_and(|line| line.starts_with("-0755 ")),
        "{plan:?}"
    );
    assert!(
        line(" /usr/bin/program ").is_some_and(|line| line.ends_with("(command: program)")),
        "{plan:?}"
    );
    assert!(
        line(" /usr/share/program/data ").is_some_and(|line| line.contains("--include")),
        "{plan:?}"
    );
    assert!(plan.out.contains("starts /usr/bin/program on"), "{plan:?}");
    assert_eq!(desk.names(), ["home", "root"]);
    assert!(!desk.path("home/.config").exists(), "no key is made for a plan");

    let json = desk.run("plan --json root program").exits(0).json();
    assert_eq!(json["entries"]["/usr/bin/program"]["reason"]["kind"], "command");
    let entries = json["entries"].as_object().expect("entries").values();
    let files = entries
        .filter(|entry| ["file", "synthetic"].iter().any(|kind| entry["node"]["type"] == *kind))
        .count();
    assert_eq!(json["totals"]["files"], files);
}

#[test]
fn an_epoch_that_makes_no_sense_is_a_usage_error() {
    let desk = Desk::new();
    let run = |epoch: &str| {
        let output = desk
            .command("--json root program")
            .env("SOURCE_DATE_EPOCH", OsStr::new(epoch))
            .output();
        Ended::new(epoch, output.expect("polecat starts"))
    };
    run("yesterday").exits(2).complains("SOURCE_DATE_EPOCH");
    run("1000").exits(0);
    let created = desk.run("inspect --json program.run").exits(0).json()["manifest"]["created"].clone();
    assert_eq!(created, 1000);
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let desk = Desk::new();
    fs::write(desk.path("target"), "mine").expect("room");
    for target in ["target", "nowhere"] {
        std::os::unix::fs::symlink(target, desk.path("link")).expect("a link");
        desk.run("-q -o link root program").exits(0);
        assert!(fs::symlink_metadata(desk.path("link")).expect("packed").is_file());
        fs::remove_file(desk.path("link")).expect("packed");
    }
    assert_eq!(fs::read(desk.path("target")).expect("there"), b"mine");
    assert!(!desk.path("nowhere").exists());
    let help = desk.run("pack --help").exits(0).out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("a symbolic link and not what that leads to"), "{help}");
}

/// What the linker writes for a C library or a program that was configured for newer machines; the real loader stops on older ones.
const NEW: &str = r#"
    int main(void) { return 0; }
    __asm__(".section .note.ABI-tag,\"a\",@note\n.p2align 2\n.long 4,16,1\n.asciz \"GNU\"\n.long 0,5,15,0\n.previous");
"#;

#[test]
fn a_program_for_new_machines_is_told() {
    if cfg!(not(target_arch = "x86_64")) || skip_without_tool("gcc") {
        return;
    }
    let desk = Desk::new();
    fs::write(desk.path("new.c"), NEW).expect("room");
    let mut compiler = Command::new("gcc");
    compiler.args(["-static", "-nostartfiles", "-e", "main", "-Wl,-z,x86-64-v3", "-o"]);
    succeed(compiler.arg(desk.path("root/usr/bin/program")).arg(desk.path("new.c")));
    let told = desk.run("plan root program").exits(0);
    for expected in [
        "warning: /usr/bin/program: starts on Linux 5.15 and newer only\n",
        "warning: /usr/bin/program: starts on processors with all that x86-64-v3 has, and no others\n",
    ] {
        assert!(told.out.contains(expected), "{expected}{told:?}");
    }
}
