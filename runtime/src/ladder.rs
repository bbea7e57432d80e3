//! The ways to make a root of an image, and which to try first. Nothing is decided from versions or settings of the
//! kernel: a rung is tried, and left when it does not hold.

use std::fmt;

/// Above this length of the image, in bytes, checking every block before the mount costs more than a FUSE server does:
/// hashing takes 0.7 ms per MB.
pub const LARGE: u64 = 64 << 20;

/// Up to this length of the image, in bytes, writing its files out takes less time than a mount and an overlay do.
pub const SMALL: u64 = 512 << 10;

/// Where they are no more than this, in bytes: data may compress by any factor.
const SMALL_TREE: u64 = 4 * SMALL;

/// How large an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The image itself, in bytes.
    pub stored: u64,
    /// All that is in it, in bytes, as its signers say: data, and a page for each entry.
    pub unpacked: u64,
}

impl Size {
    fn is_small(self) -> bool {
        self.stored <= SMALL && self.unpacked <= SMALL_TREE
    }
}

/// A way to make a root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// The kernel's squashfs on a loop device, every block checked before the mount.
    Loop,
    /// Our own FUSE server, each block checked when it is read.
    Fuse,
    /// Files in a tmpfs of the namespace, each block checked when it is unpacked.
    Unpack,
    /// A mount that another start left: see [`crate::keep`].
    Kept,
    /// A directory that is there already, unverified. Never for a bundle.
    Directory,
}

impl Rung {
    /// The rung that `POLECAT_MOUNT` calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Loop, Self::Fuse, Self::Unpack]
            .into_iter()
            .find(|rung| rung.name() == name)
    }

    /// What it is called in messages and in `POLECAT_MOUNT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Fuse => "fuse",
            Self::Unpack => "unpack",
            Self::Kept => "kept",
            Self::Directory => "directory",
        }
    }

    /// Whether the image stays read-only below, so that an overlay must make the root writable.
    #[must_use]
    pub fn needs_overlay(self) -> bool {
        self != Self::Unpack
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What decides the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// `CAP_SYS_ADMIN` without making a user namespace for it.
    pub privileged: bool,
    /// None when the root is a directory.
    pub image: Option<Size>,
    /// The only rung that the caller wants.
    pub forced: Option<Rung>,
    /// What is written is kept, by an overlay: a small image is mounted too, which unpacking spares otherwise.
    pub persists: bool,
}

/// The rungs to try, best first. At least one. Unpacking comes last, and first where the image is small.
#[must_use]
pub fn choose(situation: Situation) -> Vec<Rung> {
    let Some(size) = situation.image else {
        return vec![Rung::Directory];
    };
    if let Some(rung) = situation.forced {
        return vec![rung];
    }
    let mounts: &[Rung] = match situation.privileged {
        // A user namespace may not mount squashfs from a block device, whoever owns it.
        false => &[Rung::Fuse],
        true if size.stored > LARGE => &[Rung::Fuse, Rung::Loop],
        true => &[Rung::Loop, Rung::Fuse],
    };
    match size.is_small() && !situation.persists {
        true => [&[Rung::Unpack], mounts].concat(),
        false => [mounts, &[Rung::Unpack]].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::Rung::{Directory, Fuse, Loop, Unpack};
    use super::*;

    /// Privileged, size of the image, what is forced, the ladder.
    type Case = (bool, Option<Size>, Option<Rung>, &'static [Rung]);

    fn image(stored: u64) -> Option<Size> {
        Some(Size { stored, unpacked: 0 })
    }

    #[test]
    fn order() {
        let inflated = |unpacked| Some(Size { stored: 4096, unpacked });
        let cases: [Case; 15] = [
            (true, image(4096), None, &[Unpack, Loop, Fuse]),
            (true, image(SMALL), None, &[Unpack, Loop, Fuse]),
            (true, inflated(SMALL_TREE), None, &[Unpack, Loop, Fuse]),
            (true, inflated(SMALL_TREE + 1), None, &[Loop, Fuse, Unpack]),
            (true, image(SMALL + 4096), None, &[Loop, Fuse, Unpack]),
            (true, image(LARGE), None, &[Loop, Fuse, Unpack]),
            (true, image(LARGE + 4096), None, &[Fuse, Loop, Unpack]),
            (false, image(4096), None, &[Unpack, Fuse]),
            (false, image(SMALL + 4096), None, &[Fuse, Unpack]),
            (false, image(LARGE + 4096), None, &[Fuse, Unpack]),
            (true, image(LARGE + 4096), Some(Loop), &[Loop]),
            (false, image(4096), Some(Loop), &[Loop]),
            (true, image(4096), Some(Unpack), &[Unpack]),
            (false, image(4096), Some(Unpack), &[Unpack]),
            (true, None, Some(Fuse), &[Directory]),
        ];
        for (privileged, image, forced, rungs) in cases {
            let situation = Situation {
                privileged,
                image,
                forced,
                persists: false,
            };
            assert_eq!(choose(situation), rungs, "{situation:?}");
            let persists = true;
            let mut last = rungs.to_vec();
            last.rotate_left(usize::from(rungs[0] == Unpack));
            assert_eq!(choose(Situation { persists, ..situation }), last, "{situation:?}");
        }
    }

    #[test]
    fn names_lead_back() {
        for rung in [Loop, Fuse, Unpack] {
            assert_eq!(Rung::from_name(rung.name()), Some(rung));
        }
        for rung in [Rung::Kept, Directory] {
            assert_eq!(Rung::from_name(rung.name()), None);
        }
    }
}
