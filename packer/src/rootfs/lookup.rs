//! How one path without links is opened so that it cannot leave the root.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

use super::RootPath;

/// The way look-ups are confined to the root. Both give the same answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// `openat2(2)` with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS: Linux 5.6.
    Openat2,
    /// Each component opened by itself from the directory before it, never following a link: any kernel.
    ComponentWise,
}

impl Confinement {
    /// The best this kernel has, tried on `root`.
    pub(super) fn detect(root: impl AsFd) -> Self {
        // EPERM comes from seccomp filters of containers that do not know openat2.
        match confined(root, Path::new("."), OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Err(Errno::ENOSYS | Errno::EPERM) => Self::ComponentWise,
            _ => Self::Openat2,
        }
    }

    /// Opens `path`, whose directories are known not to be links; the last component is not followed either. Should a directory
    /// have become a link in the meantime the look-up still cannot leave the root.
    pub(super) fn open(self, root: impl AsFd, path: &RootPath, flags: OFlag) -> Result<OwnedFd, Errno> {
        let relative = if path.is_root() {
            Path::new(".")
        } else {
            path.relative()
        };
        // A path of the tree may be longer than one system call takes.
        let too_long = path.as_bytes().len() >= PATH_MAX;
        match self {
            Self::Openat2 if !too_long => confined(root, relative, flags | OFlag::O_NOFOLLOW),
            _ => component_wise(root, path, flags | OFlag::O_NOFOLLOW),
        }
    }

    /// Whether there is something where `path` leads when its last component is followed; none where only a look-up link by link can say.
    pub(super) fn follow(self, root: impl AsFd, path: &RootPath) -> Option<bool> {
        match self {
            Self::Openat2 if path.as_bytes().len() < PATH_MAX => {
                Some(confined(root, path.relative(), OFlag::O_PATH).is_ok())
            }
            _ => None,
        }
    }
}

/// Longest path the kernel takes, its NUL included: `linux/limits.h`.
pub(crate) const PATH_MAX: usize = 4096;

fn confined(root: impl AsFd, relative: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    loop {
        // EAGAIN: a rename elsewhere in the system made the kernel unsure; openat2(2) says to try again.
        match openat2(root.as_fd(), relative, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            answer => return answer,
        }
    }
}

fn component_wise(root: impl AsFd, path: &RootPath, flags: OFlag) -> Result<OwnedFd, Errno> {
    let on_the_way = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let Some(parent) = path.parent() else {
        return openat(root, ".", flags | OFlag::O_CLOEXEC, Mode::empty());
    };
    let mut directory = openat(root, ".", on_the_way, Mode::empty())?;
    for name in parent.components() {
        directory = openat(&directory, name, on_the_way, Mode::empty())?;
    }
    openat(&directory, path.file_name(), flags | OFlag::O_CLOEXEC, Mode::empty())
}
