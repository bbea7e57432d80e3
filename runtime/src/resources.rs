//! What the app may use: its cgroups and processors, and what it sees of them. Made by the monitor, entered by the app's process as long as
//! that has the rights.

use std::fmt;

use nix::errno::Errno;
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;

use crate::cgroup::{CgroupError, Cgroups, Shortage};
use crate::confine::status::Status;
use crate::debug::Trace;
use crate::options::{CpuMask, Options};
use crate::root::op::Bind;

/// What was asked for and had.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    cgroups: Cgroups,
    cpus: Option<CpuMask>,
    /// A cgroup namespace for the app, whose root is its own cgroup.
    own_namespace: bool,
}

impl Resources {
    /// Makes what `options` ask for.
    ///
    /// # Errors
    /// A limit that cannot be had, unless it is optional.
    pub(crate) fn make(options: &Options, trace: Trace) -> Result<Self, CgroupError> {
        let own_namespace = options.cgroup_namespace;
        Ok(Self {
            cgroups: Cgroups::make(options.limits, own_namespace, trace)?,
            cpus: options.cpu_mask.clone(),
            own_namespace,
        })
    }

    /// For a process that the monitor forked.
    pub(crate) fn disown(&mut self) {
        self.cgroups.disown();
    }

    /// What shows the app its cgroups in the place of all, where that is asked for.
    pub(crate) fn binds(&self) -> Vec<Bind> {
        match self.own_namespace {
            true => self.cgroups.binds(),
            false => Vec::new(),
        }
    }

    /// Notes how far the limits hold. What could not be had without stopping the start is said so.
    pub(crate) fn note(&self, status: &mut Status) {
        for (layer, degree) in self.cgroups.degrees() {
            status.note(*layer, degree.clone());
        }
    }

    /// Which memory was short, if the kernel has killed processes for want of it where that is limited.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        self.cgroups.shortage()
    }

    /// Moves this process there. Notes what does not limit it then, over what was noted before.
    ///
    /// # Errors
    /// See [`ResourceError`].
    pub(crate) fn enter(&self, status: &mut Status) -> Result<(), ResourceError> {
        self.cgroups.enter(status).map_err(ResourceError::Cgroup)?;
        if let Some(CpuMask(numbers)) = &self.cpus {
            let mut set = CpuSet::new();
            let chosen = numbers.iter().try_for_each(|&number| {
                let number = usize::try_from(number).map_err(|_| Errno::EINVAL)?;
                set.set(number)
            });
            let chosen = chosen.and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
            chosen.map_err(ResourceError::Cpus)?;
        }
        if self.own_namespace {
            unshare(CloneFlags::CLONE_NEWCGROUP).map_err(ResourceError::Namespace)?;
        }
        Ok(())
    }
}

/// The app's process cannot be where it should.
#[derive(Debug)]
pub(crate) enum ResourceError {
    Cgroup(CgroupError),
    Cpus(Errno),
    Namespace(Errno),
}

impl ResourceError {
    /// What to try.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Cgroup(error) => error.hint(),
            Self::Cpus(Errno::EINVAL) => Some(
                "others: none of these may be used; Cpus_allowed_list in /proc/self/status names those that may".into(),
            ),
            Self::Cpus(_) | Self::Namespace(_) => None,
        }
    }
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup(error) => error.fmt(f),
            Self::Cpus(errno) => write!(f, "choose the processors: {}", errno.desc()),
            Self::Namespace(errno) => write!(f, "make a cgroup namespace: {}", errno.desc()),
        }
    }
}
