//! Keys: made, opened, missing.

use std::fs;

use crate::desk::{Desk, Ended};

#[test]
fn encrypted_keys_open_with_a_file_or_a_variable() {
    let desk = Desk::new();
    fs::write(desk.path("passphrase"), "correct horse\n").expect("room");
    fs::write(desk.path("wrong"), "battery staple\n").expect("room");
    let made = desk
        .run("key generate --json --out k --passphrase-file passphrase")
        .exits(0)
        .json();
    assert_eq!(made["encrypted"], true);
    desk.run("--key k --passphrase-file passphrase root program").exits(0);
    let by_variable = desk
        .command("--key k root program")
        .env("POLECAT_PASSPHRASE_FILE", desk.path("passphrase"))
        .output();
    Ended::new("variable", by_variable.expect("polecat starts")).exits(0);
    desk.run("--key k --passphrase-file wrong root program")
        .exits(1)
        .complains("passphrase is wrong");
    desk.run("--key k --passphrase-file none root program")
        .exits(1)
        .complains("passphrase: none");
    desk.run("--key k root program").exits(1).complains("--passphrase-file");
    let shown = desk.run("key show k.pub").exits(0);
    assert!(shown.out.contains(made["keyId"].as_str().expect("an id")), "{shown:?}");
    desk.run("key generate --out k")
        .exits(1)
        .complains("there is one already");
}

#[test]
fn a_key_that_cannot_be_made_is_told() {
    let desk = Desk::new();
    fs::write(desk.path("file"), "no directory").expect("room");
    for (home, why) in [("none", "No such file or directory"), ("file", "not a directory")] {
        let home = desk.path(home);
        for line in ["-o out root program", "key generate"] {
            let output = desk.command(line).env("HOME", &home).output().expect("polecat starts");
            let ended = Ended::new(line, output).exits(1);
            let place = home.join(".config/polecat/signing.key");
            let told = format!("none could be made at {}: {why}", place.display());
            assert!(ended.err.contains("--key") && ended.err.contains("HOME"), "{ended:?}");
            ended.complains(&told);
        }
    }
    assert_eq!(desk.names(), ["file", "home", "root"]);
}
