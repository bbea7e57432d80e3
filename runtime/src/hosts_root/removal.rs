//! Removing files that somebody may still be changing: by descriptors, through no link, with two directories open at a time however
//! deep they are.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How directories are opened.
pub(super) const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Levels that are removed. Against somebody who goes on making more.
const DEEPEST: usize = 1 << 16;

/// Removes whatever is called `name` in `directory`, if anything.
///
/// Directories in directories come to the top, by numbers, so that nobody has to go down.
///
/// # Errors
/// `ENOTEMPTY`: others were making more. `EBUSY`: something is mounted there. unlink(2), rmdir(2), openat(2), rename(2).
pub(super) fn remove(directory: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    let Some(top) = remove_flat(directory, name)? else {
        return Ok(());
    };
    let mut moved: usize = 0;
    for _ in 0..DEEPEST {
        let found = names(&top)?;
        if found.is_empty() {
            break;
        }
        for below in found {
            let Some(opened) = remove_flat(&top, &below)? else {
                continue;
            };
            for deep in names(&opened)? {
                // Somebody else may have taken a number.
                while remove_flat(&opened, &deep)?.is_some() {
                    moved += 1;
                    let number = CString::new(moved.to_string()).unwrap_or_default();
                    match renameat(&opened, deep.as_c_str(), &top, number.as_c_str()) {
                        Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {}
                        Err(errno) => return Err(errno),
                    }
                }
            }
            unlinkat(&top, below.as_c_str(), UnlinkatFlags::RemoveDir)?;
        }
    }
    unlinkat(directory, name, UnlinkatFlags::RemoveDir)
}

/// Removes a file or an empty directory. Any other directory is opened, to be read and changed even where it was closed to its owner.
fn remove_flat(directory: &OwnedFd, name: &CStr) -> Result<Option<OwnedFd>, Errno> {
    let removed = match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR | Errno::EPERM) => unlinkat(directory, name, UnlinkatFlags::RemoveDir),
        removed => removed,
    };
    match removed {
        Ok(()) | Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    match fchmodat(directory, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink) {
        // Without /proc an old kernel cannot. It may be open.
        Ok(()) | Err(_) => {}
    }
    openat(directory, name, DIRECTORY, Mode::empty()).map(Some)
}

/// The names in `directory`.
pub(super) fn names(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::openat(directory, ".", DIRECTORY, Mode::empty())?.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    fn opened(path: &Path) -> OwnedFd {
        File::open(path).unwrap().into()
    }

    #[test]
    fn trees_that_are_closed_are_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(tree.join("1/2/3")).unwrap();
        fs::write(tree.join("a/1"), "x").unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        symlink(scratch.path(), tree.join("a/b/link")).unwrap();
        for closed in ["a/b/c", "a/b", "a", "1/2/3", "1/2", ""] {
            fs::set_permissions(tree.join(closed), Permissions::from_mode(0o0)).unwrap();
        }
        let above = opened(scratch.path());
        remove(&above, c"tree").unwrap();
        remove(&above, c"tree").unwrap();
        assert!(scratch.path().exists() && !tree.exists());
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let kept = scratch.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        fs::set_permissions(&kept, Permissions::from_mode(0o755)).unwrap();
        symlink(&kept, scratch.path().join("link")).unwrap();
        let above = opened(scratch.path());
        remove(&above, c"link").unwrap();
        assert_eq!(fs::read_to_string(kept.join("file")).unwrap(), "x");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o7777, 0o755);
    }

    /// Deeper than paths may be long, and than a process may have files open.
    #[test]
    fn depth_is_no_obstacle() {
        let scratch = tempfile::tempdir().unwrap();
        let mut at = opened(scratch.path());
        let (name, mode) = ("x".repeat(20), Mode::S_IRWXU);
        for _ in 0..1200 {
            nix::sys::stat::mkdirat(&at, name.as_str(), mode).unwrap();
            at = openat(&at, name.as_str(), DIRECTORY, Mode::empty()).unwrap();
        }
        remove(&opened(scratch.path()), &CString::new(name).unwrap()).unwrap();
        assert!(names(&opened(scratch.path())).unwrap().is_empty());
    }
}
