//! The one executor of [`Op`]s. The only code that mounts into the new root.

use std::fs::DirBuilder;
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sys::stat::{Mode, SFlag, lstat, mknodat};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::fchdir;

use super::op::{Bind, BindKind, Entry, Op, System};
use super::tree::{Place, Tree, TreeError, open_beneath};
use super::{mount_table, mounting};
use crate::error::errno;
use crate::sys::mount_attribute::{self, NO_DEVICES, NO_EXEC, NO_SET_ID, READ_ONLY};

mod error;

pub use error::ApplyError;
use error::PART;

/// How this process sees things while the root is built.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The root that is built.
    pub root: &'a Path,
    /// The host's.
    pub host: &'a Path,
    /// Where directories of the base are made that are bound into the root: in a tmpfs of the namespace.
    pub private: &'a Path,
}

/// Makes `entries` in the upper directory `layer` of an overlay over `below`, which is not mounted yet.
///
/// # Errors
/// The first entry that could not be made.
pub fn make_layer(entries: &[Entry], layer: &Path, below: &Path) -> Result<(), TreeError> {
    fill(Tree::open_over(layer, below)?, entries)
}

/// Makes `entries` in the tree `root`, which is written to as it is.
///
/// # Errors
/// The first entry that could not be made.
pub fn make_in_place(entries: &[Entry], root: &Path) -> Result<(), TreeError> {
    fill(Tree::open(root)?, entries)
}

fn fill(mut tree: Tree, entries: &[Entry]) -> Result<(), TreeError> {
    entries.iter().try_for_each(|entry| make(entry, &mut tree))?;
    tree.finish()
}

/// Does `ops` in `view.root`. Gives back the places where an optional part of the host could not be bound, and why.
///
/// The working directory is somewhere else afterwards.
///
/// # Errors
/// The first step that failed.
pub fn apply(ops: &[Op], view: View<'_>) -> Result<Vec<(PathBuf, Errno)>, ApplyError> {
    let mut tree = Tree::open(view.root)?;
    let mut skipped = Vec::new();
    let mut shared: Vec<&Path> = Vec::new();
    for op in ops {
        // What is below belongs to the host.
        let is_hosts = shared
            .iter()
            .any(|shared| op.path().starts_with(shared) && op.path() != *shared);
        match op {
            Op::Make(_) | Op::Mount { .. } | Op::Protect { .. } | Op::Own { .. } if is_hosts => {
                return Err(ApplyError::mount("anything", op.path(), Errno::EROFS));
            }
            Op::Make(entry) => make(entry, &mut tree)?,
            Op::Mount { path, system } => {
                mount_system(*system, path, &mut tree, view)?;
                tree.forget(path);
            }
            Op::Bind(bind) => {
                match bind_part(bind, is_hosts, &mut tree, view) {
                    Err(ApplyError::Mount { path, errno, .. } | ApplyError::Tree(TreeError { path, errno, .. }))
                        if bind.optional =>
                    {
                        skipped.push((path, errno))
                    }
                    result => {
                        result?;
                        shared.extend(bind.kind.is_hosts_directory().then_some(bind.path.as_path()));
                    }
                }
                tree.forget(&bind.path);
            }
            Op::Protect { path } => {
                protect(path, &mut tree, view)?;
                tree.forget(path);
            }
            Op::Own { path, uid, gid } => tree.own(path, *uid, *gid)?,
        }
    }
    Ok(skipped)
}

fn make(entry: &Entry, tree: &mut Tree) -> Result<(), TreeError> {
    match entry {
        Entry::Directory { path, mode } => tree.directory(path, *mode),
        Entry::File { path, contents } => tree.file(path, contents),
        Entry::Link { path, target } => tree.link(path, target),
    }
}

fn mount_system(system: System, path: &Path, tree: &mut Tree, view: View<'_>) -> Result<(), ApplyError> {
    let closed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    match system {
        System::Private { mode, devices } => bind_private(mode, devices, path, tree, view),
        System::Terminals { group } => {
            let group = group.map_or(String::new(), |group| format!(",gid={group}"));
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
            mount_kind(
                "devpts",
                path,
                tree,
                flags,
                &format!("newinstance,ptmxmode=0666,mode=620{group}"),
            )
        }
        System::Proc { or_host } => {
            let stand_in = or_host.then_some(BindKind::Shared);
            mount_or_bind("proc", path, tree, closed | MsFlags::MS_NOEXEC, stand_in, view)
        }
        System::Sys => {
            let flags = closed | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
            mount_or_bind("sysfs", path, tree, flags, Some(BindKind::ReadOnly), view)
        }
    }
}

/// Where the kernel refuses a new file system the host's own may stand in.
fn mount_or_bind(
    kind: &'static str,
    path: &Path,
    tree: &mut Tree,
    flags: MsFlags,
    stand_in: Option<BindKind>,
    view: View<'_>,
) -> Result<(), ApplyError> {
    match (mount_kind(kind, path, tree, flags, ""), stand_in) {
        (
            Err(ApplyError::Mount {
                errno: Errno::EPERM | Errno::EBUSY,
                ..
            }),
            Some(kind),
        ) => {
            let bind = Bind {
                source: path.into(),
                path: path.into(),
                kind,
                optional: false,
            };
            bind_part(&bind, false, tree, view)
        }
        (result, _) => result,
    }
}

fn bind_private(mode: u32, devices: bool, path: &Path, tree: &mut Tree, view: View<'_>) -> Result<(), ApplyError> {
    let source = inside(view.private, path);
    let failed = |errno| ApplyError::mount("a private directory", path, errno);
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(&source)
        .map_err(|error| failed(errno(&error)))?;
    let place = enter(tree, path)?;
    mounting::bind(&source, Path::new(&place.name), MsFlags::empty()).map_err(failed)?;
    let devices = if devices { 0 } else { NO_DEVICES };
    restrict(&place, path, NO_SET_ID | devices, view).map_err(|errno| ApplyError::Restrict {
        path: path.to_owned(),
        errno,
    })
}

fn mount_kind(kind: &'static str, path: &Path, tree: &mut Tree, flags: MsFlags, data: &str) -> Result<(), ApplyError> {
    let place = enter(tree, path)?;
    mounting::fresh(kind, Path::new(&place.name), flags, data).map_err(|errno| ApplyError::mount(kind, path, errno))
}

/// `is_hosts`: the place is in a directory of the host's, where nothing may be made.
fn bind_part(bind: &Bind, is_hosts: bool, tree: &mut Tree, view: View<'_>) -> Result<(), ApplyError> {
    let Bind { source, path, kind, .. } = bind;
    let (is_node, is_directory) = match kind {
        BindKind::Node | BindKind::Device | BindKind::File => (true, false),
        BindKind::Shared | BindKind::ReadOnly => (false, true),
        BindKind::Part(part) => (false, part.directory),
    };
    if is_hosts && is_node {
        return Err(ApplyError::mount("anything", path, Errno::EROFS));
    }
    let mut source = inside(view.host, source);
    let mut opened = None;
    if let BindKind::Part(_) = kind {
        let failed = |errno| ApplyError::mount(PART, path, errno);
        let part = opened.insert(open_beneath(view.host, &bind.source).map_err(failed)?);
        let named = view.host.join(format!("proc/self/fd/{}", part.as_raw_fd()));
        // Without /proc there is but the name.
        if named.exists() {
            source = named;
        }
    }
    if *kind == BindKind::Device && make_device(&source, &tree.place(path)?)? {
        return Ok(());
    }
    let made = match kind {
        BindKind::File => Ok(()),
        BindKind::Node | BindKind::Device => tree.place(path)?.create(0o644).map(drop),
        BindKind::Shared | BindKind::ReadOnly if !is_hosts => Ok(tree.directory(path, 0o755)?),
        _ => Ok(tree.point(path, is_directory, !is_hosts)?),
    };
    made.map_err(|errno| ApplyError::mount("a node", path, errno))?;
    let place = enter(tree, path)?;
    let depth = if is_node { MsFlags::empty() } else { MsFlags::MS_REC };
    let bound = mounting::bind(&source, Path::new(&place.name), depth);
    drop(opened);
    if let Err(errno) = bound {
        if is_node {
            place
                .remove()
                .map_err(|errno| ApplyError::mount("a node", path, errno))?;
        }
        return Err(ApplyError::mount(PART, path, errno));
    }
    let Some(attributes) = kind.attributes() else {
        return Ok(());
    };
    restrict(&place, path, attributes, view).map_err(|errno| {
        // Half restricted is not shared at all.
        match umount2(place.name.as_os_str(), MntFlags::MNT_DETACH) {
            Ok(()) => ApplyError::mount("a part of the host, restricted,", path, errno),
            Err(errno) => ApplyError::Restrict {
                path: path.clone(),
                errno,
            },
        }
    })
}

/// Makes a node of the device that `source` is, with its mode. Not, and no error, where that is forbidden.
fn make_device(source: &Path, place: &Place) -> Result<bool, ApplyError> {
    let failed = |errno| ApplyError::mount("a device", source, errno);
    let known = lstat(source).map_err(failed)?;
    let kind = SFlag::from_bits_truncate(known.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFCHR {
        return Ok(false);
    }
    let mode = Mode::from_bits_truncate(known.st_mode);
    match mknodat(&place.parent, place.name.as_os_str(), kind, mode, known.st_rdev) {
        Ok(()) => Ok(true),
        Err(Errno::EPERM | Errno::EACCES) => Ok(false),
        Err(errno) => Err(failed(errno)),
    }
}

/// Adds `attributes` to the mount at `place`, in which the working directory is, and to all below.
fn restrict(place: &Place, path: &Path, attributes: u64, view: View<'_>) -> Result<(), Errno> {
    match mount_attribute::add_recursively(&place.parent, place.name.as_os_str(), attributes) {
        // Filters of container engines that are older than the call forbid what they do not know.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            let table = view.host.join("proc/self/mountinfo");
            mount_table::restrict_each(&table, &inside(view.root, path), attributes)
        }
        result => result,
    }
}

/// Makes the mount at `path` of this process's root, which this namespace made itself, read-only, and none of those below it.
///
/// # Errors
/// mount(2).
pub fn seal(path: &Path) -> Result<(), ApplyError> {
    let restricted = |errno| ApplyError::Restrict {
        path: path.to_owned(),
        errno,
    };
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
    // Where device nodes work, as in the /dev of the host's root, they go on to.
    let known = statvfs(path).map_err(restricted)?.flags();
    flags.set(MsFlags::MS_NODEV, known.contains(FsFlags::ST_NODEV));
    mounting::change(path, flags, None).map_err(restricted)
}

fn protect(path: &Path, tree: &mut Tree, view: View<'_>) -> Result<(), ApplyError> {
    let place = enter(tree, path)?;
    let name = Path::new(&place.name);
    match mounting::bind(name, name, MsFlags::empty()) {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => {
            return Err(ApplyError::Restrict {
                path: path.to_owned(),
                errno,
            });
        }
    }
    restrict(&place, path, READ_ONLY | NO_SET_ID | NO_DEVICES | NO_EXEC, view).map_err(|errno| ApplyError::Restrict {
        path: path.to_owned(),
        errno,
    })
}

/// Steps into the directory that `path` is in, so that its last component can be given to mount(2), which knows no
/// descriptors.
fn enter(tree: &mut Tree, path: &Path) -> Result<Place, ApplyError> {
    let place = tree.place(path)?;
    fchdir(&place.parent).map_err(|errno| ApplyError::mount("anything", path, errno))?;
    Ok(place)
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
