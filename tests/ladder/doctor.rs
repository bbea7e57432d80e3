//! What the doctor says of hosts that are as they should be, and of others.

use serde_json::Value;
use support::exec;
use support::polecat::Polecat;
use support::requirement::skip;
use support::{Need, Place, Scratch};

use crate::{Caller, Host, NO_USER_NAMESPACES, assert_empty, shell};

fn rung<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rungs = report["rungs"].as_array().expect("rungs");
    rungs
        .iter()
        .find(|rung| rung["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

fn commands(rung: &Value) -> String {
    let remedies = rung["remedies"].as_array().expect("remedies");
    let commands = remedies
        .iter()
        .map(|remedy| remedy["command"].as_str().unwrap_or_default());
    commands.collect::<Vec<_>>().join("\n")
}

#[test]
fn root_has_every_rung() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Loop, Need::Fuse, Need::Overlay, Need::Tool("fusermount3")]) {
        return;
    }
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = bundle.start(Place::RootLoop);
    command.env_remove("POLECAT_MOUNT").env("HOME", &home);
    let ended = exec::run(command.args(["--polecat-doctor", "--json"])).success();
    let report = ended.json();
    assert_eq!(report["version"], 1);
    assert_eq!(report["taken"], "loop");
    assert_eq!(report["file"], bundle.path().to_str().expect("text"));
    for name in ["loop", "fuse", "unpack", "fusermount", "disk"] {
        let rung = rung(&report, name);
        assert_eq!(rung["works"], true, "{rung}");
        assert_eq!(
            rung["isolation"],
            if matches!(name, "fusermount" | "disk") {
                "reduced"
            } else {
                "full"
            }
        );
    }
    assert_empty(&home);
    let mut command = bundle.start(Place::RootLoop);
    command.env_remove("POLECAT_MOUNT").env("HOME", &home);
    let ended = exec::run(command.args(["--polecat-strict", "--polecat-doctor"])).success();
    assert!(
        ended.out().contains("starts on loop, with a root of its own"),
        "{ended}"
    );
    assert!(ended.out().contains("is refused"), "{ended}");
    assert_empty(&home);
}

#[test]
fn a_user_without_namespaces_is_told_what_to_do() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
    let ended = exec::run(command.args(["--polecat-doctor", "--json"])).success();
    let report = ended.json();
    assert_eq!(report["taken"], "disk");
    assert_eq!(report["host"]["userNamespaces"], "refused");
    assert_eq!(report["host"]["userNamespacesErrno"], "EPERM");
    assert_eq!(report["host"]["fuseErrno"], "EACCES");
    assert_eq!(report["host"]["seccompFilter"], true);
    for (name, command) in [
        ("loop", "sudo "),
        ("fuse", "sudo chmod 666 /dev/fuse"),
        ("unpack", "seccomp=unconfined"),
        ("fusermount", "sudo chmod 666 /dev/fuse"),
    ] {
        let rung = rung(&report, name);
        assert_eq!(rung["works"], false, "{rung}");
        assert!(
            rung["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
            "{rung}"
        );
        assert!(commands(rung).contains(command), "{rung}");
    }
    assert_eq!(rung(&report, "disk")["works"], true);
    assert_empty(&home);
    let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
    let ended = exec::run(command.args(["--polecat-strict", "--polecat-doctor"])).exits(1);
    assert!(ended.out().contains("cannot be started here"), "{ended}");
}

/// What a start would make for good a trial does not make at all.
#[test]
fn a_kept_layer_is_not_begun() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let (home, layer) = (scratch.home(), scratch.directory("layer"));
    let mut command = bundle.start(Place::RootUnpack);
    command.env_remove("POLECAT_MOUNT").env("HOME", &home);
    let option = format!("--polecat-persist={}", layer.display());
    let ended = exec::run(command.args([option.as_str(), "--polecat-doctor", "--json"])).success();
    let report = ended.json();
    assert_eq!(rung(&report, "unpack")["works"], true, "{report}");
    assert_eq!(rung(&report, "disk")["works"], false, "{report}");
    assert_empty(&layer);
    assert_empty(&home);
}

#[test]
fn where_the_device_is_missing_it_is_said() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let host = Host {
        errno: "1",
        calls: "setns",
        prepare: "mount -t tmpfs -o mode=755 tmpfs /dev; mknod -m 666 /dev/null c 1 3",
    };
    let mut command = host.command(Caller::ContainerRoot, &[], bundle.path());
    command.env("HOME", &home).current_dir(bundle.work());
    let ended = exec::run(command.args(["--polecat-doctor", "--json"])).success();
    let report = ended.json();
    assert_eq!(report["host"]["fuseErrno"], "ENOENT", "{report}");
    assert!(
        commands(rung(&report, "fuse")).contains("sudo modprobe fuse"),
        "{report}"
    );
    assert_empty(&home);
}

#[test]
fn the_packer_has_a_doctor_too() {
    if skip(&[Need::Polecat, Need::Root]) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let ended = polecat.run(["doctor", "--json"]).success();
    let report = ended.json();
    assert_eq!(rung(&report, "unpack")["works"], true, "{report}");
    assert!(report["taken"].is_string(), "{report}");
    let Some(bundle) = shell() else { return };
    let path = bundle.path().to_str().expect("text");
    let ended = polecat.run(["doctor", path]).success();
    assert!(ended.out().starts_with(path), "{ended}");
    let nothing = polecat.run(["doctor", "/etc/passwd"]);
    assert_eq!(nothing.code(), Some(3), "{nothing}");
}
