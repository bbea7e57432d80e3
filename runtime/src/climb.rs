//! The ladder, climbed: rungs are tried in order until one holds. A rung is an image that is mounted or unpacked, what
//! the host adds to it, and a way to write.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sys::stat::Mode;
use nix::unistd::mkdir;

use crate::debug::Trace;
use crate::image::kernel_loop::Attached;
use crate::image::{CheckError, OwnerMap, VerifiedImage, fuse, kernel_loop, unpack};
use crate::job::Source;
use crate::ladder::Rung;
use crate::name_services;
use crate::persist::Upper;
use crate::process::control_socket::{InitEnd, Received};
use crate::process::message::{FromInit, ToInit};
use crate::root::apply;
use crate::root::mounting;
use crate::root::overlay::{Layers, overlay};
use crate::root::pivot::HOST;
use crate::root::plan::{self, Inputs, Plan};
use crate::root::survey::Survey;
use crate::root::tmpfs;
use crate::sys::detached_mount;

mod error;

pub(crate) use error::ClimbError;
use error::RungError;

/// Where the new root is, before it is the root.
pub(crate) const NEW_ROOT: &str = "/new";

/// What every rung needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Climber<'a> {
    pub(crate) source: &'a Source,
    pub(crate) owner: OwnerMap,
    pub(crate) inputs: Inputs<'a>,
    pub(crate) socket: &'a InitEnd,
    /// The monitor gives the image a loop device meanwhile.
    pub(crate) attached: bool,
    /// A mount that another start left.
    pub(crate) kept: Option<&'a OwnedFd>,
    /// Where what is written is kept.
    pub(crate) upper: Option<&'a Upper>,
    /// Bytes that may be written to memory, where somebody says how many.
    pub(crate) tmp_size: Option<u64>,
    pub(crate) trace: Trace,
}

/// A root that can be written to, without the host's file systems in it yet.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) rung: Rung,
    pub(crate) plan: Plan,
}

impl Climber<'_> {
    /// Tries `rungs`; a block that is not what was signed ends the climb.
    pub(crate) fn climb(self, rungs: &[Rung]) -> Result<Mounted, ClimbError> {
        let mut left = Vec::new();
        make_directory(Path::new(NEW_ROOT)).map_err(|error| ClimbError::Base { error })?;
        for &rung in rungs {
            match self.try_rung(rung) {
                Ok(plan) => {
                    self.trace.say(format_args!("{rung}: holds"));
                    return Ok(Mounted { rung, plan });
                }
                Err(error) => {
                    self.trace.say(format_args!("{rung}: left: {error}"));
                    let is_last = error.check().is_some_and(CheckError::is_tampering) || error.is_of_every_rung();
                    left.push((rung, error));
                    if is_last {
                        break;
                    }
                }
            }
        }
        Err(ClimbError::NoneHolds { left })
    }

    fn try_rung(&self, rung: Rung) -> Result<Plan, RungError> {
        match (rung, self.source) {
            (Rung::Unpack, Source::Image(image)) if self.upper.is_none() => self.unpacked(image),
            (_, source) => self.layered(rung, source),
        }
    }

    /// Files in a tmpfs, which can be written as they are.
    fn unpacked(&self, image: &VerifiedImage) -> Result<Plan, RungError> {
        let root = Path::new(NEW_ROOT);
        self.mount_tmpfs(root)?;
        let planned = unpack::unpack(image, root, self.owner)
            .map_err(RungError::Unpack)
            .and_then(|()| {
                let plan = self.plan(root)?;
                apply::make_in_place(&plan.layer, root)?;
                let capped = self.tmp_size.map_or(Ok(()), |size| tmpfs::leave_room(root, size));
                capped.map_err(RungError::Tmpfs)?;
                Ok(plan)
            });
        planned.map_err(|error| undo(root, error))
    }

    fn mount_tmpfs(&self, path: &Path) -> Result<(), RungError> {
        tmpfs::mount(path, unpack_limit(self.inputs.host.memory)).map_err(RungError::Tmpfs)
    }

    /// A read-only tree with an overlay on it.
    fn layered(&self, rung: Rung, source: &Source) -> Result<Plan, RungError> {
        let base = Path::new("/").join(rung.name());
        let [lower, upper, work] = ["image", "upper", "work"].map(|name| base.join(name));
        for directory in [&base, &lower, &upper, &work] {
            make_directory(directory)?;
        }
        self.mount_lower(rung, source, &lower)?;
        let layers = Layers {
            lower: &lower,
            between: None,
            upper: &upper,
            work: &work,
        };
        let planned = self.plan(&lower).and_then(|plan| {
            apply::make_layer(&plan.layer, &upper, &lower)?;
            let (target, in_user_namespace) = (Path::new(NEW_ROOT), !self.inputs.host.privileged);
            match self.upper {
                Some(upper) => upper
                    .overlay(layers, target, in_user_namespace)
                    .map_err(RungError::Upper)?,
                None => overlay(layers, target, in_user_namespace).map_err(|errno| match source {
                    Source::Image(_) => RungError::Overlay(errno),
                    Source::Directory(_) => RungError::OverlayOnDirectory(errno),
                })?,
            }
            Ok(plan)
        });
        planned.map_err(|error| undo(&lower, error))
    }

    fn mount_lower(&self, rung: Rung, source: &Source, lower: &Path) -> Result<(), RungError> {
        let dev = Path::new(HOST).join("dev");
        match (rung, source) {
            (Rung::Loop, Source::Image(image)) => match self.device()? {
                Some(attached) => Ok(attached.mount(&dev, lower)?),
                None => Ok(kernel_loop::mount(image, &dev, lower)?),
            },
            (Rung::Kept, Source::Image(_)) => {
                let mount = self.kept.ok_or(RungError::Kept(Errno::EBADF))?;
                detached_mount::attach(mount, lower).map_err(RungError::Kept)
            }
            (Rung::Unpack, Source::Image(image)) => {
                self.mount_tmpfs(lower)?;
                let unpacked = unpack::unpack(image, lower, self.owner).map_err(RungError::Unpack);
                unpacked.map_err(|error| undo(lower, error))
            }
            (_, Source::Image(_)) => {
                let connection = fuse::mount(&dev, lower, self.owner)?;
                let sent = self.socket.send(&FromInit::Serve, Some(connection.as_fd()));
                sent.map_err(|errno| undo(lower, RungError::Server(errno)))
            }
            (_, Source::Directory(path)) => {
                let path = Path::new(HOST).join(path.strip_prefix("/").unwrap_or(path));
                mounting::bind(&path, lower, MsFlags::MS_REC).map_err(RungError::Directory)
            }
        }
    }

    /// The loop device that the monitor gave the image.
    fn device(&self) -> Result<Option<Attached>, RungError> {
        if !self.attached {
            return Ok(None);
        }
        match self.socket.wait().map_err(RungError::Monitor)? {
            Received::Message(ToInit::Loop(number), device) => {
                Ok(number.zip(device).map(|(number, device)| Attached { number, device }))
            }
            Received::Message(..) | Received::Nothing => Err(RungError::Monitor(Errno::EBADMSG)),
            Received::Closed => Err(RungError::Monitor(Errno::EPIPE)),
        }
    }

    fn plan(&self, root: &Path) -> Result<Plan, RungError> {
        let questions = plan::questions(self.inputs);
        let asks_services = questions.nsswitch;
        let mut survey = Survey::take(root, questions)?;
        if asks_services {
            survey.modules = name_services::provided(root);
        }
        if let Source::Directory(_) = self.source {
            survey.forgive_the_hosts_own(root, Path::new(HOST));
        }
        plan::plan(self.inputs, &survey).map_err(RungError::Plan)
    }
}

/// Bytes of memory that unpacked files may take, what is written beside them included.
fn unpack_limit(memory: u64) -> u64 {
    memory / 4 * 3
}

fn make_directory(path: &Path) -> Result<(), RungError> {
    mkdir(path, Mode::from_bits_truncate(0o755)).map_err(|errno| RungError::Scratch {
        path: path.to_owned(),
        errno,
    })
}

/// Takes a mount away that did not lead to a root.
fn undo(mounted: &Path, error: RungError) -> RungError {
    match umount2(mounted, MntFlags::MNT_DETACH) {
        Ok(()) => error,
        Err(errno) => RungError::Undo {
            path: mounted.to_owned(),
            errno,
        },
    }
}
