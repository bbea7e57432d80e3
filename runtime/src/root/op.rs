//! One step of building a root file system, as a value: what [`super::plan`] decides and [`super::apply`] does.

use std::path::{Path, PathBuf};

use crate::sys::mount_attribute;

/// A step in the new root. Paths are absolute there; no component of them is a symbolic link, the executor refuses to
/// follow one. Directories on the way are made, mode 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Something new.
    Make(Entry),
    /// A file system of the namespace's own on a directory.
    Mount {
        /// Where.
        path: PathBuf,
        /// Which.
        system: System,
    },
    /// A part of the host.
    Bind(Bind),
    /// Something that is there already becomes read-only; what is not there is passed over.
    Protect {
        /// Where.
        path: PathBuf,
    },
    /// A directory that was made becomes somebody's.
    Own {
        /// Where.
        path: PathBuf,
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

impl Op {
    /// Where in the new root.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Make(entry) => entry.path(),
            Self::Mount { path, .. }
            | Self::Bind(Bind { path, .. })
            | Self::Protect { path }
            | Self::Own { path, .. } => path,
        }
    }
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory. One that is there keeps its mode; anything else of that name is replaced.
    Directory {
        /// Where.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A regular file in place of whatever has that name.
    File {
        /// Where.
        path: PathBuf,
        /// The whole of it.
        contents: Vec<u8>,
    },
    /// A symbolic link; nothing has that name.
    Link {
        /// Where.
        path: PathBuf,
        /// What readlink(2) gives.
        target: &'static str,
    },
}

impl Entry {
    /// Where in the new root.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path, .. } | Self::File { path, .. } | Self::Link { path, .. } => path,
        }
    }
}

/// A file system that begins empty, or shows the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// An empty directory of the base, a tmpfs(5): less to set up and to tear down than one of its own, and one limit for all
    /// that is written to memory.
    Private {
        /// Permission bits of the directory.
        mode: u32,
        /// Device nodes work in it.
        devices: bool,
    },
    /// The kernel's objects, sysfs(5), as the network namespace shows them; the host's own where the kernel refuses a new one.
    Sys,
    /// The processes of this PID namespace, proc(5).
    Proc {
        /// The host's own may stand in where the kernel refuses a new one: it does in a user namespace while parts of
        /// the host's are covered, as container engines do.
        or_host: bool,
    },
    /// Pseudo-terminals, devpts: `Documentation/filesystems/devpts.rst`.
    Terminals {
        /// Group of new terminals; none where only the caller's ids are mapped.
        group: Option<u32>,
    },
}

/// A part of the host, seen at `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Where it is on the host: absolute, no component is a symbolic link.
    pub source: PathBuf,
    /// Where it will be.
    pub path: PathBuf,
    /// What it is mounted on.
    pub kind: BindKind,
    /// Without it the run goes on, and the trace says so.
    pub optional: bool,
}

/// What is bound, and with which restrictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindKind {
    /// A device node.
    Node,
    /// A device node that is the same device wherever its node is. It is made anew where that is allowed: whoever changes the
    /// mode of a bound one changes the host's.
    Device,
    /// A directory with the mounts below it, to be read and written.
    Shared,
    /// A directory with the mounts below it, to be read.
    ReadOnly,
    /// A regular file, to be read. One that the layer was given has its name, and goes where nothing can be bound.
    File,
    /// What somebody named, with the mounts below it.
    Part(Part),
}

/// How a part of the host that somebody named is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// A directory; else a file of any kind.
    pub directory: bool,
    /// Nothing can be changed in it.
    pub read_only: bool,
    /// Device nodes in it work.
    pub devices: bool,
}

impl BindKind {
    /// Attributes for mount_setattr(2). `None`: the mount stays as it is on the host.
    #[must_use]
    pub fn attributes(self) -> Option<u64> {
        use mount_attribute::{NO_DEVICES, NO_EXEC, NO_SET_ID, READ_ONLY};
        match self {
            Self::Node | Self::Device => None,
            Self::Shared => Some(NO_SET_ID | NO_DEVICES),
            Self::ReadOnly | Self::File => Some(READ_ONLY | NO_SET_ID | NO_DEVICES | NO_EXEC),
            Self::Part(part) => {
                let read_only = if part.read_only { READ_ONLY } else { 0 };
                let no_devices = if part.devices { 0 } else { NO_DEVICES };
                Some(NO_SET_ID | read_only | no_devices)
            }
        }
    }

    /// Whether it is a directory of the host's in which nothing may be made.
    #[must_use]
    pub fn is_hosts_directory(self) -> bool {
        matches!(self, Self::Shared | Self::Part(Part { directory: true, .. }))
    }
}
