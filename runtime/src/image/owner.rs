//! Whose the files are.

use squashfs::Inode;

/// `S_ISUID` and `S_ISGID`.
const SET_ID_BITS: u16 = 0o6000;

/// `S_IWUSR`, `S_IWGRP` and `S_IWOTH`.
const WRITE_BITS: u16 = 0o222;

/// Who owns the files that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerMap {
    /// Owners and modes as the image stores them.
    AsStored,
    /// Everything belongs to one user, whose only id is mapped. Set-user-id and set-group-id bits are left out: they
    /// speak of owners that are not there.
    Caller {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// The same, and nobody may write: the files are verified, and others read them too.
    Reader {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
}

/// Owner and permissions as an [`OwnerMap`] has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Permission bits, `0o7777` at most.
    pub permissions: u16,
}

impl From<&Inode> for Shown {
    /// As the image stores it.
    fn from(inode: &Inode) -> Self {
        Self {
            uid: inode.uid,
            gid: inode.gid,
            permissions: inode.permissions,
        }
    }
}

impl OwnerMap {
    /// What is shown of what is stored.
    #[must_use]
    pub fn apply(self, stored: Shown) -> Shown {
        match self {
            Self::AsStored => stored,
            Self::Caller { uid, gid } => Shown {
                uid,
                gid,
                permissions: stored.permissions & !SET_ID_BITS,
            },
            Self::Reader { uid, gid } => Shown {
                uid,
                gid,
                permissions: stored.permissions & !SET_ID_BITS & !WRITE_BITS,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_id_bits_stay_with_the_stored_owner() {
        let shown = |uid, gid, permissions| Shown { uid, gid, permissions };
        let caller = OwnerMap::Caller { uid: 1000, gid: 100 };
        let reader = OwnerMap::Reader { uid: 1000, gid: 100 };
        let cases = [
            (OwnerMap::AsStored, shown(0, 33, 0o4755), shown(0, 33, 0o4755)),
            (caller, shown(0, 33, 0o6755), shown(1000, 100, 0o755)),
            (caller, shown(0, 0, 0o1777), shown(1000, 100, 0o1777)),
            (reader, shown(0, 0, 0o4775), shown(1000, 100, 0o555)),
        ];
        for (map, stored, expected) in cases {
            assert_eq!(map.apply(stored), expected, "{map:?}");
        }
    }
}
