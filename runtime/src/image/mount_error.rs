//! Why a file system could not be mounted.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;

use super::CheckError;
use crate::limits;

/// A rung of the ladder that did not hold. Nothing stays behind: no mount, no loop device.
#[derive(Debug)]
#[non_exhaustive]
pub enum MountError {
    /// The image is not what was signed. No other rung should be tried.
    Unverified(CheckError),
    /// A device node could not be opened: `fuse`, `loop-control` or `loopN`.
    Open {
        /// The node.
        path: PathBuf,
        /// What open(2) said.
        errno: Errno,
    },
    /// The kernel would not name a free loop device.
    NoFreeLoop {
        /// The node of `loop-control`.
        path: PathBuf,
        /// What ioctl(2) said.
        errno: Errno,
    },
    /// A loop device would not take the file.
    Attach {
        /// The node of `loopN`.
        path: PathBuf,
        /// What ioctl(2) said.
        errno: Errno,
    },
    /// Other processes took every free loop device first.
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// mount(2) refused.
    Mount {
        /// File system type.
        kind: &'static str,
        /// The directory.
        target: PathBuf,
        /// What mount(2) said.
        errno: Errno,
    },
}

impl MountError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unverified(error) => return error.hint(),
            Self::Open { path, errno } => open_hint(path.ends_with("fuse"), *errno)?,
            Self::NoFreeLoop { .. } => "raise the kernel's limit, or the option --polecat-mount=fuse",
            Self::Attach {
                errno: Errno::EACCES | Errno::EPERM,
                ..
            } => "loop devices are for root; the option --polecat-mount=fuse",
            Self::Attach { .. } => "the option --polecat-mount=fuse",
            Self::Contended { .. } => "start fewer programs at once, or the option --polecat-mount=fuse",
            Self::Mount { kind, errno, .. } => mount_hint(kind, *errno)?,
        };
        Some(hint.to_owned())
    }
}

fn open_hint(fuse: bool, errno: Errno) -> Option<&'static str> {
    match (fuse, errno) {
        (true, Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => {
            Some("load the fuse module, or the option --polecat-mount=unpack")
        }
        (true, Errno::EACCES | Errno::EPERM) => {
            Some("give /dev/fuse the mode 0666, or the option --polecat-mount=unpack")
        }
        (false, Errno::ENOENT) => {
            Some("load the loop module, mount devtmpfs on /dev, or the option --polecat-mount=fuse")
        }
        (false, Errno::EACCES | Errno::EPERM) => Some("loop devices are for root; the option --polecat-mount=fuse"),
        _ => limits::hint(errno),
    }
}

fn mount_hint(kind: &str, errno: Errno) -> Option<&'static str> {
    match (kind, errno) {
        (super::kernel_loop::KIND, _) => {
            Some("the option --polecat-mount=fuse, which needs nothing of the kernel's squashfs")
        }
        (_, Errno::EPERM | Errno::ENODEV | Errno::EINVAL) => Some("the option --polecat-mount=unpack"),
        _ => None,
    }
}

/// What mount(2)'s errno means for these two file systems, where strerror(3) would mislead.
fn mount_meaning(kind: &str, errno: Errno) -> &'static str {
    match (kind, errno) {
        (super::kernel_loop::KIND, Errno::ENODEV) => "this kernel has no squashfs",
        (super::kernel_loop::KIND, Errno::EINVAL) => "this kernel's squashfs cannot read the image: it lacks zstd",
        (super::kernel_loop::KIND, Errno::ENOTBLK) => "the loop node is no block device",
        (super::kernel_loop::KIND, Errno::EACCES) => "the loop node lies on a file system mounted nodev",
        (super::kernel_loop::KIND, Errno::EPERM) => "squashfs may be mounted by root of the host only",
        (_, Errno::ENODEV) => "this kernel has no FUSE",
        (_, Errno::EPERM) => "FUSE may not be mounted here: user namespaces may since Linux 4.18",
        (_, Errno::EINVAL) => "the kernel does not accept this connection to FUSE",
        (_, Errno::ENOSPC) => "too many mounts",
        _ => errno.desc(),
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified(error) => error.fmt(f),
            Self::Open { path, errno } => write!(f, "open {}: {}", path.display(), errno.desc()),
            Self::NoFreeLoop { path, errno } => write!(f, "{}: no free loop device: {}", path.display(), errno.desc()),
            Self::Attach { path, errno } => write!(f, "attach the image to {}: {}", path.display(), errno.desc()),
            Self::Contended { attempts } => {
                write!(f, "other processes took the free loop device {attempts} times in a row")
            }
            Self::Mount { kind, target, errno } => {
                write!(
                    f,
                    "mount {kind} on {}: {}",
                    target.display(),
                    mount_meaning(kind, *errno)
                )
            }
        }
    }
}

impl std::error::Error for MountError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unverified(error) => Some(error),
            Self::Open { errno, .. }
            | Self::NoFreeLoop { errno, .. }
            | Self::Attach { errno, .. }
            | Self::Mount { errno, .. } => Some(errno),
            Self::Contended { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_are_said_in_the_words_of_the_file_system() {
        let cases = [
            (
                "squashfs",
                Errno::EINVAL,
                "mount squashfs on /t: this kernel's squashfs cannot read the image: it lacks zstd",
            ),
            (
                "squashfs",
                Errno::ENODEV,
                "mount squashfs on /t: this kernel has no squashfs",
            ),
            (
                "fuse.polecat",
                Errno::ENODEV,
                "mount fuse.polecat on /t: this kernel has no FUSE",
            ),
            (
                "fuse.polecat",
                Errno::ENOTDIR,
                "mount fuse.polecat on /t: Not a directory",
            ),
        ];
        for (kind, errno, text) in cases {
            let error = MountError::Mount {
                kind,
                target: "/t".into(),
                errno,
            };
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn hints_name_the_rung_that_needs_less() {
        let fuse = MountError::Open {
            path: "/dev/fuse".into(),
            errno: Errno::EACCES,
        };
        assert_eq!(
            fuse.hint().as_deref(),
            Some("give /dev/fuse the mode 0666, or the option --polecat-mount=unpack")
        );
        let node = MountError::Open {
            path: "/dev/loop-control".into(),
            errno: Errno::ENOENT,
        };
        assert_eq!(
            node.hint().as_deref(),
            Some("load the loop module, mount devtmpfs on /dev, or the option --polecat-mount=fuse")
        );
    }
}
