//! What a trace brings into a plan.

use super::*;
use crate::trace::{Trace, TraceKind};

fn traced(paths: &[(&str, TraceKind)]) -> Request {
    let mut trace = Trace::default();
    for (path, kind) in paths {
        trace.paths.entry(path.as_bytes().to_vec()).or_default().insert(*kind);
    }
    Request {
        traces: vec![trace],
        ..command_only("static")
    }
}

/// A tool, a plug-in, a script and data, none of which the command names.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("/opt/tool", program(&["libt.so"]).build(), 0o755);
    tree.file("/lib/libt.so", library("libt.so", &[]).build(), 0o644);
    tree.file("/opt/plugins/one.so", library("one.so", &["libp.so"]).build(), 0o644);
    tree.file("/lib/libp.so", library("libp.so", &[]).build(), 0o644);
    tree.file("/opt/plugins/deeper/two.so", library("two.so", &[]).build(), 0o644);
    tree.file("/opt/script", "#!/opt/interpreter\n", 0o755);
    tree.file("/opt/interpreter", static_program().build(), 0o755);
    tree.file("/opt/data", "x", 0o644);
    tree.file("/etc/shadow", "root:hash", 0o600);
    tree.file("/root/.netrc", "login me", 0o600);
    tree.link("data", "/opt/link");
    tree.link("plugins", "/opt/linked");
    tree.link("/etc/shadow", "/opt/hidden");
    tree
}

#[test]
fn each_kind_brings_what_it_is_for() {
    use TraceKind::{CreateParent, Exec, List, Missing, Open, Stat};
    /// What is in the trace, what is in the plan by it, and what is not.
    type Case<'a> = (&'a [(&'a str, TraceKind)], &'a [&'a str], &'a [&'a str]);
    let cases: [Case<'_>; 11] = [
        (
            &[("/opt/tool", Exec)],
            &["/opt/tool", LOADER, "/lib/libt.so"],
            &["/opt/data"],
        ),
        (&[("/opt/tool", Open)], &["/opt/tool", "/lib/libt.so"], &[]),
        (&[("/opt/tool", Stat)], &["/opt/tool"], &["/lib/libt.so"]),
        (&[("/opt/script", Exec)], &["/opt/script", "/opt/interpreter"], &[]),
        (&[("/opt/script", Open)], &["/opt/script"], &["/opt/interpreter"]),
        (&[("/opt/link", Open)], &["/opt/link", "/opt/data"], &[]),
        (
            &[("/opt/plugins", List)],
            &["/opt/plugins/one.so", "/lib/libp.so", "/opt/plugins/deeper"],
            &["/opt/plugins/deeper/two.so", "/opt/data"],
        ),
        (
            &[("/opt/linked", List)],
            &["/opt/linked", "/opt/plugins/one.so"],
            &["/opt/plugins/deeper/two.so"],
        ),
        (&[("/opt", List)], &["/opt"], &["/opt/data"]),
        (
            &[("/opt/plugins", CreateParent)],
            &["/opt/plugins"],
            &["/opt/plugins/one.so"],
        ),
        (&[("/opt/data", Missing)], &[], &["/opt/data"]),
    ];
    let tree = tree();
    for (trace, there, not_there) in cases {
        let plan = tree.plan(&traced(trace));
        let has = |path: &&&str| plan.entries.contains_key(&RootPath::new(path));
        assert!(there.iter().all(|path| has(&path)), "{trace:?}: {there:?}");
        assert!(!not_there.iter().any(|path| has(&path)), "{trace:?}: {not_there:?}");
        assert_eq!(plan.warnings, [], "{trace:?}");
    }
}

#[test]
fn by_dots_that_the_kernel_would_follow() {
    let tree = tree();
    tree.link("/opt/plugins/deeper", "/short");
    let plan = tree.plan(&traced(&[("/short/../one.so", TraceKind::Open)]));
    let entry = &plan.entries[&RootPath::new("/opt/plugins/one.so")];
    assert_eq!(
        (entry.reason.kind, entry.reason.detail.as_str()),
        (ReasonKind::Trace, "open")
    );
}

#[test]
fn what_is_gone_is_told() {
    let tree = tree();
    let cases: [(&str, &[(WarningKind, &str)]); 4] = [
        ("/gone", &[(WarningKind::Gone, "/gone")]),
        ("/opt/data/below", &[(WarningKind::Gone, "/opt/data/below")]),
        // The runtime makes it.
        ("/etc/resolv.conf", &[]),
        ("/proc/self/maps", &[(WarningKind::Gone, "/proc/self/maps")]),
    ];
    for (path, expected) in cases {
        let plan = tree.plan(&traced(&[(path, TraceKind::Open)]));
        let told: Vec<_> = plan
            .warnings
            .iter()
            .map(|warning| (warning.kind, warning.path.to_string()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(kind, path)| (*kind, (*path).to_owned()))
            .collect();
        assert_eq!(told, expected, "{path}");
    }
}

#[test]
fn secrets_stay_behind_although_they_were_used() {
    let tree = tree();
    for (path, refused, locked) in [
        ("/etc/shadow", "/etc/shadow", true),
        ("/opt/hidden", "/etc/shadow", true),
        ("/root/.netrc", "/root/.netrc", false),
    ] {
        let plan = tree.plan(&traced(&[(path, TraceKind::Open)]));
        let [refusal] = plan.refusals.as_slice() else {
            panic!("{path}: {:?}", plan.refusals)
        };
        assert_eq!((refusal.path.to_string().as_str(), refusal.locked), (refused, locked));
        match plan.entries.get(&RootPath::new(refused)).map(|entry| &entry.node) {
            Some(Node::Synthetic { contents }) => assert_eq!(contents, b"root:*"),
            node => assert!(node.is_none() && !locked, "{path}: {node:?}"),
        }
    }
}
