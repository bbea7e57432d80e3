//! The chain of types inside the namespaces: [`Planned`] → [`Entered`] → `Mounted` → [`Unsealed`] → [`Rooted`]. Each can
//! only be had from the one before. Where there are no namespaces it is [`Planned`] → `Installation` → [`Rooted`].

use std::env;
use std::ffi::OsStr;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::socket::UnixAddr;
use nix::unistd::sethostname;

use crate::climb::Mounted;
use crate::confine::{Confinement, Restrictions};
use crate::debug::Trace;
use crate::environment::{self, Setting};
use crate::error::Error;
use crate::host::Facts;
use crate::image::{OwnerMap, VerifiedImage};
use crate::job::Job;
use crate::keep::{Connection, Kept, Wish};
use crate::ladder::{self, Rung, Situation};
use crate::options::Supervision;
use crate::persist::Upper;
use crate::process::app::Program;
use crate::process::control_socket::InitEnd;
use crate::process::manager::Manager;
use crate::process::message::FromInit;
use crate::process::relay;
use crate::process::server::Service;
use crate::resources::Resources;
use crate::root::user::Identity;
use crate::session::Session;

mod error;
mod hold;
mod in_hosts_root;
mod own_root;

pub(crate) use error::StageError;
use own_root::Unsealed;
pub(crate) use own_root::{Entered, Rooted};

/// A job whose way is chosen. Nothing has been changed yet.
#[derive(Debug)]
pub(crate) struct Planned {
    job: Job,
    host: Facts,
    manager: Manager,
    session: Session,
    rungs: Vec<Rung>,
    kept: Option<Kept>,
    /// Init has this to its end, so that nobody else has the layer meanwhile.
    upper: Option<Upper>,
    resources: Resources,
    way: Way,
}

/// What the processes of a run are made like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In namespaces of their own, with a root of their own.
    OwnRoot,
    /// As the caller's other processes are.
    HostsRoot,
}

impl Planned {
    /// Chooses, and looks for what is named. `observed`: what watches the app needs a root of its own.
    ///
    /// # Errors
    /// Something that is named is not there. The only rung that is wanted has no root of its own, and that is wanted too.
    pub(crate) fn new(job: Job, mut host: Facts, manager: Manager, observed: bool) -> Result<Self, Error> {
        let options = &job.options;
        let session = Session::look(
            options,
            &job.binds,
            &|name| env::var_os(name),
            Trace::new(job.control.debug),
        )?;
        if options.no_network {
            // Nobody can be asked for names.
            host.files.retain(|(path, _)| *path != "/etc/resolv.conf");
        }
        let image = job.source.image().map(VerifiedImage::size);
        if job.names {
            // What is so small has no library for TLS, and no use for certificates, which cost its start a tenth.
            let speaks_tls = image.is_none_or(|size| size.stored > ladder::SMALL);
            host.offer(&options.host, speaks_tls, Trace::new(job.control.debug))?;
        }
        let asks = options.need_own_root();
        let chosen = ladder::choose(Situation {
            privileged: host.privileged,
            image,
            forced: options.mount,
            persists: options.persist.is_some(),
            strict: observed || asks.is_some(),
        });
        let prefix = job.source.prefix();
        let rungs = chosen.map_err(|rung| Error::Strict { rung, asks, prefix })?;
        let way = match rungs.first() {
            Some(rung) if !rung.has_own_root() => Way::HostsRoot,
            _ => Way::OwnRoot,
        };
        Ok(Self {
            job,
            host,
            manager,
            session,
            rungs,
            kept: None,
            upper: None,
            resources: Resources::default(),
            way,
        })
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// Turns to what is left: out of the user namespace of a kept mount to one of its own, and from there to the way without a root of
    /// its own. False where there is none.
    pub(crate) fn go_on(&mut self) -> bool {
        if self.needs_user_namespace() && self.rungs.first() == Some(&Rung::Kept) {
            self.rungs.remove(0);
            self.kept = None;
            return true;
        }
        let goes_on = self.way == Way::OwnRoot && self.rungs.iter().any(|rung| !rung.has_own_root());
        if goes_on {
            self.way = Way::HostsRoot;
        }
        goes_on
    }

    /// The rungs of the way.
    fn rungs(&self) -> Vec<Rung> {
        let own = self.way == Way::OwnRoot;
        let mut rungs = self.rungs.clone();
        rungs.retain(|rung| rung.has_own_root() == own);
        rungs
    }

    /// What this start wants of a kept mount. None where it is not to have one.
    pub(crate) fn wish(&self) -> Option<Wish> {
        let seconds = self.job.options.keep;
        // A small image is unpacked in less time than a layer over a mount takes.
        let at_once = self.rungs.first() == Some(&Rung::Unpack);
        if self.job.options.mount.is_some() || seconds == Some(0) || at_once {
            return None;
        }
        Some(Wish {
            service: self.service()?,
            rungs: self.rungs(),
            seconds,
        })
    }

    /// The same with a kept mount, which then is the first rung.
    pub(crate) fn with(mut self, kept: Option<Kept>) -> Self {
        if kept.is_some() {
            self.rungs.insert(0, Rung::Kept);
        }
        self.kept = kept;
        self
    }

    /// Says when a kept mount fails.
    pub(crate) fn take_connection(&mut self) -> Option<Connection> {
        self.kept.take().map(|kept| kept.connection)
    }

    /// The caller and the machine.
    pub(crate) fn host(&self) -> &Facts {
        &self.host
    }

    /// Whether the app's root is built in a user namespace.
    fn needs_user_namespace(&self) -> bool {
        !self.host.privileged && self.way == Way::OwnRoot
    }

    /// Whether that has to be made: a kept mount brings its own.
    pub(crate) fn makes_user_namespace(&self) -> bool {
        self.needs_user_namespace() && self.kept.is_none()
    }

    /// That of a kept mount, which init joins.
    pub(crate) fn kept_namespace(&self) -> Option<&OwnedFd> {
        self.kept.as_ref()?.user_namespace.as_ref()
    }

    /// Whether stdin, stdout or stderr is a terminal.
    pub(crate) fn has_terminal(&self) -> bool {
        self.host.terminal.is_some()
    }

    /// What the image server would serve.
    pub(crate) fn service(&self) -> Option<Service> {
        Some(Service {
            image: self.job.source.image()?.clone(),
            owner: self.owner(),
        })
    }

    /// The image, where a loop device comes first: the monitor looks for one while init makes a place for it.
    pub(crate) fn looped(&self) -> Option<&VerifiedImage> {
        let first = self.host.privileged && self.rungs().first() == Some(&Rung::Loop);
        self.job.source.image().filter(|_| first)
    }

    /// How the program is watched over.
    pub(crate) fn supervision(&self) -> &Supervision {
        &self.job.options.supervision
    }

    /// Whether the app is process 1, which takes a PID namespace.
    pub(crate) fn makes_app_pid_1(&self) -> bool {
        self.supervision().as_pid_1 && self.way == Way::OwnRoot
    }

    /// Where messages of the app to a service manager go, if there is one.
    pub(crate) fn manager(&self) -> Option<UnixAddr> {
        self.manager.socket
    }

    /// Path of the program, inside.
    pub(crate) fn program(&self) -> &str {
        &self.job.process.path
    }

    pub(crate) fn trace(&self) -> Trace {
        Trace::new(self.job.control.debug)
    }

    /// Init's part of the recipe.
    pub(crate) fn build(&mut self, socket: &InitEnd) -> Result<Built, StageError> {
        let (rooted, program) = match self.way {
            Way::OwnRoot => {
                let entered = Entered::enter(&self.host, self.makes_user_namespace(), self.job.options.tmp_size)?;
                self.name_host()?;
                let mounted = entered.mount(self, socket)?;
                let program = self.compose(&mounted)?;
                let unsealed = Unsealed::step_in(mounted, &entered, self)?;
                self.relay(socket)?;
                (unsealed.seal()?, program)
            }
            Way::HostsRoot => self.install(socket)?,
        };
        let Identity { account, asked, .. } = &rooted.identity;
        let confinement = Confinement {
            uid: account.uid,
            gid: account.gid,
            asked: *asked,
            user_namespace: self.needs_user_namespace(),
            own_keyring: self.job.options.contain,
        };
        let mut restrictions = Restrictions::new(&self.job.options, mem::take(&mut self.job.filter));
        let status = &mut restrictions.status;
        match self.way {
            Way::OwnRoot => hold::note_layers(status, self.host.privileged, rooted.rung, &self.job.options),
            Way::HostsRoot => in_hosts_root::note_layers(status, rooted.rung),
        }
        rooted.resources.note(status);
        Ok(Built {
            rooted,
            confinement,
            restrictions,
            program,
            trial: self.job.trial.take(),
        })
    }

    /// The monitor hears what the app has to say to a service manager.
    fn relay(&self, socket: &InitEnd) -> Result<(), StageError> {
        if self.manager.socket.is_none() {
            return Ok(());
        }
        let failed = |errno| StageError::init("make a socket for messages to the service manager", errno);
        let inside = relay::open_inside().map_err(failed)?;
        socket.send(&FromInit::Relay, Some(inside.as_fd())).map_err(failed)
    }

    /// In the UTS namespace, which begins with the host's name.
    fn name_host(&self) -> Result<(), StageError> {
        let name = self.job.options.hostname.as_deref();
        let failed = |errno| StageError::init("set the name of the host", errno);
        name.map_or(Ok(()), |name| sethostname(name).map_err(failed))
    }

    /// Where not all ids are mapped everything is the caller's, who is user 0 while the root is built.
    fn owner(&self) -> OwnerMap {
        let (uid, gid) = (self.host.uid, self.host.gid);
        if self.way == Way::HostsRoot {
            OwnerMap::Reader { uid, gid }
        } else if self.host.is_hosts_root() {
            OwnerMap::AsStored
        } else {
            OwnerMap::Caller { uid: 0, gid: 0 }
        }
    }

    fn compose(&self, mounted: &Mounted) -> Result<Program, StageError> {
        let Identity { account, asked, .. } = &mounted.plan.identity;
        let setting = Setting {
            contain: self.job.options.contain,
            home: &mounted.plan.home,
            user: OsStr::from_bytes(&account.user),
            other_user: *asked,
            passed: &self.session.passed,
            keeps_cwd: self.host.cwd.as_ref() == Some(&mounted.plan.cwd),
            managed: &self.manager.variables,
        };
        let mut caller: Vec<_> = env::vars_os().collect();
        caller.retain(|(name, _)| !self.session.set.iter().any(|(set, _)| set == name));
        caller.extend_from_slice(&self.session.set);
        let environment = environment::compose(caller, self.job.variables(), setting);
        let program = Program::new(&self.job.process.path, self.job.all_arguments(), environment);
        let program = program.map_err(StageError::Nul)?;
        Ok(program.telling_own_id(&self.manager.own_id))
    }
}

/// What the app's process begins with.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) rooted: Rooted,
    pub(crate) confinement: Confinement,
    pub(crate) restrictions: Restrictions,
    pub(crate) program: Program,
    /// See [`Job`].
    pub(crate) trial: Option<OwnedFd>,
}
