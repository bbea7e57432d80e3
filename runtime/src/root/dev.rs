//! The private `/dev`: a few nodes of the host's, and terminals of its own.

use std::path::{Path, PathBuf};

use super::op::{Bind, BindKind, Entry, Op, System};

/// Harmless to everybody, and every program may expect them.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Links that every Linux system has.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// Group `tty`, which every distribution numbers so.
const TTY_GROUP: u32 = 5;

/// The steps. `terminal` is the caller's, seen as `/dev/console`: ttyname(3) looks for its device number in `/dev`, and
/// its own name means another terminal in the new `/dev/pts`. `read_only`: `/dev` will be, so what is written to is a mount
/// of its own. Only `hosts_root` may name groups and make nodes.
#[must_use]
pub fn steps(terminal: Option<&Path>, hosts_root: bool, read_only: bool) -> Vec<Op> {
    let dev = |name: &str| Path::new("/dev").join(name);
    let (mode, devices) = (0o755, hosts_root);
    let mut ops = vec![Op::Mount {
        path: "/dev".into(),
        system: System::Private { mode, devices },
    }];
    ops.push(shm(dev("shm"), read_only));
    let path = dev("pts");
    ops.push(Op::Make(Entry::Directory { path, mode }));
    ops.push(Op::Mount {
        path: dev("pts"),
        system: System::Terminals {
            group: hosts_root.then_some(TTY_GROUP),
        },
    });
    let kind = if hosts_root { BindKind::Device } else { BindKind::Node };
    for name in NODES {
        ops.push(node(dev(name), dev(name), kind));
    }
    for (name, target) in LINKS {
        let path = dev(name);
        ops.push(Op::Make(Entry::Link { path, target }));
    }
    if let Some(terminal) = terminal {
        ops.push(node(terminal.to_owned(), dev("console"), BindKind::Node));
    }
    ops
}

fn shm(path: PathBuf, read_only: bool) -> Op {
    let (mode, devices) = (0o1777, false);
    match read_only {
        true => Op::Mount {
            path,
            system: System::Private { mode, devices },
        },
        false => Op::Make(Entry::Directory { path, mode }),
    }
}

fn node(source: PathBuf, path: PathBuf, kind: BindKind) -> Op {
    Op::Bind(Bind {
        source,
        path,
        kind,
        optional: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(ops: &[Op]) -> Vec<(&str, &str)> {
        ops.iter()
            .filter_map(|op| match op {
                Op::Bind(bind) => Some((bind.source.to_str().unwrap(), bind.path.to_str().unwrap())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_console_is_the_callers_terminal() {
        let with = steps(Some(Path::new("/dev/pts/7")), true, false);
        assert!(bound(&with).contains(&("/dev/pts/7", "/dev/console")));
        assert_eq!(bound(&steps(None, true, false)).len(), NODES.len());
    }

    #[test]
    fn nodes_are_made_by_those_who_may() {
        for devices in [true, false] {
            let ops = steps(Some(Path::new("/dev/pts/7")), devices, false);
            let made = |op: &&Op| matches!(op, Op::Bind(bind) if bind.kind == BindKind::Device);
            // The caller's terminal belongs to another devpts: a node of the same number would be none of it.
            assert_eq!(ops.iter().filter(made).count(), if devices { NODES.len() } else { 0 });
            let system = System::Private { mode: 0o755, devices };
            assert!(ops.contains(&Op::Mount {
                path: "/dev".into(),
                system
            }));
        }
    }

    #[test]
    fn groups_are_named_only_where_they_exist() {
        for (groups, group) in [(true, Some(5)), (false, None)] {
            let expected = Op::Mount {
                path: "/dev/pts".into(),
                system: System::Terminals { group },
            };
            assert!(steps(None, groups, false).contains(&expected), "{groups}");
        }
    }
}
