use super::*;

fn reason(kind: ReasonKind, by: Option<&str>) -> Reason {
    Reason {
        kind,
        by: by.map(RootPath::new),
        detail: String::new(),
    }
}

/// A script, its interpreter, a library of that, and what is there beside them.
fn plan() -> Plan {
    let entry = |kind, by| Entry {
        node: Node::File { size: 0 },
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        reason: reason(kind, by),
    };
    let entries = [
        ("/script", entry(ReasonKind::Command, None)),
        ("/python", entry(ReasonKind::Shebang, Some("/script"))),
        ("/libz", entry(ReasonKind::Needed, Some("/python"))),
        ("/plugin", entry(ReasonKind::Include, None)),
        ("/libp", entry(ReasonKind::Needed, Some("/plugin"))),
        ("/circle", entry(ReasonKind::Needed, Some("/circle"))),
    ];
    let entries = entries.map(|(path, entry)| (RootPath::new(path), entry));
    Plan::of(RootPath::new("/script"), entries)
}

fn is_fault(kind: WarningKind, path: &str, wanted: Option<Reason>) -> bool {
    let mut plan = plan();
    plan.warnings.push(Warning {
        kind,
        path: RootPath::new(path),
        message: String::new(),
        wanted,
    });
    !plan.faults().is_empty()
}

#[test]
fn what_the_loader_wants_at_once_must_be_there() {
    for (path, kind, expected) in [
        ("/script", WarningKind::MissingLibrary, true),
        ("/python", WarningKind::LoaderStops, true),
        ("/libz", WarningKind::MissingLibrary, true),
        ("/libz", WarningKind::Hidden, true),
        ("/libz", WarningKind::Condition, false),
        ("/plugin", WarningKind::MissingLibrary, false),
        ("/libp", WarningKind::MissingLibrary, false),
        ("/libp", WarningKind::Hidden, false),
        ("/circle", WarningKind::MissingLibrary, false),
        ("/unknown", WarningKind::MissingLibrary, false),
    ] {
        assert_eq!(is_fault(kind, path, None), expected, "{path} {kind:?}");
    }
}

#[test]
fn what_is_not_in_the_plan_is_judged_by_why_it_was_wanted() {
    for (path, kind, by, expected) in [
        ("/gone", ReasonKind::Command, None, true),
        ("/gone", ReasonKind::Interpreter, Some("/python"), true),
        ("/gone", ReasonKind::Needed, Some("/libz"), true),
        ("/gone", ReasonKind::Symlink, Some("/script"), true),
        ("/gone", ReasonKind::Alternative, Some("/libz"), false),
        ("/gone", ReasonKind::Needed, Some("/libp"), false),
        ("/gone", ReasonKind::Also, None, false),
        ("/gone", ReasonKind::As, None, true),
        // The loader goes on to the next directory for a library, and for nothing else.
        ("/other/libz", ReasonKind::Needed, Some("/python"), false),
        ("/other/libz", ReasonKind::Interpreter, Some("/python"), true),
    ] {
        for warning in [WarningKind::Excluded, WarningKind::Hidden] {
            let found = is_fault(warning, path, Some(reason(kind, by)));
            assert_eq!(found, expected, "{path} {kind:?} {by:?}");
        }
    }
}
