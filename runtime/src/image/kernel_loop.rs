//! The image mounted by the kernel: squashfs on a loop device.
//!
//! Every block is checked before the mount, through the same open file that the loop device then shows. What the
//! kernel reads later is not checked again: whoever can write to the file while the program runs can change what it
//! sees. A bundle that runs is busy, and most kernels refuse to open it for writing (`ETXTBSY`); those who own the
//! disk, or the file server, below it are not asked. FUSE checks every read and has no such gap.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::MsFlags;

use super::{MountError, VerifiedImage};
use crate::directory;
use crate::error::errno;
use crate::sys::loop_device::{self, Window};

/// File system type.
pub(super) const KIND: &str = "squashfs";

/// Fifty starts at once need up to about twenty attempts each. With [`pause`] this is some seconds.
const ATTEMPTS: u32 = 150;

/// Checks every block of `image`, then mounts it read-only on `target`. `dev` is where the host's `/dev` is seen.
///
/// The loop device detaches itself with the last unmount.
///
/// # Errors
/// See [`MountError`]. Nothing stays behind.
pub fn mount(image: &VerifiedImage, dev: &Path, target: &Path) -> Result<(), MountError> {
    image.check_all(|_| ()).map_err(MountError::Unverified)?;
    attach(image, dev)?.mount(dev, target)
}

/// A loop device that shows a checked image, as long as this, or a mount, holds it open.
#[derive(Debug)]
pub struct Attached {
    /// `N` of `loopN`.
    pub number: u32,
    /// The device, open: the last close detaches.
    pub device: OwnedFd,
}

impl Attached {
    /// Checks every block of `image` and gives it the loop device that is free, without waiting for one. None where that
    /// does not work at once: [`mount`] knows why, and waits.
    #[must_use]
    pub fn at_once(image: &VerifiedImage, dev: &Path) -> Option<Self> {
        image.check_all(|_| ()).ok()?;
        let control = open(&dev.join("loop-control")).ok()?;
        take(image, dev, loop_device::get_free(&control).ok()?).ok()
    }

    /// Mounts what the device shows read-only on `target`. `dev` is where the host's `/dev` is seen.
    ///
    /// # Errors
    /// See [`MountError`].
    pub fn mount(&self, dev: &Path, target: &Path) -> Result<(), MountError> {
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
        // From here on the mount keeps the device busy; without one, closing it is what detaches the file.
        nix::mount::mount(Some(&node(dev, self.number)), target, Some(KIND), flags, None::<&str>).map_err(|errno| {
            MountError::Mount {
                kind: KIND,
                target: target.to_owned(),
                errno,
            }
        })
    }
}

/// Finds a loop device and gives it the image.
///
/// `LOOP_CTL_GET_FREE` reserves nothing, and names the same device to everyone who asks at the same time.
fn attach(image: &VerifiedImage, dev: &Path) -> Result<Attached, MountError> {
    let control_path = dev.join("loop-control");
    let control = open(&control_path)?;
    for attempt in 0..ATTEMPTS {
        let taken = match loop_device::get_free(&control) {
            Ok(number) => take(image, dev, number),
            Err(errno) => Err(MountError::NoFreeLoop {
                path: control_path.clone(),
                errno,
            }),
        };
        match taken {
            Err(MountError::Open {
                path,
                errno: Errno::ENOENT,
            }) => {
                let missing = MountError::Open {
                    path,
                    errno: Errno::ENOENT,
                };
                return attach_to_any_node(image, dev, &control).ok_or(missing);
            }
            Err(error) if may_pass(&error) => thread::sleep(pause(attempt, random())),
            result => return result,
        }
    }
    Err(MountError::Contended { attempts: ATTEMPTS })
}

/// Tries the nodes that `dev` has, where it is no devtmpfs and the node of the free device is not among them.
/// Nodes are never made: `dev` is the host's.
fn attach_to_any_node(image: &VerifiedImage, dev: &Path, control: &File) -> Option<Attached> {
    let mut numbers: Vec<u32> = Vec::new();
    for name in directory::names(dev).ok()? {
        // In order: the library's sort would take kilobytes of the stub.
        if let Some(number) = name.to_str().and_then(node_number) {
            numbers.insert(numbers.partition_point(|known| *known < number), number);
        }
    }
    // A device that cannot be added or taken is not free; the caller says which node is missing.
    numbers.into_iter().find_map(|number| {
        loop_device::add(control, number).ok()?;
        take(image, dev, number).ok()
    })
}

/// `N` of `loopN`.
fn node_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("loop")?;
    let canonical = digits == "0" || digits.starts_with(|first: char| ('1'..='9').contains(&first));
    if canonical { digits.parse().ok() } else { None }
}

fn node(dev: &Path, number: u32) -> PathBuf {
    dev.join(format!("loop{number}"))
}

fn take(image: &VerifiedImage, dev: &Path, number: u32) -> Result<Attached, MountError> {
    let path = node(dev, number);
    let device = open(&path)?;
    let window = Window {
        offset: image.offset(),
        length: image.length(),
    };
    match loop_device::attach(&device, image.file(), window) {
        Ok(()) => Ok(Attached {
            number,
            device: device.into(),
        }),
        Err(errno) => Err(MountError::Attach { path, errno }),
    }
}

fn open(path: &Path) -> Result<File, MountError> {
    File::open(path).map_err(|error| MountError::Open {
        path: path.to_owned(),
        errno: errno(&error),
    })
}

/// Whether another process was faster, or is just letting go of the device.
fn may_pass(error: &MountError) -> bool {
    match error {
        MountError::Open { errno, .. } | MountError::Attach { errno, .. } | MountError::NoFreeLoop { errno, .. } => {
            matches!(errno, Errno::EBUSY | Errno::ENXIO | Errno::EAGAIN | Errno::EINTR)
        }
        _ => false,
    }
}

/// How long to wait after the attempt numbered `attempt` from 0: doubling from 1 to 32 ms, half of it by chance, so
/// that those who collided do not meet again.
fn pause(attempt: u32, random: u64) -> Duration {
    let step = 1000_u64 << attempt.min(5);
    Duration::from_micros(step / 2 + random % (step / 2))
}

/// A number that differs between processes and calls. The standard library seeds its hashers from the kernel.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let cases = [
            (0, 0, 500),
            (0, 499, 999),
            (1, 0, 1000),
            (5, 0, 16_000),
            (5, u64::MAX, 31_615),
            (149, 0, 16_000),
        ];
        for (attempt, random, micros) in cases {
            assert_eq!(
                pause(attempt, random),
                Duration::from_micros(micros),
                "attempt {attempt}, random {random}"
            );
        }
    }

    #[test]
    fn only_whole_loop_devices_are_nodes() {
        let cases = [
            ("loop0", Some(0)),
            ("loop17", Some(17)),
            ("loop017", None),
            ("loop", None),
            ("loop0p1", None),
            ("loop-control", None),
            ("loop+1", None),
            ("loop99999999999", None),
        ];
        for (name, number) in cases {
            assert_eq!(node_number(name), number, "{name}");
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        let path = PathBuf::from("/dev/loop0");
        for (errno, passes) in [
            (Errno::EBUSY, true),
            (Errno::ENXIO, true),
            (Errno::EACCES, false),
            (Errno::ENOSPC, false),
        ] {
            assert_eq!(
                may_pass(&MountError::Attach {
                    path: path.clone(),
                    errno
                }),
                passes,
                "{errno}"
            );
        }
    }
}
