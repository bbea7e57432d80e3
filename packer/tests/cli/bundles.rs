//! Bundles that are there: verified, signed, unpacked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::common::chmod;
use crate::desk::{Desk, Ended};

#[test]
fn verify_tells_what_was_signed_by_whom() {
    let desk = Desk::new();
    desk.pack();
    let valid = desk.run("verify program.run").exits(0);
    for check in ["layout", "signatures", "manifest", "stub", "image", "trust"] {
        assert!(valid.out.contains(&format!("{check:<10} ok: ")), "{check}: {valid:?}");
    }
    assert!(valid.out.ends_with("program.run: valid\n"), "{valid:?}");
    for line in [
        "verify -q program.run",
        "-q verify program.run",
        "--quiet verify program.run",
    ] {
        assert_eq!(desk.run(line).exits(0).out, "", "{line}");
    }

    // For somebody else the key is a stranger's.
    let stranger = desk.path("stranger");
    fs::create_dir(&stranger).expect("a directory");
    let verify = |line: &str| {
        let output = desk
            .command(line)
            .env("HOME", &stranger)
            .output()
            .expect("polecat starts");
        Ended::new(line, output)
    };
    let key = "home/.config/polecat/signing.key.pub";
    verify("verify -q program.run")
        .exits(4)
        .complains("signed by nobody you trust: key ");
    verify(&format!("verify --key {key} program.run")).exits(0);
    let json = verify("verify --json program.run").exits(4).json();
    assert_eq!(
        (&json["verdict"], &json["signers"][0]["trusted"]),
        (&"untrusted".into(), &false.into())
    );

    // As the hint says.
    let trusted = stranger.join(".config/polecat/trusted.d");
    fs::create_dir_all(&trusted).expect("a directory");
    let pem = verify("key show --pem program.run").exits(0).out;
    fs::write(trusted.join("friend.pem"), pem).expect("room");
    verify("verify program.run").exits(0);

    desk.run("key generate -o other.key").exits(0);
    let other = verify("verify -q --key other.key.pub program.run").exits(4);
    other.complains("signed by none of the keys asked for");
}

#[test]
fn a_bundle_that_is_not_what_was_signed_is_refused() {
    let desk = Desk::new();
    let bytes = fs::read(desk.pack()).expect("packed");
    let report = desk.run("inspect --json program.run").exits(0).json();
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let offset_of = |kind: &str| {
        let sections = report["sections"].as_array().expect("sections");
        let section = sections
            .iter()
            .find(|section| section["kind"].as_str().is_some_and(|name| name.contains(kind)));
        number(&section.expect(kind)["offset"])
    };
    let cases = [
        (100, "not a polecat bundle"),
        (
            number(&report["manifest"]["stub"]["length"]) / 2,
            "the executable at the front",
        ),
        (number(&report["superblockOffset"]) + 2000, "damaged"),
        (offset_of("manifest") + 3, "checksum"),
        (offset_of("signature") + 60, "checksum"),
        (offset_of("image") + 200, "is not what was signed"),
        (offset_of("tree") + 1, "is not what was signed"),
    ];
    for (offset, expected) in cases {
        fs::write(desk.path("bad.run"), &bytes).expect("room");
        desk.damage("bad.run", offset);
        let ended = desk.run("verify -q bad.run");
        // The first is in the ELF header's neighbourhood: whatever it hits, it is told.
        if offset != 100 {
            assert!(ended.err.contains(expected), "{offset}: {ended:?}");
        }
        ended.exits(3);
        let json = desk.run("verify --json bad.run").exits(3).json();
        assert_eq!(json["verdict"], "invalid", "{offset}");
    }
    for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        fs::write(desk.path("bad.run"), &bytes[..length]).expect("room");
        desk.run("verify -q bad.run").exits(3);
    }
    fs::write(desk.path("longer.run"), [bytes.as_slice(), b"junk"].concat()).expect("room");
    assert!(desk.run("verify longer.run").exits(0).out.contains("4 bytes follow"));
}

#[test]
fn signatures_are_added_in_place() {
    let desk = Desk::new();
    desk.pack();
    chmod(&desk.path("program.run"), 0o750);
    desk.run("key generate --out second.key").exits(0);
    let signed = desk.run("sign --json --key second.key program.run").exits(0).json();
    assert_eq!(signed["keyIds"].as_array().map(Vec::len), Some(2));
    let mode = fs::metadata(desk.path("program.run"))
        .expect("signed")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
    desk.run("verify --key second.key.pub program.run").exits(0);
    desk.run("verify program.run").exits(0);
    // Once more changes nothing.
    let before = fs::read(desk.path("program.run")).expect("signed");
    desk.run("sign --key second.key program.run").exits(0);
    assert!(fs::read(desk.path("program.run")).expect("signed") == before);

    let length = before.len();
    desk.damage("program.run", length - 1);
    let damaged = fs::read(desk.path("program.run")).expect("signed");
    desk.run("sign --key second.key program.run").exits(3);
    assert!(fs::read(desk.path("program.run")).expect("there") == damaged);
}

#[test]
fn extract_gives_the_tree_and_touches_nothing_else() {
    let desk = Desk::new();
    desk.pack();
    let report = desk.run("extract --json program.run out").exits(0).json();
    assert_eq!(report["directory"], "out");
    let program = fs::read(desk.path("out/usr/bin/program")).expect("unpacked");
    assert!(program == fs::read(desk.path("root/usr/bin/program")).expect("there"));
    desk.run("extract program.run out").exits(1).complains("not empty");

    let image = desk.run("inspect --json program.run").json()["manifest"]["image"].clone();
    let middle = image["offset"].as_u64().expect("offset") + image["length"].as_u64().expect("length") / 2;
    desk.damage("program.run", usize::try_from(middle).expect("small"));
    desk.run("extract program.run bad").exits(3);
    assert!(!desk.path("bad").exists(), "half a tree");
}
