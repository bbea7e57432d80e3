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
    process::fork().map_err(|errno| CloneError::new(CloneStep::Fork, errno))
}

/// Makes init. The user namespace, where there is one, is made first and owns the others.
pub(crate) fn clone_init(user_namespace: bool, network: bool) -> Result<Fork, CloneError> {
    let step = CloneStep::Make {
        user_namespace,
        network,
    };
    clone_into(flags(user_namespace, network)).map_err(|errno| CloneError::new(step, errno))
}

/// What the helper says first: behind it is the process id of init, or an errno.
const MADE: u8 = 1;
const NOT_MADE: u8 = 2;
const NOT_JOINED: u8 = 3;

/// Makes init in a user namespace that is there. Who has joined one cannot go back, so somebody else does it: a process that makes
/// init a child of this one and ends.
#[inline(never)]
pub(crate) fn clone_init_in(namespace: &OwnedFd, network: bool) -> Result<Fork, CloneError> {
    let step = CloneStep::Make {
        user_namespace: false,
        network,
    };
    let failed = |errno| CloneError::new(step, errno);
    let (told, tells) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    match process::fork().map_err(failed)? {
        Fork::Child => {
            let flags = flags(false, network) | CloneFlags::CLONE_PARENT;
            let (done, number) = match setns(namespace, CloneFlags::CLONE_NEWUSER) {
                Err(errno) => (NOT_JOINED, errno as i32),
                Ok(()) => match clone_into(flags) {
                    Ok(Fork::Child) => return Ok(Fork::Child),
                    Ok(Fork::Parent(init)) => (MADE, init.as_raw()),
                    Err(errno) => (NOT_MADE, errno as i32),
                },
            };
            let [a, b, c, d] = number.to_ne_bytes();
            // Who hears nothing knows of no init, and init ends when it finds nobody.
            match write(&tells, &[done, a, b, c, d]) {
                Ok(_) | Err(_) => process::exit(0),
            }
        }
        Fork::Parent(helper) => {
            drop(tells);
            let mut answer = [0; 5];
            // Nothing was said by one that was killed.
            let _length = read(&told, &mut answer).map_err(failed)?;
            process::wait(helper).map_err(failed)?;
            let [done, number @ ..] = answer;
            let number = i32::from_ne_bytes(number);
            match done {
                MADE => Ok(Fork::Parent(Pid::from_raw(number))),
                NOT_MADE => Err(failed(Errno::from_raw(number))),
                NOT_JOINED => Err(CloneError::new(CloneStep::Join, Errno::from_raw(number))),
                _ => Err(failed(Errno::ESRCH)),
            }
        }
    }
}

/// Init's process could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloneError {
    /// What failed.
    pub step: CloneStep,
    /// What the system said.
    pub errno: Errno,
}

/// A step to init's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloneStep {
    /// A process of the caller's own namespaces.
    Fork,
    /// setns(2) to the user namespace of a kept mount.
    Join,
    /// clone(2) with new namespaces.
    Make {
        /// Whether one of them was a user namespace.
        user_namespace: bool,
        /// Whether one of them was a network namespace.
        network: bool,
    },
}

impl CloneError {
    fn new(step: CloneStep, errno: Errno) -> Self {
        Self { step, errno }
    }

    /// Whether processes without new namespaces may be had.
    pub(crate) fn is_of_this_way(&self) -> bool {
        !matches!(self.errno, Errno::EAGAIN | Errno::ENOMEM)
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let user_namespace = match self.step {
            CloneStep::Make { user_namespace, .. } => user_namespace,
            CloneStep::Fork => return limits::hint_of_fork(self.errno).map(str::to_owned),
            CloneStep::Join => return None,
        };
        let hint = match (user_namespace, self.errno) {
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
        let why = self.errno.desc();
        let (user_namespace, network) = match self.step {
            CloneStep::Fork => return write!(f, "fork init: {why}"),
            CloneStep::Join => return write!(f, "join the user namespace of the kept mount: {why}"),
            CloneStep::Make {
                user_namespace,
                network,
            } => (user_namespace, network),
        };
        let user = if user_namespace { "user, " } else { "" };
        let network = if network { ", network" } else { "" };
        write!(f, "make {user}mount, PID, IPC{network} and UTS namespaces: {why}")
    }
}

impl std::error::Error for CloneError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_said() {
        let make = |user_namespace, network| CloneStep::Make {
            user_namespace,
            network,
        };
        for (step, expected, hint) in [
            (CloneStep::Fork, "fork init: Operation not permitted", false),
            (
                CloneStep::Join,
                "join the user namespace of the kept mount: Operation not permitted",
                false,
            ),
            (
                make(false, false),
                "make mount, PID, IPC and UTS namespaces: Operation not permitted",
                false,
            ),
            (
                make(true, true),
                "make user, mount, PID, IPC, network and UTS namespaces: Operation not permitted",
                true,
            ),
        ] {
            let error = CloneError::new(step, Errno::EPERM);
            assert_eq!((error.to_string().as_str(), error.hint().is_some()), (expected, hint));
        }
        assert_eq!(CloneError::new(CloneStep::Join, Errno::ENOSPC).hint(), None);
    }
}
