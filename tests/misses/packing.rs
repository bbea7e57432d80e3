//! `--add-misses` and the set of paths, where a bundle is packed.

use std::path::Path;

use serde_json::Value;
use support::requirement::skip;
use support::{Ended, Polecat, Scratch, roots};

use super::tree;

/// Plans the shell of the tree with a list of misses that has these lines.
fn plan(lines: &str) -> Option<(Scratch, Ended)> {
    if skip(&roots::BUSYBOX_NEEDS) {
        return None;
    }
    let scratch = Scratch::new();
    let root = tree(&scratch);
    std::fs::create_dir(root.join("etc/ssh")).expect("a directory");
    std::fs::write(root.join("etc/ssh/ssh_host_rsa_key"), "secret\n").expect("a file");
    std::os::unix::fs::symlink("/etc/ssh/ssh_host_rsa_key", root.join("etc/app/hashes")).expect("a link");
    let list = scratch.file("list", format!("{{\"polecatMisses\":1}}\n{lines}"));
    let ended = Polecat::new(&scratch).run([
        "plan".as_ref(),
        "--json".as_ref(),
        "--closure".as_ref(),
        "elf".as_ref(),
        "--add-misses".as_ref(),
        list.as_os_str(),
        root.as_os_str(),
        "sh".as_ref(),
    ]);
    Some((scratch, ended))
}

#[test]
fn what_was_missed_comes_with_its_reason() {
    let lines = "{\"path\":\"/opt/link\"}\n{\"path\":\"/opt/link/deep/b\",\"uncertain\":true}\n\
        {\"path\":\"/opt/link/never\",\"uncertain\":true}\n{\"path\":\"/etc/app\"}\n{\"path\":\"/gone\"}\n\
        {\"path\":\"/etc/ssh/ssh_host_rsa_key\"}\n{\"path\":\"/etc/app/hashes\"}\n{\"path\":\"/../../../../../etc/hostname\"}\n{\"pathBytes\":\"2f7372762fff0a22\"}\n";
    let Some((scratch, ended)) = plan(lines) else { return };
    let plan: Value = serde_json::from_str(&ended.success().out()).expect("JSON");
    let list = scratch.join("list").display().to_string();
    for path in [
        "/opt/link",
        "/opt/data",
        "/opt/data/deep/b",
        "/opt/data/a",
        "/etc/app",
        "/etc/app/conf",
    ] {
        let reason = &plan["entries"][path]["reason"];
        // The target of a link is there for the link.
        assert!(
            reason["kind"] == "missed" || reason["kind"] == "symlink",
            "{path}: {reason}"
        );
        assert!(
            reason["kind"] != "missed" || reason["detail"] == list.as_str(),
            "{path}: {reason}"
        );
    }
    assert_eq!(plan["entries"]["/srv/\u{fffd}\n\""]["reason"]["kind"], "missed");
    for path in ["/gone", "/etc/hostname", "/opt/link/never", "/etc/ssh/ssh_host_rsa_key"] {
        assert!(plan["entries"][path].is_null(), "{path}");
    }
    let warned: Vec<&str> = plan["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .filter(|warning| warning["message"].as_str().is_some_and(|text| text.contains("missed")))
        .map(|warning| warning["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(warned.iter().filter(|path| **path == "/gone").count(), 1, "{warned:?}");
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned.contains(&"/etc/hostname"), "{warned:?}");
    let refused = plan["refusals"].as_array().expect("refusals");
    assert!(
        refused
            .iter()
            .any(|refusal| refusal["path"] == "/etc/ssh/ssh_host_rsa_key"),
        "{refused:?}"
    );
}

#[test]
fn lists_that_are_none() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = tree(&scratch);
    for (option, contents, words) in [
        ("--add-misses", "", "is no list"),
        ("--add-misses", "{\"polecatTrace\":1}\n", "give it to --trace"),
        ("--add-misses", "{\"polecatMisses\":9}\n", "version 9"),
        (
            "--add-misses",
            "{\"polecatMisses\":1}\n{\"path\":\"etc\"}\n",
            "line 2: no absolute path",
        ),
        ("--trace", "{\"polecatMisses\":1}\n", "give it to --add-misses"),
    ] {
        let list = scratch.file("list", contents);
        let output = scratch.join("x.run");
        let ended = Polecat::new(&scratch).run([
            "-o".as_ref(),
            output.as_os_str(),
            option.as_ref(),
            list.as_os_str(),
            root.as_os_str(),
            "sh".as_ref(),
        ]);
        let ended = ended.exits(1);
        assert!(
            ended.err().starts_with("polecat: ") && ended.err().contains(words),
            "{ended}"
        );
        assert_eq!(ended.err().lines().count(), 1, "{ended}");
        assert!(!output.exists(), "{ended}");
    }
}

fn pack(scratch: &Scratch, root: &Path, output: &Path) -> Vec<u8> {
    let polecat = Polecat::new(scratch);
    let words = ["-o".as_ref(), output.as_os_str(), root.as_os_str(), "sh".as_ref()];
    let _summary = polecat.run(words).success();
    std::fs::read(output).expect("the bundle")
}

#[test]
fn the_same_tree_gives_the_same_bytes_wherever_the_bundle_goes() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let outside = pack(&scratch, &root, &scratch.join("x.run"));
    let inside = root.join("opt/data/x.run");
    assert!(pack(&scratch, &root, &inside) == outside);
    // With the first one there.
    assert!(pack(&scratch, &root, &inside) == outside);
    std::fs::rename(&inside, root.join("opt/data/y.run")).expect("renamed");
    assert!(
        pack(&scratch, &root, &scratch.join("x.run")) != outside,
        "one path more"
    );
}
