//! The start-up set: the files that every start reads. They are stored uncompressed, since a mount begins with an empty page cache and
//! decompressing them is most of what a start costs.

use std::collections::BTreeSet;

use crate::plan::{Node, Plan, Reason, ReasonKind};
use crate::rootfs::RootPath;

/// What the runtime and the loader read before the program's first instruction.
const SMALL_FILES: [&str; 3] = ["/etc/group", "/etc/ld.so.cache", "/etc/passwd"];

/// The program, its interpreters and libraries, smallest first, as long as they fit in `limit` bytes together.
pub(super) fn set(plan: &Plan, limit: u64) -> BTreeSet<&RootPath> {
    let mut files: Vec<(u64, &RootPath)> = plan
        .entries
        .iter()
        .filter(|(path, entry)| is_read(plan, path, &entry.reason))
        .filter_map(|(path, entry)| match &entry.node {
            Node::File { size } => Some((*size, path)),
            Node::Synthetic { contents } => Some((contents.len() as u64, path)),
            Node::Directory | Node::Symlink { .. } => None,
        })
        .collect();
    files.sort_unstable();
    let mut left = limit;
    files
        .into_iter()
        .map_while(|(size, path)| {
            left = left.checked_sub(size)?;
            Some(path)
        })
        .collect()
}

fn is_read(plan: &Plan, path: &RootPath, reason: &Reason) -> bool {
    SMALL_FILES.iter().any(|file| path.as_bytes() == file.as_bytes()) || is_loaded(plan, reason)
}

/// Whether the chain of reasons leads to the command through what the kernel and the loader load by themselves.
fn is_loaded<'a>(plan: &'a Plan, mut reason: &'a Reason) -> bool {
    // No chain is longer than the plan; this one comes from a value that anybody can make.
    for _ in 0..=plan.entries.len() {
        match reason.kind {
            ReasonKind::Command => return true,
            ReasonKind::Interpreter
            | ReasonKind::Needed
            | ReasonKind::Preload
            | ReasonKind::Shebang
            | ReasonKind::Symlink => {}
            _ => return false,
        }
        match reason.by.as_ref().and_then(|by| plan.entries.get(by)) {
            Some(entry) => reason = &entry.reason,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::plan::Entry;

    fn plan() -> Plan {
        use ReasonKind::{Also, Base, Command, Include, Interpreter, Needed, Symlink};
        let entry = |node, kind, by: Option<&str>| Entry {
            node,
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            reason: Reason {
                kind,
                by: by.map(RootPath::new),
                detail: String::new(),
            },
        };
        let file = |size| Node::File { size };
        let link = || Node::Symlink { target: b"x".to_vec() };
        let entries = [
            ("/bin/app", entry(file(500), Command, None)),
            ("/bin/other", entry(file(1), Also, None)),
            ("/etc/passwd", entry(file(10), Base, None)),
            ("/etc/hosts", entry(file(2), Base, None)),
            ("/lib/ld.so", entry(file(200), Interpreter, Some("/bin/app"))),
            ("/lib/a.so", entry(link(), Needed, Some("/bin/app"))),
            ("/lib/a.so.1", entry(file(300), Symlink, Some("/lib/a.so"))),
            ("/lib/b.so", entry(file(400), Needed, Some("/lib/a.so.1"))),
            ("/lib/c.so", entry(file(3), Needed, Some("/bin/other"))),
            ("/share/x", entry(file(4), Include, None)),
            ("/round/1", entry(file(5), Needed, Some("/round/2"))),
            ("/round/2", entry(file(6), Needed, Some("/round/1"))),
        ];
        let entries = entries.map(|(path, entry)| (RootPath::new(path), entry));
        Plan::of(RootPath::new("/bin/app"), entries)
    }

    #[test]
    fn what_the_command_loads_smallest_first() {
        let plan = plan();
        for (limit, expected) in [
            (0, &[][..]),
            (9, &[]),
            (10, &["/etc/passwd"]),
            (509, &["/etc/passwd", "/lib/ld.so"]),
            (510, &["/etc/passwd", "/lib/a.so.1", "/lib/ld.so"]),
            (
                u64::MAX,
                &["/bin/app", "/etc/passwd", "/lib/a.so.1", "/lib/b.so", "/lib/ld.so"],
            ),
        ] {
            let expected: BTreeSet<RootPath> = expected.iter().map(RootPath::new).collect();
            let found: BTreeSet<RootPath> = set(&plan, limit).into_iter().cloned().collect();
            assert_eq!(found, expected, "{limit}");
        }
    }
}
