//! What is made of which root file system.

use std::sync::LazyLock;

use super::*;
use crate::host::Shared;
use crate::options::Name;
use crate::root::tests::{facts, survey};

static NOTHING_CHOSEN: LazyLock<Contract> = LazyLock::new(Contract::default);

pub(super) fn inputs(host: &Facts, contain: bool) -> Inputs<'_> {
    Inputs {
        host,
        contain,
        shares: if contain { Shares::NONE } else { Shares::default() },
        cwd: None,
        binds: &[],
        contract: &NOTHING_CHOSEN,
        cgroups: &[],
        runtime_directory: None,
        network: true,
        read_only: false,
        user: None,
        names: true,
    }
}

pub(super) fn made(inputs: Inputs<'_>, held: &[(&str, Standing)]) -> Plan {
    let Questions {
        directories,
        contents,
        targets,
        ..
    } = questions(inputs);
    plan(inputs, &survey(&[directories, contents, targets].concat(), held)).unwrap()
}

fn planned(host: &Facts, contain: bool, cwd: Option<&str>, held: &[(&str, Standing)]) -> Plan {
    let cwd = cwd.map(Path::new);
    made(
        Inputs {
            cwd,
            ..inputs(host, contain)
        },
        held,
    )
}

pub(super) const WHOLE: &[(&str, Standing)] = &[
    ("/proc", Standing::Directory),
    ("/sys", Standing::Directory),
    ("/dev", Standing::Directory),
    ("/tmp", Standing::Directory),
    ("/run", Standing::Directory),
    ("/etc", Standing::Directory),
];

pub(super) fn ada() -> Facts {
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
        assert_eq!(questions(inputs(host, true)).names, read, "{}:{}", host.uid, host.gid);
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
fn a_root_that_is_read_only_keeps_places_to_write() {
    let host = facts();
    let plan = made(
        Inputs {
            read_only: true,
            ..inputs(&host, false)
        },
        WHOLE,
    );
    assert_eq!(plan.sealed, ["/dev", "/"]);
    assert_eq!(planned(&host, false, None, WHOLE).sealed, [""; 0]);
    let own = |path: &str| {
        plan.mounts
            .iter()
            .any(|op| matches!(op, Op::Mount { .. }) && op.path() == Path::new(path))
    };
    assert!(["/tmp", "/run", "/dev/shm", "/dev/pts"].into_iter().all(own));
}

#[test]
fn without_the_hosts_network_its_devices_are_not_seen() {
    let host = facts();
    for network in [true, false] {
        let inputs = Inputs {
            network,
            ..inputs(&host, false)
        };
        let is_fresh = |op: &Op| {
            let system = System::Sys;
            matches!(op, Op::Mount { system: found, .. } if *found == system)
        };
        assert_eq!(made(inputs, WHOLE).mounts.iter().any(is_fresh), !network);
    }
}

#[test]
fn the_runtime_directory_is_the_users() {
    let asked = UserOption {
        user: Name::Id(7),
        group: Some(Name::Id(8)),
    };
    let path = Path::new("/run/user/7");
    let own = Op::Own {
        path: path.into(),
        uid: 7,
        gid: 8,
    };
    for (privileged, user, is_given) in [
        (true, Some(&asked), true),
        (true, None, false),
        // Whose user namespace has but one user.
        (false, Some(&asked), false),
    ] {
        let host = Facts { privileged, ..facts() };
        let inputs = Inputs {
            user,
            runtime_directory: Some(path),
            ..inputs(&host, false)
        };
        let mounts = made(inputs, WHOLE).mounts;
        let made = |op: &Op| matches!(op, Op::Make(Entry::Directory { path: found, mode: 0o700 }) if found == path);
        let at = mounts.iter().position(made);
        let given = mounts.iter().position(|op| *op == own);
        assert!(at.is_some(), "{privileged}");
        assert_eq!(given, at.filter(|_| is_given).map(|at| at + 1), "{privileged}");
    }
}

#[test]
fn another_user_has_another_home() {
    let asked = UserOption {
        user: Name::Id(7),
        group: None,
    };
    for (contain, privileged, home) in [
        (false, false, "/home/ada"),
        (true, false, "/tmp"),
        (false, true, "/"),
        (true, true, "/"),
    ] {
        let host = Facts { privileged, ..facts() };
        let plan = made(
            Inputs {
                user: Some(&asked),
                ..inputs(&host, contain)
            },
            WHOLE,
        );
        assert_eq!(
            (plan.home.to_str(), plan.identity.account.uid),
            (Some(home), 7),
            "{contain} {privileged}"
        );
        let line = format!("user:x:7:7::{home}:/bin/sh\n");
        let passwd = plan.layer.iter().find_map(|entry| match entry {
            Entry::File { path, contents } if path == Path::new("/etc/passwd") => Some(contents),
            _ => None,
        });
        assert_eq!(
            passwd.map(|contents| String::from_utf8_lossy(contents)).as_deref(),
            Some(line.as_str())
        );
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
