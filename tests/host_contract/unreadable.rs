//! Certificates of the host that are not there, are none, or cannot be read.

use std::process::Command;

use support::Bundle;
use support::exec;
use support::host::{self, Host, Launcher};

use crate::{BOTH, WHOLE, missing};

/// A host whose `/etc` has nothing but what these lines make.
macro_rules! host {
    ($lines:literal) => {
        Host {
            setup: concat!(
                "mount -t tmpfs -o mode=755 tmpfs /etc; mkdir -p /etc/ssl/certs; cd /etc/ssl/certs; ",
                $lines
            ),
            words: &[],
        }
    };
}

const NOBODY: Host = host!("ln -s nowhere 00000000.0; mkfifo 00000001.0; mkdir 00000002.0");
const SOMEBODY: Host = host!("ln -s nowhere 00000000.0; mkfifo 00000001.0; mkdir 00000002.0; echo host >00000003.0");
const LOOP: Host = host!("echo host >00000003.0; ln -s 00000004.0 00000004.0");
const CLOSED: Host = host!("echo host >00000003.0; chmod 700 .");

/// What the program finds on `host`.
fn start(bundle: &Bundle, host: Host, user: Option<u32>, choice: &str) -> Command {
    let launcher = Launcher::new(bundle.scratch());
    let mut command = host.command(&launcher, user, bundle.path());
    command.arg(format!("--polecat-host={choice}"));
    let line = "cd /etc/ssl/certs; for file in *; do echo $file; busybox cat $file; done";
    command.args(["-c", line]).env("HOME", "/").env("POLECAT_DEBUG", "1");
    command.current_dir("/");
    command
}

const OF_IMAGE: &str = "ca-certificates.crt\nimage\n";

#[test]
fn a_host_that_has_none_leaves_the_images_and_says_so() {
    if missing() {
        return;
    }
    let bundle = WHOLE.get();
    for user in BOTH {
        for (choice, told) in [("ca=host", true), ("ca=merged", false)] {
            let ended = exec::run(&mut start(&bundle, NOBODY, user, choice)).success();
            assert_eq!(ended.out(), OF_IMAGE, "{user:?}: {ended}");
            let line = "polecat: debug: ca=host: the host trusts nobody";
            assert_eq!(ended.err().contains(line), told, "{user:?}: {choice}: {ended}");
        }
        let ended = exec::run(&mut start(&bundle, SOMEBODY, user, "ca=host")).success();
        let of_host = "00000003.0\nhost\nca-bundle.crt\nhost\n\nca-certificates.crt\nhost\n\n";
        assert_eq!(ended.out(), of_host, "{user:?}: {ended}");
    }
}

#[test]
fn a_part_of_them_does_not_stand_for_all() {
    if missing() {
        return;
    }
    let bundle = WHOLE.get();
    for user in BOTH {
        let ended = exec::run(&mut start(&bundle, LOOP, user, "ca=host")).exits(125);
        let told = "read the host's certificates: /etc/ssl/certs/00000004.0: ";
        assert!(
            ended.out().is_empty() && ended.err().contains(told),
            "{user:?}: {ended}"
        );
        assert!(ended.err().contains("ca=merged"), "{user:?}: {ended}");
        let ended = exec::run(&mut start(&bundle, LOOP, user, "ca=bundled")).success();
        assert_eq!(ended.out(), OF_IMAGE, "{user:?}: {ended}");
    }
    let ended = exec::run(&mut start(&bundle, CLOSED, host::USER, "ca=host")).exits(125);
    let told = "read the host's certificates: /etc/ssl/certs";
    assert!(ended.out().is_empty() && ended.err().contains(told), "{ended}");
}
