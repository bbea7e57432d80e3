//! The stages of a run that has a root of its own.

use std::mem;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;

use super::{Planned, StageError};
use crate::climb::{Climber, Mounted, NEW_ROOT};
use crate::host::Facts;
use crate::hosts_root::Installation;
use crate::ladder::Rung;
use crate::limits::CallersLimit;
use crate::process::app::suspend_umask;
use crate::process::control_socket::InitEnd;
use crate::resources::Resources;
use crate::root::apply::{self, View};
use crate::root::pivot::{self, HOST};
use crate::root::plan::{self, Inputs};
use crate::root::user::Identity;
use crate::userns::{self, IdMap};

/// A process with its ids, whose mounts nobody else sees, in an empty root with the host at [`HOST`].
#[derive(Debug)]
pub(crate) struct Entered {
    callers_umask: Mode,
    callers_limit: CallersLimit,
}

impl Entered {
    pub(super) fn enter(host: &Facts, new_user_namespace: bool, tmp_size: Option<u64>) -> Result<Self, StageError> {
        if new_user_namespace {
            userns::map_ids(
                IdMap {
                    inside: 0,
                    outside: host.uid,
                },
                IdMap {
                    inside: 0,
                    outside: host.gid,
                },
            )?;
        }
        let callers_umask = suspend_umask();
        let callers_limit = CallersLimit::suspend()?;
        pivot::hide_mounts()?;
        let size = tmp_size.unwrap_or_else(|| plan::writable_limit(host.memory));
        pivot::into_base(size, host.is_hosts_root())?;
        Ok(Self {
            callers_umask,
            callers_limit,
        })
    }

    pub(super) fn mount(&self, planned: &Planned, socket: &InitEnd) -> Result<Mounted, StageError> {
        let (options, session) = (&planned.job.options, &planned.session);
        let inputs = Inputs {
            host: &planned.host,
            contain: options.contain,
            shares: options.shares,
            cwd: planned.job.cwd(),
            binds: &session.binds,
            cgroups: &planned.resources.binds(),
            runtime_directory: session.runtime_directory.as_deref(),
            network: !options.no_network,
            read_only: options.read_only,
            user: options.user.as_ref(),
            contract: &options.host,
            names: planned.job.names,
        };
        let source = &planned.job.source;
        let climber = Climber {
            source,
            owner: planned.owner(),
            inputs,
            socket,
            attached: planned.looped().is_some(),
            kept: planned.kept.as_ref().map(|kept| &kept.mount),
            upper: planned.upper.as_ref(),
            tmp_size: options.tmp_size,
            trace: planned.trace(),
        };
        climber.climb(&planned.rungs()).map_err(StageError::Climb)
    }
}

/// A process in the app's root; nothing of the host is left but what is shared. Or in the host's root, with the app's files
/// somewhere in it.
#[derive(Debug)]
pub(crate) struct Rooted {
    pub(super) rung: Rung,
    pub(super) cwd: PathBuf,
    /// Somebody named it, and means it.
    pub(super) cwd_is_asked: bool,
    pub(super) identity: Identity,
    pub(super) resources: Resources,
    pub(super) callers_umask: Mode,
    pub(super) callers_limit: CallersLimit,
    pub(super) installation: Option<Installation>,
}

/// The same before that is read-only which is to be: something can still be made in it.
#[derive(Debug)]
pub(crate) struct Unsealed {
    rooted: Rooted,
    /// Mount points.
    sealed: &'static [&'static str],
}

impl Unsealed {
    #[inline(never)]
    pub(super) fn step_in(mounted: Mounted, entered: &Entered, planned: &mut Planned) -> Result<Self, StageError> {
        let trace = planned.trace();
        let plan = mounted.plan;
        for (path, refusal) in &plan.refused {
            trace.say(format_args!("{} is not shared: {refusal}", path.display()));
        }
        let view = View {
            root: Path::new(NEW_ROOT),
            host: Path::new(HOST),
            private: Path::new("/private"),
        };
        let skipped = apply::apply(&plan.mounts, view)?;
        for (path, errno) in &skipped {
            trace.say(format_args!("{} is not bound: {}", path.display(), errno.desc()));
        }
        pivot::into_root(view.root)?;
        let lost = skipped.iter().any(|(path, _)| plan.cwd.starts_with(path));
        let cwd = if lost { PathBuf::from("/") } else { plan.cwd };
        let rooted = Rooted {
            rung: mounted.rung,
            cwd,
            cwd_is_asked: planned.job.cwd().is_some(),
            identity: plan.identity,
            resources: mem::take(&mut planned.resources),
            callers_umask: entered.callers_umask,
            callers_limit: entered.callers_limit,
            installation: None,
        };
        Ok(Self {
            rooted,
            sealed: plan.sealed,
        })
    }

    #[inline(never)]
    pub(super) fn seal(self) -> Result<Rooted, StageError> {
        for path in self.sealed {
            apply::seal(Path::new(path))?;
        }
        Ok(self.rooted)
    }
}

impl Rooted {
    /// The app's files, where the root is the host's.
    pub(crate) fn installation(&self) -> Option<&Installation> {
        self.installation.as_ref()
    }

    /// The same, for whoever clears up.
    pub(crate) fn take_installation(&mut self) -> Option<Installation> {
        self.installation.take()
    }

    /// What the root is made of.
    pub(crate) fn rung(&self) -> Rung {
        self.rung
    }

    /// Where the app begins.
    pub(crate) fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Whether it begins there or not at all.
    pub(crate) fn cwd_is_asked(&self) -> bool {
        self.cwd_is_asked
    }

    /// What the app gets back.
    pub(crate) fn callers_umask(&self) -> Mode {
        self.callers_umask
    }

    /// The limit that the app gets back.
    pub(crate) fn callers_limit(&self) -> CallersLimit {
        self.callers_limit
    }
}
