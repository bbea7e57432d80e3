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
    /// Our own FUSE server, mounted by fusermount3(1). No root of its own: the host's, and the image somewhere in it.
    Fusermount,
    /// Files in a directory of the host's, each block checked when it is unpacked. No root of its own either.
    Disk,
    /// A directory that is there already, unverified. Never for a bundle.
    Directory,
}

impl Rung {
    /// All that a bundle may be started on, the best first.
    pub const ALL: [Self; 5] = [Self::Loop, Self::Fuse, Self::Unpack, Self::Fusermount, Self::Disk];

    /// The rung that the option `mount` calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.name() == name)
    }

    /// What it is called in messages and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Fuse => "fuse",
            Self::Unpack => "unpack",
            Self::Kept => "kept",
            Self::Fusermount => "fusermount",
            Self::Disk => "disk",
            Self::Directory => "directory",
        }
    }

    /// Whether the program gets namespaces and a root of its own. Where it does not, it sees the host's files at their paths,
    /// and its own are started through their own dynamic loader.
    #[must_use]
    pub fn has_own_root(self) -> bool {
        !matches!(self, Self::Fusermount | Self::Disk)
    }

    /// Whether what the program needs is served by a process of ours.
    #[must_use]
    pub fn is_served(self) -> bool {
        matches!(self, Self::Fuse | Self::Fusermount)
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
    /// Only rungs with a root of their own.
    pub strict: bool,
}

/// The rungs to try, best first, and at least one. Unpacking to memory is the last of those that have a root of their own, and the
/// first where the image is small.
///
/// # Errors
/// The forced one, which has no root of its own where one is wanted.
pub fn choose(situation: Situation) -> Result<Vec<Rung>, Rung> {
    let Some(size) = situation.image else {
        return Ok(vec![Rung::Directory]);
    };
    if let Some(rung) = situation.forced {
        let refused = situation.strict && !rung.has_own_root();
        return if refused { Err(rung) } else { Ok(vec![rung]) };
    }
    let mounts: &[Rung] = match situation.privileged {
        // A user namespace may not mount squashfs from a block device, whoever owns it.
        false => &[Rung::Fuse],
        true if size.stored > LARGE => &[Rung::Fuse, Rung::Loop],
        true => &[Rung::Loop, Rung::Fuse],
    };
    let unpack: &[Rung] = &[Rung::Unpack];
    let [first, second] = match size.is_small() && !situation.persists {
        true => [unpack, mounts],
        false => [mounts, unpack],
    };
    let in_hosts_root: &[Rung] = match situation.strict {
        true => &[],
        false => &[Rung::Fusermount, Rung::Disk],
    };
    Ok([first, second, in_hosts_root].concat())
}

#[cfg(test)]
mod tests {
    use super::Rung::{Directory, Disk, Fuse, Fusermount, Loop, Unpack};
    use super::*;

    /// Privileged, size of the image, what is forced, the ladder without the rungs in the host's root.
    type Case = (bool, Option<Size>, Option<Rung>, &'static [Rung]);

    fn image(stored: u64) -> Option<Size> {
        Some(Size { stored, unpacked: 0 })
    }

    fn situation(privileged: bool, image: Option<Size>, forced: Option<Rung>, strict: bool) -> Situation {
        Situation {
            privileged,
            image,
            forced,
            persists: false,
            strict,
        }
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
            let strict = situation(privileged, image, forced, true);
            assert_eq!(choose(strict).as_deref(), Ok(rungs), "{strict:?}");
            let persists = true;
            let mut last = rungs.to_vec();
            last.rotate_left(usize::from(rungs[0] == Unpack));
            assert_eq!(choose(Situation { persists, ..strict }), Ok(last), "{strict:?}");
            let lenient = situation(privileged, image, forced, false);
            let more: &[Rung] = match (image, forced) {
                (Some(_), None) => &[Fusermount, Disk],
                _ => &[],
            };
            assert_eq!(choose(lenient), Ok([rungs, more].concat()), "{lenient:?}");
        }
    }

    #[test]
    fn the_hosts_root_is_refused_where_it_is_not_wanted() {
        for rung in [Fusermount, Disk] {
            assert_eq!(choose(situation(false, image(4096), Some(rung), false)), Ok(vec![rung]));
            assert_eq!(choose(situation(false, image(4096), Some(rung), true)), Err(rung));
        }
    }

    #[test]
    fn names_lead_back() {
        for rung in Rung::ALL {
            assert_eq!(Rung::from_name(rung.name()), Some(rung));
        }
        for rung in [Rung::Kept, Directory] {
            assert_eq!(Rung::from_name(rung.name()), None);
        }
    }
}
