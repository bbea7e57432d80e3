//! The rungs without a root of their own, for hosts where nobody may make one: the image is mounted or unpacked somewhere in the
//! host's root, and the program is started from there through its own dynamic loader.
//!
//! What is lost: there are no namespaces, and a path means what it means on the host, so that what the program looks for in /etc or
//! /usr/share is the host's. What stays: every block is checked, the libraries are its own, it gains no rights, and it ends with
//! whoever started it.

mod elf;
pub(crate) mod fusermount;
mod homes;
pub(crate) mod launch;
mod library_path;
pub(crate) mod own_directory;
mod removal;
mod writable;

use std::fmt;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, Pid, access, getpid, getuid, mkdir};

use crate::confine::landlock::{self, LandlockError};
use crate::confine::status::Degree;
use crate::debug::Trace;
use crate::image::{CheckError, OwnerMap, VerifiedImage, unpack};
use crate::ladder::Rung;
use crate::process::control_socket::InitEnd;
use crate::process::message::FromInit;
use crate::process::{relay, server};
use crate::root::op::{Bind, BindKind};
use crate::sys::auxv;
use fusermount::FusermountError;
use homes::Homes;
use launch::{ImageTree, Launch, LaunchError};
use own_directory::{Entry, NOTIFY, OwnDirectory, OwnDirectoryError};

/// The program's files somewhere in the host's root. They are taken away again when this is dropped.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) rung: Rung,
    place: OwnDirectory,
    entry: Entry,
    /// The process that made this.
    pub(crate) init: Pid,
    /// Where they are.
    tree: PathBuf,
    /// A socket for messages to the service manager, where somebody hears them.
    pub(crate) letter_box: Option<PathBuf>,
    /// The process of fusermount3 that waits for the end of the mount.
    pub(crate) waiter: Option<Pid>,
    /// What of the host the caller has bound at its own place, to be written to.
    bound: Vec<PathBuf>,
    trace: Trace,
}

/// What the rungs need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Builder<'a> {
    pub(crate) image: &'a VerifiedImage,
    pub(crate) owner: OwnerMap,
    pub(crate) socket: &'a InitEnd,
    /// The program has a service manager to speak to.
    pub(crate) speaks: bool,
    pub(crate) binds: &'a [Bind],
    pub(crate) trace: Trace,
}

impl Builder<'_> {
    /// Tries `rungs` until one holds `program`; a block that is not what was signed ends it.
    pub(crate) fn climb(
        self,
        rungs: &[Rung],
        launch: &dyn Fn(ImageTree<'_>) -> Result<Launch, LaunchError>,
    ) -> Result<(Installation, Launch), NoneInstalled> {
        let homes = homes();
        sweep(&homes, self.trace);
        let mut left = Vec::new();
        for &rung in rungs {
            let bases = match rung {
                Rung::Fusermount => homes.for_mounts(),
                _ => homes.for_files(),
            };
            for base in bases {
                let installed = self.install(rung, &base).and_then(|installation| {
                    let launch = launch(ImageTree(&installation.tree)).map_err(InstallError::Launch)?;
                    access(&launch.path, AccessFlags::X_OK).map_err(|errno| InstallError::Execute {
                        path: launch.path.clone(),
                        errno,
                    })?;
                    Ok((installation, launch))
                });
                let error = match installed {
                    Ok((installation, launch)) => {
                        let path = installation.tree.display();
                        self.trace.say(format_args!("{rung}: in {path}, {LOST}"));
                        self.trace.say(format_args!("{rung}: holds"));
                        return Ok((installation, launch));
                    }
                    Err(error) => error,
                };
                self.trace.say(format_args!("{rung}: left: {error}"));
                let is_final = error.check().is_some_and(CheckError::is_tampering);
                let is_missing = matches!(error, InstallError::Fusermount(FusermountError::Missing));
                left.push((rung, error));
                if is_final {
                    return Err(NoneInstalled { left });
                }
                if is_missing {
                    break;
                }
            }
        }
        Err(NoneInstalled { left })
    }

    fn install(self, rung: Rung, base: &Path) -> Result<Installation, InstallError> {
        const TURNS: usize = 100;
        for _ in 1..TURNS {
            match self.install_once(rung, base) {
                // The last one who was there has just removed the place.
                Err(InstallError::OwnDirectory(OwnDirectoryError::Step {
                    errno: Errno::ENOENT, ..
                })) if base.is_dir() || homes::is_made(base) => {}
                result => return result,
            }
        }
        self.install_once(rung, base)
    }

    fn install_once(self, rung: Rung, base: &Path) -> Result<Installation, InstallError> {
        let place = OwnDirectory::open(base, true)?;
        let entry = place.enter()?;
        let mut installation = Installation {
            rung,
            init: getpid(),
            tree: place.path.join(&entry.name),
            place,
            entry,
            letter_box: None,
            waiter: None,
            bound: self.bound(),
            trace: self.trace,
        };
        if self.speaks {
            self.open_letter_box(&mut installation)?;
        }
        let (place, tree) = (&installation.place, &installation.tree);
        if rung == Rung::Fusermount {
            mkdir(tree, Mode::S_IRWXU).map_err(|errno| InstallError::Scratch(tree.clone(), errno))?;
            let mount = fusermount::mount(tree).map_err(InstallError::Fusermount)?;
            installation.waiter = Some(mount.waiter);
            let sent = self.socket.send(&FromInit::Hold, Some(mount.keep.as_fd()));
            sent.and_then(|()| self.socket.send(&FromInit::Serve, Some(mount.connection.as_fd())))
                .map_err(InstallError::Server)?;
        } else {
            place.try_execute(tree)?;
            unpack::unpack(self.image, tree, self.owner)?;
        }
        Ok(installation)
    }

    fn bound(self) -> Vec<PathBuf> {
        let mut bound = Vec::new();
        for bind in self.binds {
            // Elsewhere than at its own place nothing can be bound here.
            if matches!(bind.kind, BindKind::Part(part) if !part.read_only) {
                bound.push(bind.source.clone());
            }
        }
        bound
    }

    /// Nobody else comes to where it is.
    fn open_letter_box(self, installation: &mut Installation) -> Result<(), InstallError> {
        let mut path = installation.tree.clone().into_os_string();
        path.push(NOTIFY);
        let path = PathBuf::from(path);
        let inside = relay::open_at(&path).map_err(|errno| InstallError::Scratch(path.clone(), errno))?;
        installation.letter_box = Some(path);
        let sent = self.socket.send(&FromInit::Relay, Some(inside.as_fd()));
        sent.map_err(InstallError::Server)
    }
}

impl Installation {
    /// Keeps this process to reading files, and to writing where the caller has his, what he has bound, and where everybody may. As far
    /// as the kernel can: what is lost with it is said.
    ///
    /// # Errors
    /// It can, and did not.
    pub(crate) fn restrict(&self, cwd: &Path) -> Result<Degree, LandlockError> {
        let homes = homes();
        let mut own = Vec::new();
        for path in [homes.runtime.as_deref(), homes.home.as_deref(), Some(cwd)]
            .into_iter()
            .flatten()
        {
            if let Ok(path) = path.canonicalize() {
                own.push(path);
            }
        }
        let writable = writable::writable(getuid().is_root(), &own, &self.bound);
        let degree = landlock::restrict(&[Path::new("/")], &writable)?;
        if !matches!(degree, Degree::Full(_)) {
            self.trace.say(format_args!("landlock: {}", degree.reason()));
        }
        Ok(degree)
    }
}

/// What the program does without, for whoever asks.
const LOST: &str = "with no namespaces and no root of its own: files at absolute paths, like those of /etc and /usr/share, and PATH are \
    the host's";

impl Drop for Installation {
    fn drop(&mut self) {
        let left = self.place.leave(&self.entry);
        if let Err(error) = left.and(self.place.sweep()) {
            self.trace.say(format_args!("{}: {error}", self.rung));
        }
    }
}

/// Removes what processes left that were killed.
pub(crate) fn sweep_all(trace: Trace) {
    sweep(&homes(), trace);
}

fn sweep(homes: &Homes, trace: Trace) {
    let mut bases = homes.for_files();
    bases.extend(homes.for_mounts());
    for base in bases {
        let Ok(place) = OwnDirectory::open(&base, false) else {
            continue;
        };
        if let Err(error) = place.sweep() {
            trace.say(format_args!("{}: {error}", base.display()));
        }
    }
}

fn homes() -> Homes {
    let own = fs::read_link("/proc/self/exe").ok();
    let own = own.or_else(|| auxv::executable_name().and_then(|path| path.canonicalize().ok()));
    Homes::read(own)
}

/// Why files do not stand at a place.
#[derive(Debug)]
pub(crate) enum InstallError {
    OwnDirectory(OwnDirectoryError),
    Unpack(unpack::UnpackError),
    Fusermount(FusermountError),
    /// The directory to mount on.
    Scratch(PathBuf, Errno),
    /// The monitor could not be asked to serve, or to hear the program.
    Server(Errno),
    Launch(LaunchError),
    Execute {
        path: PathBuf,
        errno: Errno,
    },
}

impl InstallError {
    fn check(&self) -> Option<&CheckError> {
        match self {
            Self::Unpack(unpack::UnpackError::Unverified(error)) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unpack(error) => error.hint(),
            Self::Fusermount(error) => error.hint(),
            Self::OwnDirectory(OwnDirectoryError::NoExec { .. } | OwnDirectoryError::Foreign(_)) => {
                Some("set XDG_CACHE_HOME to a directory of yours whose files can be executed".into())
            }
            Self::OwnDirectory(error) => error.errno().and_then(crate::limits::hint).map(str::to_owned),
            Self::Scratch(..) | Self::Server(_) | Self::Launch(_) | Self::Execute { .. } => None,
        }
    }
}

impl From<OwnDirectoryError> for InstallError {
    fn from(error: OwnDirectoryError) -> Self {
        Self::OwnDirectory(error)
    }
}

impl From<unpack::UnpackError> for InstallError {
    fn from(error: unpack::UnpackError) -> Self {
        Self::Unpack(error)
    }
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnDirectory(error) => error.fmt(f),
            Self::Unpack(error) => error.fmt(f),
            Self::Fusermount(error) => error.fmt(f),
            Self::Scratch(path, errno) => write!(f, "make {}: {}", path.display(), errno.desc()),
            Self::Server(errno) => write!(f, "ask the monitor: {}", errno.desc()),
            Self::Launch(error) => error.fmt(f),
            Self::Execute { path, errno } => write!(f, "execute {}: {}", path.display(), errno.desc()),
        }
    }
}

/// No rung holds. Each that was tried, and why it was left.
#[derive(Debug)]
pub(crate) struct NoneInstalled {
    left: Vec<(Rung, InstallError)>,
}

impl NoneInstalled {
    fn check(&self) -> Option<&CheckError> {
        self.left.last().and_then(|(_, error)| error.check())
    }

    /// Whether a block could not be vouched for.
    pub(crate) fn is_unverified(&self) -> bool {
        self.check().is_some()
    }

    pub(crate) fn status(&self) -> u8 {
        match self.left.last() {
            Some((_, InstallError::Launch(error))) if error.errno == Errno::ENOENT => crate::exit::NOT_FOUND,
            _ => self.check().map_or(crate::exit::FAILED, server::status_of),
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        self.left.iter().rev().find_map(|(_, error)| error.hint())
    }
}

impl fmt::Display for NoneInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.check() {
            return error.fmt(f);
        }
        let reasons: Vec<String> = self
            .left
            .iter()
            .map(|(rung, error)| format!("{rung}: {error}"))
            .collect();
        f.write_str(&reasons.join("; "))
    }
}
