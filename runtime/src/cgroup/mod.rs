//! Limits of memory, processors and processes, which cgroups(7) hold: made before the app, in a cgroup of our own that only the
//! app and its children are in, and taken away at the end.
//!
//! Where a hierarchy is of version 1, that is a child of the caller's cgroup. In one of version 2 a cgroup with processes cannot have
//! children with limits, so it is a child of the nearest cgroup above that the caller may change: as systemd's user manager
//! delegates them. Those that the app leaves by that limit it no more, so it takes their limits along.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::confine::status::{Degree, Layer, Status};
use crate::debug::Trace;
use crate::limits;
use crate::options::Limits;
use crate::root::op::{Bind, BindKind};

mod enclosing;
mod events;
mod hierarchy;
mod leaf;
mod remover;
mod setting;

use events::Counts;
pub(crate) use events::Shortage;
use hierarchy::Hierarchy;
use leaf::Leaf;
use remover::Remover;

/// The cgroups of a run, one in each hierarchy that is needed.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    /// Each with its controllers.
    leaves: Vec<(Leaf, Vec<&'static str>)>,
    /// Bytes that were asked for, and that were set.
    memory: [Option<u64>; 2],
    /// Behind the leaves: it goes after them.
    remover: Option<Remover>,
    hierarchies: Vec<Hierarchy>,
    /// The app may be outside.
    optional: bool,
    degrees: Vec<(Layer, Degree)>,
}

impl Cgroups {
    /// Makes those that `limits` need. `seen`: the app is to see its own alone.
    ///
    /// # Errors
    /// A limit that cannot be had, unless it is optional.
    pub(crate) fn make(limits: Limits, seen: bool, trace: Trace) -> Result<Self, CgroupError> {
        let mut cgroups = Self {
            optional: limits.optional,
            ..Self::default()
        };
        if !limits.any() && !seen {
            return Ok(cgroups);
        }
        // Without proc(5) none is to be seen.
        let read = |path: &str| fs::read(path).unwrap_or_default();
        let hierarchies = hierarchy::hierarchies(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let controllers = setting::controllers(limits);
        if limits.any() && !hierarchies.is_empty() {
            cgroups.remover = remover_of(Remover::start(), limits, trace)?;
        }
        for (at, hierarchy) in hierarchies.iter().enumerate() {
            let mut wanted = Vec::new();
            for controller in &controllers {
                if hierarchy::of_controller(&hierarchies, controller) == Some(at) {
                    wanted.push(*controller);
                }
            }
            if !wanted.is_empty() {
                cgroups.add(hierarchy, &wanted, limits, trace)?;
            }
        }
        for controller in controllers {
            if hierarchy::of_controller(&hierarchies, controller).is_none() {
                cgroups.miss(controller, limits, &CgroupError::Missing { controller }, trace)?;
            }
        }
        cgroups.hierarchies = hierarchies;
        Ok(cgroups)
    }

    /// For a process that the maker forked: what is to be taken away is the maker's.
    pub(crate) fn disown(&mut self) {
        self.leaves.iter_mut().for_each(|(leaf, _)| leaf.disown());
        if let Some(remover) = self.remover.take() {
            remover.disown();
        }
    }

    /// How far each of the limits holds that were asked for.
    pub(crate) fn degrees(&self) -> &[(Layer, Degree)] {
        &self.degrees
    }

    /// Makes a cgroup that has all of the `wanted` controllers, or if they are optional some.
    #[inline(never)]
    fn add(
        &mut self,
        hierarchy: &Hierarchy,
        wanted: &[&'static str],
        limits: Limits,
        trace: Trace,
    ) -> Result<(), CgroupError> {
        let mut first = None;
        let mut held = Vec::new();
        let asked = setting::controllers(limits);
        for (parent, taken) in parents(hierarchy, limits) {
            let mut usable = usable(&parent, wanted, hierarchy.unified, &mut first);
            if usable.is_empty() || (usable.len() < wanted.len() && !limits.optional) {
                continue;
            }
            // A controller that limits a cgroup is given to those beside it too.
            for controller in setting::controllers(taken) {
                if !asked.contains(&controller) {
                    usable.push(controller);
                }
            }
            match Leaf::make(&parent, &usable, taken, hierarchy.unified, self.remover.as_ref()) {
                Ok(leaf) => {
                    for controller in &usable {
                        self.degrees.push((layer(controller), leaf.degree(controller)));
                    }
                    if usable.contains(&"memory") {
                        self.memory = [limits.memory, taken.memory];
                    }
                    held.clone_from(&usable);
                    self.leaves.push((leaf, usable));
                    break;
                }
                Err((path, errno)) => {
                    let controller = wanted.first().copied().unwrap_or_default();
                    _ = first.get_or_insert(CgroupError::system(controller, &path, errno));
                }
            }
        }
        for controller in wanted {
            if !held.contains(controller) {
                let missing = CgroupError::Missing { controller };
                self.miss(controller, limits, first.as_ref().unwrap_or(&missing), trace)?;
            }
        }
        Ok(())
    }

    /// Goes on without a limit, or not.
    fn miss(
        &mut self,
        controller: &'static str,
        limits: Limits,
        error: &CgroupError,
        trace: Trace,
    ) -> Result<(), CgroupError> {
        if !limits.optional {
            return Err(error.clone());
        }
        trace.say(format_args!("{error}"));
        self.degrees
            .push((layer(controller), Degree::None(error.to_string().into())));
        Ok(())
    }

    /// Which memory was short, if the kernel has killed processes in them for want of it.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        let [asked, set] = self.memory;
        let limited = self
            .leaves
            .iter()
            .find(|(_, controllers)| controllers.contains(&"memory"));
        limited.and_then(|(leaf, _)| events::shortage(asked, set, Counts::read(leaf.directory())))
    }

    /// Moves this process into them. Notes what does not limit it then after all.
    ///
    /// # Errors
    /// The first that would not take it, unless limits are optional.
    pub(crate) fn enter(&self, status: &mut Status) -> Result<(), CgroupError> {
        for (leaf, controllers) in &self.leaves {
            let Err(errno) = leaf.enter() else { continue };
            let error = CgroupError::system("processes", leaf.directory(), errno);
            if !self.optional {
                return Err(error);
            }
            for controller in controllers {
                status.note(layer(controller), Degree::None(error.to_string().into()));
            }
        }
        Ok(())
    }

    /// What shows the app its cgroup in the place of all.
    pub(crate) fn binds(&self) -> Vec<Bind> {
        let mut binds = Vec::new();
        for Hierarchy { point, own, .. } in &self.hierarchies {
            let own_leaf = self.leaves.iter().find(|(leaf, _)| leaf.directory().starts_with(point));
            if point.starts_with("/sys") {
                binds.push(Bind {
                    source: own_leaf.map_or(own.as_path(), |(leaf, _)| leaf.directory()).to_owned(),
                    path: point.clone(),
                    kind: BindKind::ReadOnly,
                    optional: true,
                });
            }
        }
        binds
    }
}

/// The remover that was `started`. Where limits are optional it is done without: what it would remove, the next start sweeps.
fn remover_of<R>(started: Result<R, Errno>, limits: Limits, trace: Trace) -> Result<Option<R>, CgroupError> {
    match started.map_err(CgroupError::Remover) {
        Ok(remover) => Ok(Some(remover)),
        Err(error) if limits.optional => {
            trace.say(format_args!("{error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a limit is called in the status.
fn layer(controller: &str) -> Layer {
    match controller {
        "memory" => Layer::Memory,
        "pids" => Layer::Pids,
        _ => Layer::Cpus,
    }
}

/// Cgroups that may become the parent of ours, best first, and how far the app is to be limited there.
#[inline(never)]
fn parents(hierarchy: &Hierarchy, mut limits: Limits) -> Vec<(PathBuf, Limits)> {
    let mut parents = vec![(hierarchy.own.clone(), limits)];
    let mut path = hierarchy.own.as_path();
    while hierarchy.unified
        && path != hierarchy.point
        && let Some(parent) = path.parent()
    {
        limits = enclosing::carry(limits, path);
        parents.push((parent.to_owned(), limits));
        path = parent;
    }
    parents
}

/// Which of the controllers children of `parent` have. In version 2 they are given to them, where that is allowed.
fn usable(parent: &Path, wanted: &[&'static str], unified: bool, first: &mut Option<CgroupError>) -> Vec<&'static str> {
    if !unified {
        return wanted.to_vec();
    }
    let subtree = parent.join("cgroup.subtree_control");
    let given = fs::read(&subtree).unwrap_or_default();
    let mut usable = Vec::new();
    for controller in wanted {
        if given
            .split(u8::is_ascii_whitespace)
            .any(|given| given == controller.as_bytes())
        {
            usable.push(*controller);
            continue;
        }
        match leaf::write(&subtree, &format!("+{controller}")) {
            Ok(()) => usable.push(*controller),
            Err(errno) => _ = first.get_or_insert(CgroupError::system(controller, &subtree, errno)),
        }
    }
    usable
}

/// A limit that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupError {
    /// No hierarchy with its controller is mounted.
    Missing {
        /// As the kernel calls it.
        controller: &'static str,
    },
    /// The kernel refuses.
    System {
        /// As the kernel calls it.
        controller: &'static str,
        /// What was made or written.
        path: PathBuf,
        /// Why not.
        errno: Errno,
    },
    /// There is no process that would take the cgroups away.
    Remover(Errno),
}

impl CgroupError {
    fn system(controller: &'static str, path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        Self::System {
            controller,
            path,
            errno,
        }
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Remover(errno) => return limits::hint_of_fork(*errno).map(str::to_owned),
            Self::Missing { .. } => {
                "mount cgroup2 on /sys/fs/cgroup; some machines want cgroup_enable=memory at boot for limits of memory"
            }
            Self::System {
                errno: Errno::EROFS, ..
            } => "limit the container instead, as by `docker run --memory`, or give it a cgroup that it may write to",
            Self::System {
                errno: Errno::ENOENT, ..
            } => "have systemd delegate the controller: Delegate=yes under [Service] by `systemctl edit user@.service`",
            Self::System { .. } => {
                "`systemd-run --user --scope` in front of it, which starts it where cgroups of version 2 are yours, or root"
            }
        };
        Some(format!("{hint}; with limits-optional it starts without the limit"))
    }
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { controller } => write!(
                f,
                "limit {controller}: no cgroup hierarchy with this controller is to be seen"
            ),
            Self::System {
                controller,
                path,
                errno,
            } => {
                write!(f, "limit {controller}: write {}: {}", path.display(), errno.desc())
            }
            Self::Remover(errno) => write!(f, "fork the process that takes cgroups away: {}", errno.desc()),
        }
    }
}

impl std::error::Error for CgroupError {}

#[cfg(test)]
mod tests;
