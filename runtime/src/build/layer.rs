//! A root for the tests: what was installed, below a second layer, so that what they write is gone with them.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::mkdir;

use crate::error::errno;
use crate::root::mount_table;
use crate::root::overlay::{Layers, overlay};
use crate::root::pivot::{self, PivotError};

/// A directory that every root of a run has, and that is covered while the new root is built.
const BASE: &str = "/sys";

const NONE: Option<&str> = None;

/// Puts this process into a mount namespace of its own, whose root is the old one below a new layer, with the same file systems
/// mounted in it. Files that are mounted are not: they have lost their names, and what has none cannot be bound again.
pub(super) fn enter(in_user_namespace: bool) -> Result<(), LayerError> {
    let failed = |step| move |errno| LayerError::Step { step, errno };
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("make a mount namespace"))?;
    let points = mount_points().map_err(failed("read the mounts"))?;
    // What is about to be covered is found through its descriptor.
    let covered = File::open(BASE).map_err(|error| failed("open /sys")(errno(&error)))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), BASE, Some("tmpfs"), flags, Some("mode=755")).map_err(failed("mount a tmpfs"))?;
    let [lower, upper, work, root] = ["lower", "upper", "work", "root"].map(|name| Path::new(BASE).join(name));
    for directory in [&lower, &upper, &work, &root] {
        mkdir(directory, Mode::from_bits_truncate(0o755)).map_err(failed("make a directory in a tmpfs"))?;
    }
    mount(Some("/"), &lower, NONE, MsFlags::MS_BIND, NONE).map_err(failed("bind what was installed"))?;
    let layers = Layers {
        lower: &lower,
        between: None,
        upper: &upper,
        work: &work,
    };
    overlay(layers, &root, in_user_namespace).map_err(failed("mount an overlay on what was installed"))?;
    for point in points.into_iter().filter(|point| point.is_dir()) {
        let target = root.join(point.strip_prefix("/").unwrap_or(&point));
        let source = if point == Path::new(BASE) {
            PathBuf::from(format!("/proc/self/fd/{}", covered.as_raw_fd()))
        } else {
            point
        };
        let bound = mount(Some(&source), &target, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE);
        bound.map_err(|errno| LayerError::Bind { path: target, errno })?;
    }
    pivot::into_root(&root).map_err(LayerError::Pivot)
}

/// What is mounted in the root, without what is mounted in that again.
fn mount_points() -> Result<Vec<PathBuf>, Errno> {
    let table = fs::read("/proc/self/mountinfo").map_err(|error| errno(&error))?;
    Ok(outermost(&table))
}

/// Of the contents of `/proc/PID/mountinfo`, proc_pid_mountinfo(5).
fn outermost(table: &[u8]) -> Vec<PathBuf> {
    let mut points: Vec<PathBuf> = mount_table::points(table)
        .filter(|point| point != Path::new("/"))
        .collect();
    points.sort();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for point in points {
        if !outermost.iter().any(|outer| point.starts_with(outer)) {
            outermost.push(point);
        }
    }
    outermost
}

/// Why there is no such root.
#[derive(Debug)]
pub(super) enum LayerError {
    Step { step: &'static str, errno: Errno },
    Bind { path: PathBuf, errno: Errno },
    Pivot(PivotError),
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { step, errno } => write!(f, "a root for the tests: {step}: {}", errno.desc()),
            Self::Bind { path, errno } => {
                write!(f, "a root for the tests: bind to {}: {}", path.display(), errno.desc())
            }
            Self::Pivot(error) => write!(f, "a root for the tests: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_in_mounts_come_with_them() {
        let table = b"1 0 0:1 / / rw - overlay overlay rw\n\
                      2 1 0:2 / /sys ro - sysfs sysfs ro\n\
                      3 2 0:3 / /sys/fs/cgroup ro - cgroup2 c ro\n\
                      4 1 0:4 / /home/a\\040b rw - ext4 x rw\n\
                      5 1 0:5 / /system rw - ext4 x rw\n";
        assert_eq!(outermost(table), ["/home/a b", "/sys", "/system"].map(PathBuf::from));
        assert_eq!(outermost(b""), [""; 0].map(PathBuf::from));
    }
}
