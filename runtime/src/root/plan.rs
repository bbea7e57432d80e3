//! What the root file system of the app is made of. Pure: the manifest, the host and the image as values go in, a list
//! of steps comes out.

use std::path::{Path, PathBuf};

use super::binds::{self, Refusal};
use super::dev;
use super::identity::{self, Account};
use super::op::{Bind, BindKind, Entry, Op, System};
use super::survey::{Questions, Standing, Survey};
use crate::host::{Facts, Shared};

/// Directories that something is mounted on.
const MOUNT_POINTS: [(&str, u32); 5] = [
    ("/proc", 0o555),
    ("/sys", 0o555),
    ("/dev", 0o755),
    ("/tmp", 0o1777),
    ("/run", 0o755),
];

/// Files of proc(5) that user 0 may write without any capability, and by which it would govern the host.
const GOVERNING: [&str; 5] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];

/// What the plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The caller and the machine.
    pub host: &'a Facts,
    /// Share nothing but the network and its names.
    pub contain: bool,
    /// Working directory that the manifest asks for.
    pub cwd: Option<&'a Path>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Steps in the writable layer, before it is mounted over the image.
    pub layer: Vec<Entry>,
    /// Steps in the new root, in this order.
    pub mounts: Vec<Op>,
    /// Home directory of the app.
    pub home: PathBuf,
    /// Working directory of the app.
    pub cwd: PathBuf,
    /// The caller's directories that are not shared, and why.
    pub refused: Vec<(PathBuf, Refusal)>,
}

/// What [`plan`] wants to know about the image.
#[must_use]
pub fn questions(inputs: Inputs<'_>) -> Questions {
    let mut directories: Vec<PathBuf> = MOUNT_POINTS.iter().map(|(path, _)| path.into()).collect();
    directories.push("/etc".into());
    let contents = if inputs.contain {
        Vec::new()
    } else {
        binds::questions(inputs.host)
    };
    Questions { directories, contents }
}

/// Decides.
#[must_use]
pub fn plan(inputs: Inputs<'_>, survey: &Survey) -> Plan {
    let Inputs { host, contain, .. } = inputs;
    let shared = if contain {
        None
    } else {
        Some(binds::choose(host, survey))
    };
    let home = home(host, contain);
    let mut mounts = system(host, contain);
    let (mut cwd, mut refused) = (None, Vec::new());
    if let Some(binds) = shared {
        mounts.extend(binds.shared.into_iter().map(|shared| {
            let Shared { path, source } = shared;
            Op::Bind(Bind {
                source,
                path,
                kind: BindKind::Shared,
                optional: true,
            })
        }));
        (cwd, refused) = (binds.cwd, binds.refused);
    }
    let cwd = inputs.cwd.map(Path::to_owned).or(cwd).unwrap_or_else(|| "/".into());
    Plan {
        layer: layer(host, &home, survey),
        mounts,
        home,
        cwd,
        refused,
    }
}

/// Where the app's `$HOME` is: the caller's, or in a closed box a directory that exists in most images or is private.
fn home(host: &Facts, contain: bool) -> PathBuf {
    match (contain, host.uid) {
        (false, _) => host.account.home.clone(),
        (true, 0) => "/root".into(),
        (true, _) => "/tmp".into(),
    }
}

/// Mount points that the image lacks, and what it cannot know: names of hosts and of the caller.
fn layer(host: &Facts, home: &Path, survey: &Survey) -> Vec<Entry> {
    let missing = |path: &str| matches!(survey.standing(Path::new(path)), Standing::Missing | Standing::Other);
    let mut entries: Vec<Entry> = MOUNT_POINTS
        .iter()
        .filter(|(path, _)| missing(path))
        .map(|&(path, mode)| Entry::Directory {
            path: path.into(),
            mode,
        })
        .collect();
    if survey.standing(Path::new("/etc")) == Standing::Other {
        return entries;
    }
    let account = Account {
        home: home.to_owned(),
        ..host.account.clone()
    };
    let names = [
        ("/etc/passwd", identity::with_user(survey.passwd.as_deref(), &account)),
        ("/etc/group", identity::with_group(survey.group.as_deref(), &account)),
    ];
    let names = names.into_iter().filter_map(|(path, contents)| Some((path, contents?)));
    let files = host.files.iter().cloned().chain(names);
    entries.extend(files.map(|(path, contents)| Entry::File {
        path: path.into(),
        contents,
    }));
    entries
}

/// What every Linux program expects.
fn system(host: &Facts, contain: bool) -> Vec<Op> {
    let limit = writable_limit(host.memory);
    let sys = Bind {
        source: "/sys".into(),
        path: "/sys".into(),
        kind: BindKind::ReadOnly,
        optional: true,
    };
    let mut ops = vec![Op::Mount {
        path: "/proc".into(),
        system: System::Proc { or_host: !contain },
    }];
    if host.uid == 0 {
        ops.extend(GOVERNING.map(|path| Op::Protect { path: path.into() }));
    }
    ops.push(Op::Bind(sys));
    ops.extend(dev::steps(
        host.terminal.as_deref(),
        host.privileged && host.all_ids,
        limit,
    ));
    ops.extend([("/tmp", 0o1777), ("/run", 0o755)].map(|(path, mode)| {
        let system = System::Tmpfs { mode, limit };
        Op::Mount {
            path: path.into(),
            system,
        }
    }));
    ops
}

/// Bytes that the app may write into each file system in memory: half of what the machine has, the kernel's own limit
/// for a tmpfs, said so that it holds whatever its default is.
#[must_use]
pub fn writable_limit(memory: u64) -> u64 {
    memory / 2
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, survey};
    use super::*;

    fn planned(host: &Facts, contain: bool, cwd: Option<&str>, held: &[(&str, Standing)]) -> Plan {
        let inputs = Inputs {
            host,
            contain,
            cwd: cwd.map(Path::new),
        };
        let Questions { directories, contents } = questions(inputs);
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
}
