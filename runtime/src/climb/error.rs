//! Why no rung of the ladder holds.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::image::{CheckError, MountError, unpack};
use crate::ladder::Rung;
use crate::limits;
use crate::persist::UpperError;
use crate::process::server;
use crate::root::parts::PlanFault;
use crate::root::pivot::HOST;
use crate::root::survey::SurveyError;
use crate::root::tree::TreeError;

/// Why a rung does not hold.
#[derive(Debug)]
pub(crate) enum RungError {
    Mount(MountError),
    Unpack(unpack::UnpackError),
    Survey(SurveyError),
    /// The image server is not there: it could not be started, or has ended. The monitor knows why.
    Unserved,
    Layer(TreeError),
    /// The mount that another start left.
    Kept(Errno),
    /// The tmpfs to unpack into.
    Tmpfs(Errno),
    Overlay(Errno),
    OverlayOnDirectory(Errno),
    /// The monitor could not be asked to serve.
    Server(Errno),
    /// The monitor does not say which loop device has the image.
    Monitor(Errno),
    /// The directory that is the root.
    Directory(Errno),
    /// What is written cannot be kept.
    Upper(UpperError),
    /// It cannot be planned.
    Plan(PlanFault),
    /// A directory in the base of the new root.
    Scratch {
        path: PathBuf,
        errno: Errno,
    },
    /// A mount could not be taken away again.
    Undo {
        path: PathBuf,
        errno: Errno,
    },
}

impl RungError {
    /// The block that could not be vouched for, if that is why.
    pub(super) fn check(&self) -> Option<&CheckError> {
        match self {
            Self::Mount(MountError::Unverified(error)) | Self::Unpack(unpack::UnpackError::Unverified(error)) => {
                Some(error)
            }
            _ => None,
        }
    }

    /// Whether it is the same on every rung.
    pub(super) fn is_of_every_rung(&self) -> bool {
        match self {
            Self::Plan(_) | Self::Upper(UpperError::Bind(_)) => true,
            // Links of the image that lead in circles.
            Self::Survey(error) => error.errno == Errno::ELOOP,
            _ => false,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Mount(error) => error.hint(),
            Self::Unpack(unpack::UnpackError::Entry {
                errno: Errno::ENOSPC, ..
            }) => Some("free memory, or the option --polecat-mount=fuse, which unpacks nothing".into()),
            Self::Unpack(error) => error.hint(),
            Self::Survey(error) => limits::hint(error.errno).map(str::to_owned),
            Self::Layer(error) => error.hint(),
            // What lies beneath another's mounts is not to be seen: overlayfs refuses such a layer.
            Self::OverlayOnDirectory(Errno::EINVAL) => {
                Some("name a directory without mounts below it, unlike /, or run as root".into())
            }
            Self::Upper(error) => error.hint().map(str::to_owned),
            Self::Overlay(Errno::ENODEV) => {
                Some("load the overlay module, or the option --polecat-mount=unpack".into())
            }
            Self::Overlay(_) => Some("the option --polecat-mount=unpack, which needs no overlay".into()),
            _ => None,
        }
    }
}

impl From<MountError> for RungError {
    fn from(error: MountError) -> Self {
        Self::Mount(error)
    }
}

impl From<SurveyError> for RungError {
    fn from(error: SurveyError) -> Self {
        match error.errno {
            // The kernel's words for a connection to FUSE that nobody holds any more.
            Errno::ENOTCONN | Errno::ECONNABORTED => Self::Unserved,
            _ => Self::Survey(error),
        }
    }
}

impl From<TreeError> for RungError {
    fn from(error: TreeError) -> Self {
        Self::Layer(error)
    }
}

impl fmt::Display for RungError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The host is elsewhere only while the root is built.
            Self::Mount(error) => f.write_str(&error.to_string().replace(&format!("{HOST}/dev/"), "/dev/")),
            Self::Unpack(error) => error.fmt(f),
            Self::Survey(error) => error.fmt(f),
            Self::Unserved => f.write_str("nobody serves the image"),
            Self::Layer(error) => error.fmt(f),
            Self::Kept(errno) => write!(f, "attach the kept mount: {}", errno.desc()),
            Self::Tmpfs(errno) => write!(f, "mount a tmpfs to unpack into: {}", errno.desc()),
            Self::Overlay(errno) => write!(f, "mount an overlay on the image: {}", errno.desc()),
            Self::OverlayOnDirectory(errno) => {
                write!(f, "mount an overlay on the root directory: {}", errno.desc())
            }
            Self::Server(errno) => write!(f, "ask the monitor to serve the image: {}", errno.desc()),
            Self::Monitor(errno) => write!(f, "hear of the loop device: {}", errno.desc()),
            Self::Directory(errno) => write!(f, "bind the root directory: {}", errno.desc()),
            Self::Upper(error) => error.fmt(f),
            Self::Plan(fault) => fault.fmt(f),
            Self::Scratch { path, errno } => write!(f, "make {} beside the new root: {}", path.display(), errno.desc()),
            Self::Undo { path, errno } => write!(f, "unmount {} again: {}", path.display(), errno.desc()),
        }
    }
}

/// No rung holds.
#[derive(Debug)]
pub(crate) enum ClimbError {
    Base {
        error: RungError,
    },
    /// Each rung that was tried, and why it was left.
    NoneHolds {
        left: Vec<(Rung, RungError)>,
    },
}

impl ClimbError {
    /// Whether a block could not be vouched for.
    pub(crate) fn is_unverified(&self) -> bool {
        self.last().check().is_some()
    }

    /// Whether it is the host that refuses, and not what was asked for that cannot be.
    pub(crate) fn is_of_host(&self) -> bool {
        !self.is_unverified() && !self.last().is_of_every_rung()
    }

    pub(crate) fn status(&self) -> u8 {
        self.last().check().map_or(crate::exit::FAILED, server::status_of)
    }

    /// What would help the rung that asks least of the host.
    pub(crate) fn hint(&self) -> Option<String> {
        let unpacked = match self {
            Self::NoneHolds { left } if self.last().check().is_none() => {
                left.iter().find(|(rung, _)| *rung == Rung::Unpack)
            }
            _ => None,
        };
        unpacked.map_or_else(|| self.last(), |(_, error)| error).hint()
    }

    fn last(&self) -> &RungError {
        match self {
            Self::Base { error } => error,
            Self::NoneHolds { left } => left
                .last()
                .map_or(&RungError::Server(Errno::EINVAL), |(_, error)| error),
        }
    }
}

impl fmt::Display for ClimbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base { error } => error.fmt(f),
            // What was not signed is no matter of rungs.
            Self::NoneHolds { .. } if self.last().check().is_some() || self.last().is_of_every_rung() => {
                self.last().fmt(f)
            }
            Self::NoneHolds { left } => {
                let reasons: Vec<String> = left.iter().map(|(rung, error)| format!("{rung}: {error}")).collect();
                write!(f, "no way to mount the image: {}", reasons.join("; "))
            }
        }
    }
}
