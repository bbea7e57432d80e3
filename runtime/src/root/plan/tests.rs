//! What is made of which root file system.

use super::*;
use crate::root::tests::{facts, survey};

fn planned(host: &Facts, contain: bool, cwd: Option<&str>, held: &[(&str, Standing)]) -> Plan {
    let inputs = Inputs {
        host,
        contain,
        cwd: cwd.map(Path::new),
        binds: &[],
        contract: &Contract::default(),
        names: true,
    };
    let Questions {
        directories, contents, ..
    } = questions(inputs);
    plan(inputs, &survey(&[directories, contents].concat(), held))
}

const WHOLE: &[(&str, Standing)] = &[
    ("/proc", Standing::Directory),
    ("/sys", Standing::Directory),
    ("/dev", Standing::Directory),
    ("/tmp", Standing::Directory),
    ("/run", Standing::Directory),
    ("/etc", Standing::Directory),
];

fn ada() -> Facts {
    Facts {
        home: Some(Shared {
            path: "/home/ada".into(),
            source: "/home/ada".into(),
        }),
        cwd: Some("/home/ada/work".into()),
        ..facts()
    }
}

fn bound(plan: &Plan, kind: BindKind) -> Vec<&str> {
    plan.mounts
        .iter()
        .filter_map(|op| match op {
            Op::Bind(bind) if bind.kind == kind => bind.path.to_str(),
            _ => None,
        })
        .collect()
}

#[test]
fn missing_mount_points_are_made_and_links_replaced() {
    let mut held = WHOLE.to_vec();
    held[1] = ("/sys", Standing::Missing);
    held[3] = ("/tmp", Standing::Other);
    let plan = planned(&facts(), false, None, &held);
    let made: Vec<_> = plan
        .layer
        .iter()
        .filter(|op| matches!(op, Entry::Directory { .. }))
        .collect();
    assert_eq!(
        made,
        [
            &Entry::Directory {
                path: "/sys".into(),
                mode: 0o555
            },
            &Entry::Directory {
                path: "/tmp".into(),
                mode: 0o1777
            },
        ]
    );
}

#[test]
fn root_has_a_name_where_there_are_names() {
    let root = Facts {
        uid: 0,
        gid: 0,
        ..facts()
    };
    let group_alone = Facts { uid: 0, ..facts() };
    let [all, none] = [&["/etc/passwd", "/etc/group"][..], &[]];
    for (host, held, read, written) in [
        (&root, all, false, none),
        (&root, none, false, all),
        (&root, &all[..1], false, &all[1..]),
        (&group_alone, all, true, all),
        (&facts(), all, true, all),
    ] {
        let inputs = Inputs {
            host,
            contain: true,
            cwd: None,
            binds: &[],
            contract: &Contract::default(),
            names: true,
        };
        assert_eq!(questions(inputs).names, read, "{}:{}", host.uid, host.gid);
        let files: Vec<_> = held.iter().map(|path| (*path, Standing::Other)).collect();
        let plan = planned(host, true, None, &[WHOLE, &files].concat());
        let names = plan.layer.iter().filter_map(|entry| match entry {
            Entry::File { path, .. } => path.to_str(),
            _ => None,
        });
        assert_eq!(names.collect::<Vec<_>>(), written, "{}:{} {held:?}", host.uid, host.gid);
    }
}

#[test]
fn places_for_what_is_shared_are_made_where_there_are_none() {
    for (home, cwd, standing, expected) in [
        ("/home/ada", "/home/ada/work", Standing::Missing, &["/home/ada"][..]),
        ("/home/ada", "/srv/x", Standing::Missing, &["/home/ada", "/srv/x"]),
        ("/home/ada", "/tmp/x", Standing::Missing, &["/home/ada"]),
        ("/home/ada", "/tmp/x", Standing::Empty, &[]),
    ] {
        let host = Facts {
            home: Some(Shared {
                path: home.into(),
                source: home.into(),
            }),
            cwd: Some(cwd.into()),
            ..facts()
        };
        let mut held = WHOLE.to_vec();
        held.push((home, standing));
        let plan = planned(&host, false, None, &held);
        let made: Vec<_> = plan
            .layer
            .iter()
            .filter_map(|entry| match entry {
                Entry::Directory { path, .. } => path.to_str(),
                _ => None,
            })
            .collect();
        assert_eq!(made, expected, "{home} {cwd}");
    }
}

#[test]
fn files_of_the_host_and_names_of_the_caller() {
    let host = Facts {
        files: vec![("/etc/hosts", b"127.0.0.1 localhost\n".to_vec())],
        ..facts()
    };
    let cases: [(Standing, &[&str]); 3] = [
        (Standing::Directory, &["/etc/hosts", "/etc/passwd", "/etc/group"]),
        (Standing::Missing, &["/etc/hosts", "/etc/passwd", "/etc/group"]),
        (Standing::Other, &[]),
    ];
    for (etc, expected) in cases {
        let mut held = WHOLE.to_vec();
        held[5] = ("/etc", etc);
        let plan = planned(&host, false, None, &held);
        let files: Vec<_> = plan
            .layer
            .iter()
            .filter_map(|op| match op {
                Entry::File { path, .. } => path.to_str(),
                _ => None,
            })
            .collect();
        assert_eq!(files, expected, "{etc:?}");
    }
}

#[test]
fn a_closed_box_shares_nothing() {
    let open = planned(&ada(), false, None, WHOLE);
    assert_eq!(bound(&open, BindKind::Shared), ["/home/ada"]);
    assert_eq!(
        (open.cwd.to_str(), open.home.to_str()),
        (Some("/home/ada/work"), Some("/home/ada"))
    );
    let closed = planned(&ada(), true, None, WHOLE);
    assert_eq!(bound(&closed, BindKind::Shared), [""; 0]);
    assert_eq!((closed.cwd.to_str(), closed.home.to_str()), (Some("/"), Some("/tmp")));
    assert!(closed.mounts.contains(&Op::Mount {
        path: "/proc".into(),
        system: System::Proc { or_host: false }
    }));
    let root = Facts { uid: 0, ..ada() };
    assert_eq!(planned(&root, true, None, WHOLE).home, Path::new("/root"));
}

#[test]
fn what_the_caller_names_is_bound_unless_it_is_seen_already() {
    let same = |path: &str| Shared {
        path: path.into(),
        source: path.into(),
    };
    let binds = [same("/data"), same("/home/ada/work"), same("/etc")];
    for (contain, expected) in [
        (false, &["/home/ada", "/data", "/etc"][..]),
        (true, &["/data", "/home/ada/work", "/etc"]),
    ] {
        let host = ada();
        let inputs = Inputs {
            host: &host,
            contain,
            cwd: None,
            binds: &binds,
            contract: &Contract::default(),
            names: true,
        };
        let Questions {
            directories, contents, ..
        } = questions(inputs);
        let plan = plan(inputs, &survey(&[directories, contents].concat(), WHOLE));
        assert_eq!(bound(&plan, BindKind::Shared), expected);
        let is_optional = |op: &Op| matches!(op, Op::Bind(bind) if bind.path == Path::new("/data") && bind.optional);
        assert!(!plan.mounts.iter().any(is_optional));
    }
}

#[test]
fn the_manifests_working_directory_wins() {
    assert_eq!(planned(&ada(), false, Some("/srv"), WHOLE).cwd, Path::new("/srv"));
    assert_eq!(planned(&ada(), true, Some("/srv"), WHOLE).cwd, Path::new("/srv"));
    assert_eq!(planned(&facts(), false, None, WHOLE).cwd, Path::new("/"));
}

#[test]
fn only_user_0_is_kept_from_governing_the_host() {
    for (uid, protected) in [(0, GOVERNING.len()), (1000, 0)] {
        let plan = planned(&Facts { uid, ..facts() }, false, None, WHOLE);
        let count = plan.mounts.iter().filter(|op| matches!(op, Op::Protect { .. })).count();
        assert_eq!(count, protected, "{uid}");
    }
}

#[test]
fn what_is_shared_comes_after_what_it_lies_in() {
    let host = Facts {
        cwd: Some("/tmp/x".into()),
        ..facts()
    };
    let plan = planned(&host, false, None, WHOLE);
    let position = |wanted: &dyn Fn(&Op) -> bool| plan.mounts.iter().position(wanted).unwrap();
    let tmp = position(&|op| matches!(op, Op::Mount { path, .. } if path == Path::new("/tmp")));
    let cwd = position(&|op| matches!(op, Op::Bind(bind) if bind.path == Path::new("/tmp/x")));
    assert!(tmp < cwd);
    assert!(
        matches!(
            plan.mounts[0],
            Op::Mount {
                system: System::Proc { .. },
                ..
            }
        ),
        "protected files lie in it"
    );
}
