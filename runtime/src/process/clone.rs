//! Init's process, in namespaces of its own from its first instruction.

use std::fmt;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::unistd::{Pid, pipe2, read, write};

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

/// Makes init in a user namespace that is there. Who has joined one cannot go back, so somebody else does it: a process that makes
/// init a child of this one and ends.
#[inline(never)]
pub(crate) fn clone_init_in(namespace: &OwnedFd, network: bool) -> Result<Fork, CloneError> {
    let failed = |errno| CloneError {
        user_namespace: false,
        network,
        errno,
    };
    let (told, tells) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    match process::fork().map_err(failed)? {
        Fork::Child => {
            let flags = flags(false, network) | CloneFlags::CLONE_PARENT;
            let made = setns(namespace, CloneFlags::CLONE_NEWUSER).and_then(|()| clone_into(flags));
            let answer = match made {
                Ok(Fork::Child) => return Ok(Fork::Child),
                Ok(Fork::Parent(init)) => init.as_raw(),
                Err(errno) => -(errno as i32),
            };
            // Who hears nothing knows of no init, and init ends when it finds nobody.
            match write(&tells, &answer.to_ne_bytes()) {
                Ok(_) | Err(_) => process::exit(0),
            }
        }
        Fork::Parent(helper) => {
            drop(tells);
            let mut answer = [0; 4];
            // Nothing was said by one that was killed.
            let heard = read(&told, &mut answer).map_err(failed)?;
            process::wait(helper).map_err(failed)?;
            match i32::from_ne_bytes(answer) {
                init @ 1.. => Ok(Fork::Parent(Pid::from_raw(init))),
                _ if heard == 0 => Err(failed(Errno::ESRCH)),
                errno => Err(failed(Errno::from_raw(-errno))),
            }
        }
    }
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
