//! A plain directory. It gets its name when it is whole; until then it has a temporary one beside it.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::geteuid;

use super::contents::Contents;
use super::error::ExportError;
use super::time;
use crate::image::{ImageError, ImageOptions};
use crate::options::PackOptions;
use crate::plan::{Entry, Node, Plan};
use crate::rootfs::Rootfs;

/// Whether the directory `path` can be made: it is not there, or empty.
///
/// # Errors
/// [`ExportError`].
pub fn check(path: &Path) -> Result<(), ExportError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_dir() => Err(ExportError::NotADirectory { path: path.to_owned() }),
        Ok(_) => match fs::read_dir(path).map_err(fault("read", path))?.next() {
            None => Ok(()),
            Some(_) => Err(ExportError::NotEmpty { path: path.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = parent(path);
            match fs::metadata(parent).map_err(fault("enter", parent))?.is_dir() {
                true => Ok(()),
                false => Err(ExportError::NotADirectory {
                    path: parent.to_owned(),
                }),
            }
        }
        Err(error) => Err(fault("look at", path)(error)),
    }
}

pub(super) fn write(
    plan: &Plan,
    rootfs: &Rootfs,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ExportError> {
    let path = &options.output;
    check(path)?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or(OsStr::new("polecat")));
    prefix.push(".");
    let temporary = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(parent(path))
        .map_err(fault("make a directory in", parent(path)))?;
    let tree = Tree {
        root: temporary.path(),
        with_owners: geteuid().is_root(),
        options: &options.image,
    };
    for (inside, entry) in &plan.entries {
        let place = tree.place(inside.relative());
        match &entry.node {
            Node::Directory => tree.make_directory(&place)?,
            Node::File { size } => {
                let contents = Contents::of_rootfs(rootfs, inside, *size, progress).map_err(ExportError::Contents)?;
                tree.make_file(&place, entry, contents)?;
            }
            Node::Synthetic { contents } => {
                tree.make_file(&place, entry, Contents::of_plan(inside, contents, progress))?;
            }
            Node::Symlink { target } => tree.make_link(&place, entry, target)?,
        }
    }
    // From below: a directory's time changes, and its mode may forbid, when something is made in it.
    for (inside, entry) in plan.entries.iter().rev() {
        if entry.node == Node::Directory {
            tree.finish(&tree.place(inside.relative()), entry)?;
        }
    }
    fs::rename(temporary.path(), path).map_err(fault("rename the finished directory to", path))?;
    // It has another name now: there is nothing to be removed.
    let _renamed = temporary.keep();
    Ok(())
}

/// The tree while it is made. Nobody else can enter it, and every directory on the way to a place was made by us.
struct Tree<'a> {
    root: &'a Path,
    with_owners: bool,
    options: &'a ImageOptions,
}

impl Tree<'_> {
    fn place(&self, relative: &Path) -> PathBuf {
        self.root.join(relative)
    }

    fn make_directory(&self, place: &Path) -> Result<(), ExportError> {
        if place == self.root.join("") {
            return Ok(());
        }
        let made = fs::DirBuilder::new().mode(0o700).create(place);
        made.map_err(fault("make", place))
    }

    fn make_file(&self, place: &Path, entry: &Entry, mut contents: Contents<'_>) -> Result<(), ExportError> {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(place)
            .map_err(fault("make", place))?;
        let copied = contents.copy(|contents| io::copy(contents, &mut file));
        copied.map_err(|error| match error {
            ImageError::Write(source) => fault("write", place)(source),
            error => ExportError::Contents(error),
        })?;
        drop(file);
        self.finish(place, entry)
    }

    fn make_link(&self, place: &Path, entry: &Entry, target: &[u8]) -> Result<(), ExportError> {
        symlink(OsStr::from_bytes(target), place).map_err(fault("make", place))?;
        self.finish(place, entry)
    }

    /// Owner, then mode, of which a change of the owner takes set-user-id bits away, then time.
    fn finish(&self, place: &Path, entry: &Entry) -> Result<(), ExportError> {
        if self.with_owners {
            lchown(place, Some(entry.uid), Some(entry.gid)).map_err(fault("give away", place))?;
        }
        if !matches!(entry.node, Node::Symlink { .. }) {
            let permissions = Permissions::from_mode(entry.mode & 0o7777);
            fs::set_permissions(place, permissions).map_err(fault("set the mode of", place))?;
        }
        let time = TimeSpec::new(i64::from(time(entry.mtime, self.options)), 0);
        utimensat(AT_FDCWD, place, &time, &time, UtimensatFlags::NoFollowSymlink)
            .map_err(|errno| fault("set the time of", place)(errno.into()))
    }
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn fault(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Make { action, path, source }
}
