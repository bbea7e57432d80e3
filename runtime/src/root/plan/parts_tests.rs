//! Which parts of the host are seen where.

use super::tests::{WHOLE, ada, inputs, made};
use super::*;
use crate::root::op::Part;
use crate::root::tests::{facts, survey};

/// A directory of the host's that is named.
fn part(source: &str, path: &str, read_only: bool) -> Bind {
    let part = Part {
        directory: !source.ends_with(".file"),
        read_only,
        devices: source.starts_with("/dev"),
    };
    Bind {
        source: source.into(),
        path: path.into(),
        kind: BindKind::Part(part),
        optional: false,
    }
}

/// What is mounted of the host below no directory of the system, in this order.
fn parts(plan: &Plan) -> Vec<(&str, &str)> {
    let binds = plan.mounts.iter().filter_map(|op| match op {
        Op::Bind(Bind {
            source,
            path,
            kind: BindKind::Part(_) | BindKind::Shared,
            ..
        }) => Some((source.to_str().unwrap(), path.to_str().unwrap())),
        _ => None,
    });
    binds.collect()
}

#[test]
fn what_is_named_is_bound_unless_it_is_seen_already() {
    let host = ada();
    let home = ("/home/ada", "/home/ada");
    for (contain, named, expected) in [
        (
            false,
            vec![part("/data", "/data", false)],
            vec![home, ("/data", "/data")],
        ),
        (true, vec![part("/data", "/data", false)], vec![("/data", "/data")]),
        (false, vec![part("/home/ada/x", "/home/ada/x", false)], vec![home]),
        (
            false,
            vec![part("/home/ada/x", "/home/ada/x", true)],
            vec![home, ("/home/ada/x", "/home/ada/x")],
        ),
        (
            true,
            vec![part("/home/ada/x", "/home/ada/x", false)],
            vec![("/home/ada/x", "/home/ada/x")],
        ),
        (
            false,
            vec![part("/x", "/home/ada/x", false)],
            vec![home, ("/x", "/home/ada/x")],
        ),
        // Over what would be there by itself, and over what was named before.
        (false, vec![part("/x", "/home/ada", false)], vec![("/x", "/home/ada")]),
        (
            true,
            vec![part("/a", "/d", false), part("/b", "/d", true)],
            vec![("/b", "/d")],
        ),
        // The outer ones first, whatever their order.
        (
            true,
            vec![part("/a", "/d/e", false), part("/b", "/d", false)],
            vec![("/b", "/d"), ("/a", "/d/e")],
        ),
        (false, vec![part("/x", "/home", false)], vec![("/x", "/home"), home]),
    ] {
        let inputs = Inputs {
            binds: &named,
            ..inputs(&host, contain)
        };
        assert_eq!(parts(&made(inputs, WHOLE)), expected, "{contain} {named:?}");
    }
}

#[test]
fn places_are_made_where_the_image_has_none() {
    let host = facts();
    let named = [
        part("/s", "/data/deep", false),
        part("/s", "/data/deep/in", false),
        part("/s.file", "/opt/file", false),
        part("/s", "/srv", false),
        part("/s.file", "/tmp/file", false),
    ];
    let held = [WHOLE, &[("/srv", Standing::Directory)]].concat();
    let plan = made(
        Inputs {
            binds: &named,
            ..inputs(&host, true)
        },
        &held,
    );
    let expected = [
        Entry::File {
            path: "/opt/file".into(),
            contents: Vec::new(),
        },
        Entry::Directory {
            path: "/data/deep".into(),
            mode: 0o755,
        },
    ];
    let points: Vec<_> = plan.layer.iter().filter(|entry| expected.contains(entry)).collect();
    assert_eq!(points.len(), 2, "{:?}", plan.layer);
    let paths = plan.layer.iter().map(|entry| format!("{entry:?}"));
    assert_eq!(
        paths
            .filter(|entry| entry.contains("in\"") || entry.contains("srv") || entry.contains("tmp"))
            .count(),
        0
    );
}

#[test]
fn links_of_the_image_lead_to_no_place_of_the_box() {
    let host = facts();
    let named = [part("/s", "/link/x", false)];
    let inputs = Inputs {
        binds: &named,
        ..inputs(&host, true)
    };
    for (behind, is_bound) in [
        ("/run/x", true),
        ("/dev/x", true),
        ("/proc/x", false),
        ("/sys", false),
        ("/dev", false),
        ("/", false),
    ] {
        let mut survey = survey(&[], WHOLE);
        survey.resolved.push(("/link/x".into(), behind.into()));
        let plan = plan(inputs, &survey);
        assert_eq!(plan.is_ok(), is_bound, "{behind}");
        if let Ok(plan) = plan {
            assert_eq!(parts(&plan), [("/s", behind)]);
        }
    }
}

#[test]
fn what_is_named_hides_what_the_contract_gives() {
    let mut host = facts();
    host.offer.certificates.file = Some("/etc/ssl/cert.pem".into());
    let named = [part("/s", "/etc", false)];
    let inputs = Inputs {
        binds: &named,
        ..inputs(&host, true)
    };
    let mounts = made(inputs, WHOLE).mounts;
    let at = |kind: fn(&BindKind) -> bool| {
        let is_it = |op: &Op| matches!(op, Op::Bind(bind) if kind(&bind.kind));
        mounts.iter().position(is_it)
    };
    let certificates = at(|kind| *kind == BindKind::File);
    assert!(certificates.is_some() && certificates < at(|kind| matches!(kind, BindKind::Part(_))));
}
