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
/// its own name means another terminal in the new `/dev/pts`.
#[must_use]
pub fn steps(terminal: Option<&Path>, all_groups: bool, limit: u64) -> Vec<Op> {
    let dev = |name: &str| Path::new("/dev").join(name);
    let mut ops = vec![
        Op::Mount {
            path: "/dev".into(),
            system: System::Tmpfs { mode: 0o755, limit },
        },
        Op::Make(Entry::Directory {
            path: dev("shm"),
            mode: 0o1777,
        }),
        Op::Make(Entry::Directory {
            path: dev("pts"),
            mode: 0o755,
        }),
        Op::Mount {
            path: dev("pts"),
            system: System::Terminals {
                group: all_groups.then_some(TTY_GROUP),
            },
        },
    ];
    ops.extend(NODES.map(|name| node(dev(name), dev(name))));
    ops.extend(LINKS.map(|(name, target)| {
        Op::Make(Entry::Link {
            path: dev(name),
            target,
        })
    }));
    ops.extend(terminal.map(|terminal| node(terminal.to_owned(), dev("console"))));
    ops
}

fn node(source: PathBuf, path: PathBuf) -> Op {
    Op::Bind(Bind {
        source,
        path,
        kind: BindKind::Node,
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
        let with = steps(Some(Path::new("/dev/pts/7")), true, 1);
        assert!(bound(&with).contains(&("/dev/pts/7", "/dev/console")));
        assert_eq!(bound(&steps(None, true, 1)).len(), NODES.len());
    }

    #[test]
    fn groups_are_named_only_where_they_exist() {
        for (all_groups, group) in [(true, Some(5)), (false, None)] {
            let expected = Op::Mount {
                path: "/dev/pts".into(),
                system: System::Terminals { group },
            };
            assert!(steps(None, all_groups, 1).contains(&expected), "{all_groups}");
        }
    }
}
