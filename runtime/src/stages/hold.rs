//! What a run has to itself beside its root: namespaces, the layer that is kept, what the app may use.

use std::env;
use std::io::{self, Write};

use nix::sched::{CloneFlags, unshare};

use super::{Planned, Rooted, StageError};
use crate::cgroup::Shortage;
use crate::confine::status::{Degree, Layer, Status};
use crate::error::Error;
use crate::ladder::Rung;
use crate::options::Options;
use crate::persist::Upper;
use crate::resources::Resources;
use crate::sys::network;

/// `CLONE_NEWTIME`, time_namespaces(7): for the children of whoever unshares it.
const NEW_TIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

impl Planned {
    /// Takes what is this run's alone. Locks are in descriptors, so whoever is to outlive the run was forked before.
    ///
    /// # Errors
    /// It cannot be had.
    pub(crate) fn take_hold(&mut self) -> Result<(), Error> {
        let options = &self.job.options;
        if let Some(directory) = &options.persist {
            let upper = Upper::open(directory, env::var_os("HOME").as_deref(), &self.job.source.name())?;
            self.upper = Some(upper);
        }
        self.resources = Resources::make(options, self.trace())?;
        Ok(())
    }

    /// In init, which has a copy: what the run holds is the monitor's to let go of.
    pub(crate) fn leave_hold(&mut self) {
        self.resources.disown();
    }

    /// Says on stderr if want of memory has killed, which a status alone does not tell from other ends.
    pub(crate) fn tell_of_memory(&self) {
        let prefix = self.job.source.prefix();
        let (hint, option) = match self.resources.shortage() {
            None => return,
            Some(Shortage::OwnLimit) => ("a larger ", [prefix, "memory"].concat()),
            Some(Shortage::Enclosing) => (
                "raise the limit of what encloses it, a cgroup or the machine",
                String::new(),
            ),
        };
        let text =
            format!("polecat: out of memory: the kernel has killed processes of the program (try: {hint}{option})\n");
        match io::stderr().write_all(text.as_bytes()) {
            // Who has closed stderr does not want to read it.
            Ok(()) | Err(_) => {}
        }
    }

    /// Whether init is in a network namespace of its own.
    pub(crate) fn needs_network(&self) -> bool {
        self.job.options.no_network
    }

    /// What init and its children get beside the namespaces that it was made in.
    pub(crate) fn make_namespaces(&self) -> Result<(), StageError> {
        if self.job.options.no_network {
            network::loopback_up().map_err(|errno| StageError::init("switch loopback on", errno))?;
        }
        if self.job.options.time_namespace {
            unshare(NEW_TIME).map_err(|errno| StageError::init("make a time namespace", errno))?;
        }
        Ok(())
    }
}

impl Rooted {
    /// Supplementary groups of an app that is not the caller's.
    pub(crate) fn groups(&self) -> &[u32] {
        &self.identity.groups
    }

    /// What the app may use.
    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }
}

/// What stands before the app's process confines itself.
pub(super) fn note_layers(status: &mut Status, privileged: bool, rung: Rung, options: &Options) {
    let own = || Degree::Full("its own".into());
    status.note(
        Layer::User,
        match privileged {
            true => Degree::None("none is made for a caller with CAP_SYS_ADMIN".into()),
            false => own(),
        },
    );
    for layer in [Layer::Mount, Layer::Pid, Layer::Ipc, Layer::Uts] {
        status.note(layer, own());
    }
    for (layer, is_own) in [
        (Layer::Net, options.no_network),
        (Layer::Cgroup, options.cgroup_namespace),
        (Layer::Time, options.time_namespace),
    ] {
        status.note(
            layer,
            if is_own {
                own()
            } else {
                Degree::None("the caller's".into())
            },
        );
    }
    status.note(Layer::Root, Degree::Full(rung.name().into()));
    status.note(
        Layer::Landlock,
        Degree::None("not needed: the root is the program's own".into()),
    );
}
