//! The stage that takes the place of entering, mounting and stepping in where there is no root of its own.

use std::env;
use std::ffi::OsStr;
use std::mem;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{Planned, Rooted, StageError};
use crate::confine::status::{Degree, Layer, Status};
use crate::environment::{self, Setting};
use crate::hosts_root::{Builder, launch::ImageTree};
use crate::ladder::Rung;
use crate::limits::CallersLimit;
use crate::process::app::{Program, suspend_umask};
use crate::process::control_socket::InitEnd;
use crate::process::descendants;
use crate::root::user;

/// What stands before the app's process confines itself; that notes Landlock.
pub(super) fn note_layers(status: &mut Status, rung: Rung) {
    for layer in Layer::ALL {
        let why = match layer {
            Layer::User | Layer::Mount | Layer::Pid | Layer::Ipc | Layer::Uts => {
                "the host's: the program could have none of its own"
            }
            Layer::Net | Layer::Cgroup | Layer::Time => "the caller's",
            Layer::Root if rung == Rung::Fusermount => "the host's, in which fusermount3 has mounted the image",
            Layer::Root => "the host's, in a directory of which the image was unpacked",
            _ => continue,
        };
        status.note(layer, Degree::None(why.into()));
    }
}

impl Planned {
    /// The program's files somewhere in the host's root, and how it is started from there.
    pub(super) fn install(&mut self, socket: &InitEnd) -> Result<(Rooted, Program), StageError> {
        descendants::adopt().map_err(|errno| StageError::init("become the parent of orphans", errno))?;
        let callers_umask = suspend_umask();
        let callers_limit = CallersLimit::suspend()?;
        let image = self.job.source.image();
        let builder = Builder {
            image: image.ok_or(StageError::init("find the image", Errno::EINVAL))?,
            owner: self.owner(),
            socket,
            speaks: self.manager.socket.is_some(),
            binds: &self.session.binds,
            trace: self.trace(),
        };
        let process = &self.job.process;
        let launch = |tree: ImageTree<'_>| tree.launch(&process.path, self.job.all_arguments().collect());
        let (installation, launch) = builder.climb(&self.rungs(), &launch).map_err(StageError::Install)?;
        let asked = self.job.options.workdir.as_ref().map(PathBuf::from);
        let cwd_is_asked = asked.is_some();
        let cwd = asked.or_else(|| self.host.cwd.clone());
        let managed = self.manager.variables_at(installation.letter_box.as_deref());
        let setting = Setting {
            contain: false,
            home: Path::new("/"),
            user: OsStr::new(""),
            other_user: false,
            passed: &[],
            keeps_cwd: cwd == self.host.cwd,
            managed: &managed,
        };
        // Programs are looked for where the host has them.
        let hosts_path = env::var_os("PATH").is_some();
        let packed = process.env.iter();
        let packed = packed.filter(|variable| !(hosts_path && variable.starts_with("PATH=")));
        let asked = packed.chain(&self.job.options.env).map(String::as_str);
        let environment = environment::compose(env::vars_os(), asked, setting);
        let program = Program::at(launch.path, launch.arguments, environment).map_err(StageError::Nul)?;
        let rooted = Rooted {
            rung: installation.rung,
            cwd: cwd.unwrap_or_else(|| PathBuf::from("/")),
            cwd_is_asked,
            // Nobody else can be had here.
            identity: user::caller(&self.host),
            resources: mem::take(&mut self.resources),
            callers_umask,
            callers_limit,
            installation: Some(installation),
        };
        Ok((rooted, program.telling_own_id(&self.manager.own_id)))
    }
}
