//! Names of inodes on the wire, and what FUSE is told about them.

use std::time::{Duration, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use squashfs::{Inode, InodeRef, Kind};

use crate::image::OwnerMap;

/// Bits of an [`InodeRef`] that hold an offset inside a metadata block, whose size is 8192.
const OFFSET_BITS: u32 = 13;

/// What stands for an inode whose number is not known, as in libfuse: the parent's in a listing.
pub(super) const UNKNOWN: INodeNo = INodeNo(0xffff_ffff);

/// What stands for no inode: a reply with it is a negative entry that the kernel caches.
const NONE: INodeNo = INodeNo(0);

/// The FUSE node id of the inode at `at`.
///
/// The protocol keeps 1 for the root and 0 for none, so every other reference is shifted by 2. A reference has 16
/// bits for an offset below 8192: packed, the ids of an inode table up to 512 KiB stay below 2^32, which matters to
/// programs with a 32-bit `st_ino`. References are unique, so `st_ino` is, and hard links share theirs.
pub(super) fn id(root: InodeRef, at: InodeRef) -> INodeNo {
    if at == root {
        return INodeNo::ROOT;
    }
    let offset = at.0 & ((1 << OFFSET_BITS) - 1);
    INodeNo(((at.0 >> 16 << OFFSET_BITS) | offset) + 2)
}

/// The reference that became the node id `id`. The kernel asks for nothing that it was not given.
pub(super) fn reference(root: InodeRef, id: INodeNo) -> InodeRef {
    if id == INodeNo::ROOT {
        return root;
    }
    let packed = id.0.saturating_sub(2);
    InodeRef((packed >> OFFSET_BITS << 16) | (packed & ((1 << OFFSET_BITS) - 1)))
}

/// The file type of `kind`.
pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Symlink => FileType::Symlink,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::CharacterDevice => FileType::CharDevice,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
    }
}

/// What stat(2) shows of `inode`, whose node id is `ino`.
pub(super) fn attributes(ino: INodeNo, inode: &Inode, owner: OwnerMap) -> FileAttr {
    let shown = owner.apply(inode.into());
    let time = UNIX_EPOCH + Duration::from_secs(inode.mtime.into());
    FileAttr {
        ino,
        size: inode.size,
        blocks: inode.size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: file_type(inode.kind),
        perm: shown.permissions,
        nlink: inode.nlink,
        uid: shown.uid,
        gid: shown.gid,
        rdev: inode.rdev,
        blksize: 4096,
        flags: 0,
    }
}

/// The attributes of a name that is not there.
pub(super) fn negative() -> FileAttr {
    unnumbered(NONE)
}

/// The attributes of `..` in a listing, of which the kernel takes the type only.
pub(super) fn parent() -> FileAttr {
    unnumbered(UNKNOWN)
}

fn unnumbered(ino: INodeNo) -> FileAttr {
    FileAttr {
        ino,
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::Directory,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_references_are_one_to_one() {
        let root = InodeRef(0x0002_0010);
        let cases = [
            (InodeRef(0x0002_0010), 1),
            (InodeRef(0), 2),
            (InodeRef(1), 3),
            (InodeRef(8191), 8193),
            (InodeRef(0x0001_0000), 8194),
            (InodeRef(0x0007_ffff_1fff), 0x1_0000_0001),
        ];
        for (at, number) in cases {
            assert_eq!(id(root, at), INodeNo(number), "{at:?}");
            assert_eq!(reference(root, INodeNo(number)), at, "{number}");
        }
    }

    #[test]
    fn reserved_ids_do_not_panic() {
        assert_eq!(reference(InodeRef(7), NONE), InodeRef(0));
    }
}
