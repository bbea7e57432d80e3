//! Mode, owner and time of an entry as squashfs stores them.

use backhand::NodeHeader;

use crate::plan::Entry;

/// The header of `entry`'s inode; no time is later than `epoch`.
///
/// squashfs counts seconds since the epoch in 32 bits without a sign: what lies outside (before 1970, after 2106-02-07) becomes the
/// nearest time that it has.
pub(super) fn header(entry: &Entry, epoch: Option<u32>) -> NodeHeader {
    NodeHeader {
        permissions: permissions(entry.mode),
        uid: entry.uid,
        gid: entry.gid,
        mtime: seconds(entry.mtime).min(epoch.unwrap_or(u32::MAX)),
    }
}

fn permissions(mode: u32) -> u16 {
    // 12 bits are left, they fit.
    u16::try_from(mode & 0o7777).unwrap_or_default()
}

fn seconds(mtime: i64) -> u32 {
    u32::try_from(mtime.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Node, Reason, ReasonKind};

    fn entry(mode: u32, mtime: i64) -> Entry {
        Entry {
            node: Node::Directory,
            mode,
            uid: 7,
            gid: 8,
            mtime,
            reason: Reason {
                kind: ReasonKind::Base,
                by: None,
                detail: String::new(),
            },
        }
    }

    #[test]
    fn times_are_clamped_to_what_squashfs_has_and_to_the_epoch() {
        for (mtime, epoch, expected) in [
            (1_000, None, 1_000),
            (-1, None, 0),
            (i64::MIN, None, 0),
            (i64::from(u32::MAX), None, u32::MAX),
            (i64::from(u32::MAX) + 1, None, u32::MAX),
            (1_000, Some(999), 999),
            (1_000, Some(1_001), 1_000),
            (1_000, Some(0), 0),
        ] {
            assert_eq!(header(&entry(0o755, mtime), epoch).mtime, expected, "{mtime} {epoch:?}");
        }
    }

    #[test]
    fn permissions_keep_setuid_setgid_and_sticky() {
        for mode in [0o755, 0o4755, 0o2755, 0o1777, 0o7777, 0] {
            let header = header(&entry(mode, 0), None);
            assert_eq!(u32::from(header.permissions), mode);
            assert_eq!((header.uid, header.gid), (7, 8));
        }
    }
}
