//! Starts on hosts that are worse than this one: each condition is built for real, and the rung, the message and the status are
//! what they are said to be.

#![forbid(unsafe_code)]

#[path = "hostile_hosts/callers.rs"]
mod callers;
#[path = "hostile_hosts/conditions.rs"]
mod conditions;
#[path = "hostile_hosts/containers.rs"]
mod containers;

use std::process::Command;
use std::sync::Arc;

use conditions::{Condition, Outcome};
use support::bundle::Shared;
use support::exec::{self, Ended};
use support::host::{self, Launcher};
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Need, Scratch};

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));

/// A packed shell, and what puts hosts around it; none where they cannot be built.
fn shell() -> Option<(Arc<Bundle>, Launcher)> {
    if skip(&BUSYBOX_NEEDS)
        || skip(&host::NEEDS)
        || skip(&[Need::Fuse, Need::Loop, Need::Overlay, Need::Tool("fusermount3")])
    {
        return None;
    }
    let bundle = SHELL.get();
    let launcher = Launcher::new(bundle.scratch());
    Some((bundle, launcher))
}

/// What the program says when it runs.
const INSIDE: [&str; 2] = ["-c", "echo inside; exit 7"];

fn start(bundle: &Bundle, command: &mut Command) -> Ended {
    command
        .args(INSIDE)
        .env("HOME", bundle.home())
        .env("TERM", "polecat-unknown")
        .env("POLECAT_DEBUG", "1")
        .current_dir(bundle.work());
    exec::run(command)
}

fn starts_on(rung: &str, what: &str, ended: &Ended) {
    assert_eq!((ended.code(), &*ended.out()), (Some(7), "inside\n"), "{what}: {ended}");
    let held = ended.err();
    let held = held.lines().rfind(|line| line.ends_with(": holds"));
    let expected = format!("polecat: debug: {rung}: holds");
    assert_eq!(held, Some(expected.as_str()), "{what}: {ended}");
}

fn judge(what: &str, expected: Outcome, ended: &Ended) {
    let said = ended.err();
    let words = match expected {
        Outcome::HostsRoot(rung, words, _) => {
            starts_on(rung, what, ended);
            words
        }
        Outcome::Starts(rung, words) => {
            starts_on(rung, what, ended);
            assert_eq!(said.matches(": holds").count(), 1, "{what}: {ended}");
            words
        }
        Outcome::Refused(words) => {
            assert_eq!((ended.code(), &*ended.out()), (Some(125), ""), "{what}: {ended}");
            words
        }
    };
    for word in words {
        assert!(said.contains(word), "{what}: {word:?} was expected: {ended}");
    }
}

/// A start in what `host` makes, and where that has no root of its own another that insists on one.
fn come_to(what: &str, expected: Outcome, bundle: &Bundle, host: &dyn Fn() -> Command) {
    judge(what, expected, &start(bundle, &mut host()));
    if let Outcome::HostsRoot(_, words, hint) = expected {
        let what = format!("{what}, strict");
        let ended = start(bundle, host().arg("--polecat-strict"));
        judge(&what, Outcome::Refused(words), &ended);
        assert!(ended.err().contains(hint), "{what}: {hint:?} was expected: {ended}");
    }
}

fn all_come_to_what_the_table_says(conditions: &[Condition]) {
    let Some((bundle, launcher)) = shell() else { return };
    for condition in conditions {
        for (user, expected) in [(None, condition.root), (host::USER, condition.user)] {
            let who = if user.is_some() { "user" } else { "root" };
            let what = format!("{}, {who}", condition.name);
            come_to(&what, expected, &bundle, &|| {
                condition.host.command(&launcher, user, bundle.path())
            });
        }
    }
}

#[test]
fn devices() {
    all_come_to_what_the_table_says(conditions::DEVICES);
}

#[test]
fn process_file_systems() {
    all_come_to_what_the_table_says(conditions::PROC);
}

#[test]
fn namespaces_and_mounts() {
    all_come_to_what_the_table_says(conditions::NAMESPACES_AND_MOUNTS);
}

#[test]
fn files_and_limits() {
    all_come_to_what_the_table_says(conditions::FILES_AND_LIMITS);
}
