//! Init's process, in namespaces of its own from its first instruction.

use std::fmt;

use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::limits;
use crate::sys::process::{self, Fork, clone_into};

/// Namespaces of a run, namespaces(7). The cgroup is the caller's, and the network too unless another is asked for.
fn flags(user_namespace: bool, network: bool) -> CloneFlags {
    let mut flags =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    flags.set(CloneFlags::CLONE_NEWUSER, user_namespace);
    flags.set(CloneFlags::CLONE_NEWNET, network);
    flags
}

/// Makes init without any namespace.
pub(crate) fn fork_init() -> Result<Fork, CloneError> {
    let failed = |errno| CloneError {
        user_namespace: false,
        network: false,
        errno,
    };
    process::fork().map_err(failed)
}

/// Makes init. The user namespace, where there is one, is made first and owns the others.
pub(crate) fn clone_init(user_namespace: bool, network: bool) -> Result<Fork, CloneError> {
    clone_into(flags(user_namespace, network)).map_err(|errno| CloneError {
        user_namespace,
        network,
        errno,
    })
}

/// The namespaces could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloneError {
    /// Whether one of them was a user namespace.
    pub user_namespace: bool,
    /// Whether one of them was a network namespace.
    pub network: bool,
    /// What clone(2) said.
    pub errno: Errno,
}

impl CloneError {
    /// Whether processes without new namespaces may be had.
    pub(crate) fn is_of_this_way(&self) -> bool {
        !matches!(self.errno, Errno::EAGAIN | Errno::ENOMEM)
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match (self.user_namespace, self.errno) {
            (true, Errno::EPERM) => {
                "user namespaces are forbidden here, by kernel.unprivileged_userns_clone, a container engine or a \
                 chroot; allow them or run as root"
            }
            (true, Errno::EINVAL | Errno::ENOSYS) => {
                "this kernel has no user namespaces (CONFIG_USER_NS), or a filter hides them; run as root"
            }
            (true, Errno::ENOSPC | Errno::EUSERS) => {
                "raise user.max_user_namespaces and the other limits of namespaces(7)"
            }
            (false, Errno::ENOSPC) => "raise user.max_mnt_namespaces and the other limits of namespaces(7)",
            (false, Errno::EINVAL) => "the kernel needs CONFIG_NAMESPACES with PID, IPC and UTS namespaces",
            (_, errno) => limits::hint_of_fork(errno)?,
        };
        Some(hint.into())
    }
}

impl fmt::Display for CloneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.user_namespace { "user, " } else { "" };
        let network = if self.network { ", network" } else { "" };
        let why = self.errno.desc();
        write!(f, "make {user}mount, PID, IPC{network} and UTS namespaces: {why}")
    }
}

impl std::error::Error for CloneError {}
