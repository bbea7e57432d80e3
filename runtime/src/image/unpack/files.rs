//! Entries that are no directories, and what all entries get in the end: owner, mode, times.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, mknodat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat, geteuid, linkat, symlinkat};
use squashfs::{Image, Inode, InodeRef, Kind};

use super::{Step, UnpackError};
use crate::error::errno;
use crate::image::{OwnerMap, VerifiedImage};

/// How much of a file is read at once, bytes: the largest block of squashfs.
const CHUNK_LENGTH: usize = 1 << 20;

/// Makes the entries of directories.
pub(super) struct Files<'a> {
    image: &'a Image<VerifiedImage>,
    owner: OwnerMap,
    /// Where a directory, or an inode with several links, was unpacked first. One table of both: each kind of table has its code.
    first_paths: HashMap<InodeRef, PathBuf>,
    buffer: Vec<u8>,
}

/// An entry to be made.
pub(super) struct Entry<'a> {
    pub(super) at: InodeRef,
    pub(super) inode: Inode,
    pub(super) name: &'a OsStr,
    /// Its path in the image.
    pub(super) path: &'a Path,
}

impl<'a> Files<'a> {
    pub(super) fn new(image: &'a Image<VerifiedImage>, owner: OwnerMap) -> Self {
        Self {
            image,
            owner,
            first_paths: HashMap::new(),
            buffer: Vec::new(),
        }
    }

    /// Notes that the inode at `at` is unpacked at `path`. Whether that is the first time.
    pub(super) fn remember(&mut self, at: InodeRef, path: &Path) -> bool {
        self.first_paths.insert(at, path.to_owned()).is_none()
    }

    /// Makes `entry`, which is no directory, in `directory`. `target` is the directory of the image's root.
    pub(super) fn create(
        &mut self,
        target: &OwnedFd,
        directory: &OwnedFd,
        entry: &Entry<'_>,
    ) -> Result<(), Box<UnpackError>> {
        if entry.inode.nlink > 1 {
            if let Some(first) = self.first_paths.get(&entry.at) {
                return link(target, first, directory, entry);
            }
            self.remember(entry.at, entry.path);
        }
        match entry.inode.kind {
            Kind::File => self.create_file(directory, entry),
            Kind::Symlink => self.create_symlink(directory, entry),
            Kind::Fifo => self.create_node(directory, entry, SFlag::S_IFIFO),
            Kind::Socket => self.create_node(directory, entry, SFlag::S_IFSOCK),
            Kind::BlockDevice | Kind::CharacterDevice => Err(Box::new(UnpackError::Device {
                path: entry.path.to_owned(),
            })),
            // The walk makes directories itself.
            Kind::Directory => Err(entry.failed(Step::Create, Errno::EISDIR)),
        }
    }

    fn create_file(&mut self, directory: &OwnedFd, entry: &Entry<'_>) -> Result<(), Box<UnpackError>> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(directory, entry.name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map(File::from)
            .map_err(|errno| entry.not_created(errno))?;
        self.write_data(&file, entry)?;
        self.finish(&file, entry)
    }

    /// Writes what is not a hole, and sets the length.
    fn write_data(&mut self, file: &File, entry: &Entry<'_>) -> Result<(), Box<UnpackError>> {
        let image = self.image;
        let size = entry.inode.size;
        let failed = |error: io::Error| entry.failed(Step::Write, errno(&error));
        let damaged = |error| UnpackError::image(entry.path, error);
        let mut offset = 0;
        while let Some(mut start) = image.seek_data(&entry.inode, offset).map_err(damaged)? {
            let end = image.seek_hole(&entry.inode, start).map_err(damaged)?.unwrap_or(size);
            while start < end {
                let wanted = usize::try_from(end - start).unwrap_or(CHUNK_LENGTH).min(CHUNK_LENGTH);
                if self.buffer.len() < wanted {
                    self.buffer.resize(wanted, 0);
                }
                let chunk = self.buffer.get_mut(..wanted).unwrap_or_default();
                let length = image.read(&entry.inode, start, chunk).map_err(damaged)?;
                if length == 0 {
                    return Err(failed(io::ErrorKind::UnexpectedEof.into()));
                }
                file.write_all_at(chunk.get(..length).unwrap_or_default(), start)
                    .map_err(failed)?;
                start += length as u64;
            }
            offset = end;
        }
        // Data may have ended in a hole, or not begun at all.
        if file.metadata().map_err(failed)?.len() < size {
            file.set_len(size).map_err(failed)?;
        }
        Ok(())
    }

    fn create_symlink(&self, directory: &OwnedFd, entry: &Entry<'_>) -> Result<(), Box<UnpackError>> {
        let target = self
            .image
            .read_link(&entry.inode)
            .map_err(|error| UnpackError::image(entry.path, error))?;
        symlinkat(OsStr::from_bytes(&target), directory, entry.name).map_err(|errno| entry.not_created(errno))?;
        self.finish_by_name(directory, entry)
    }

    fn create_node(&self, directory: &OwnedFd, entry: &Entry<'_>, kind: SFlag) -> Result<(), Box<UnpackError>> {
        mknodat(directory, entry.name, kind, Mode::S_IRUSR | Mode::S_IWUSR, 0)
            .map_err(|errno| entry.not_created(errno))?;
        self.finish_by_name(directory, entry)?;
        let mode = mode(self.owner.apply((&entry.inode).into()).permissions);
        // Opening a pipe would wait for its other end; the name is what mknodat(2) made.
        fchmodat(directory, entry.name, mode, FchmodatFlags::FollowSymlink)
            .map_err(|errno| entry.failed(Step::SetAttributes, errno))
    }

    /// Owner, mode and times of an open file or directory. The mode after the owner, as chown(2) clears the set-id
    /// bits.
    pub(super) fn finish(&self, file: impl AsFd, entry: &Entry<'_>) -> Result<(), Box<UnpackError>> {
        let shown = self.owner.apply((&entry.inode).into());
        let time = time(entry.inode.mtime);
        let (uid, gid) = (Uid::from_raw(shown.uid), Gid::from_raw(shown.gid));
        let changed = fchown(&file, Some(uid), Some(gid));
        unless_unmapped(changed, uid)
            .and_then(|()| fchmod(&file, mode(shown.permissions)))
            .and_then(|()| futimens(&file, &time, &time))
            .map_err(|errno| entry.failed(Step::SetAttributes, errno))
    }

    /// Owner and times of what cannot be opened; symbolic links have no mode.
    fn finish_by_name(&self, directory: &OwnedFd, entry: &Entry<'_>) -> Result<(), Box<UnpackError>> {
        let shown = self.owner.apply((&entry.inode).into());
        let time = time(entry.inode.mtime);
        let (uid, gid) = (Uid::from_raw(shown.uid), Gid::from_raw(shown.gid));
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        let changed = fchownat(directory, entry.name, Some(uid), Some(gid), flags);
        unless_unmapped(changed, uid)
            .and_then(|()| utimensat(directory, entry.name, &time, &time, UtimensatFlags::NoFollowSymlink))
            .map_err(|errno| entry.failed(Step::SetAttributes, errno))
    }
}

/// In a user namespace without a map nobody can be given anything, and what this process makes is its own all the same.
fn unless_unmapped(changed: Result<(), Errno>, owner: Uid) -> Result<(), Errno> {
    match changed {
        Err(Errno::EINVAL) if owner == geteuid() => Ok(()),
        changed => changed,
    }
}

impl Entry<'_> {
    pub(super) fn failed(&self, step: Step, errno: Errno) -> Box<UnpackError> {
        Box::new(UnpackError::Entry {
            step,
            path: self.path.to_owned(),
            errno,
        })
    }

    /// The target was empty: what is there already came from the image.
    pub(super) fn not_created(&self, errno: Errno) -> Box<UnpackError> {
        match errno {
            Errno::EEXIST => Box::new(UnpackError::Duplicate {
                path: self.path.to_owned(),
            }),
            errno => self.failed(Step::Create, errno),
        }
    }
}

/// Makes `entry` another name of `first`, a path of the image, walked down name by name.
fn link(target: &OwnedFd, first: &Path, directory: &OwnedFd, entry: &Entry<'_>) -> Result<(), Box<UnpackError>> {
    let failed = |errno| entry.failed(Step::Link, errno);
    let mut parent = None;
    let above = first.parent().unwrap_or(first).components();
    for name in above.filter(|component| matches!(component, Component::Normal(_))) {
        let from = parent.as_ref().unwrap_or(target);
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        parent = Some(openat(from, name.as_os_str(), flags, Mode::empty()).map_err(failed)?);
    }
    let from = parent.as_ref().unwrap_or(target);
    let name = first.file_name().unwrap_or_default();
    match linkat(from, name, directory, entry.name, AtFlags::empty()) {
        Err(Errno::EEXIST) => Err(entry.not_created(Errno::EEXIST)),
        result => result.map_err(failed),
    }
}

fn mode(permissions: u16) -> Mode {
    Mode::from_bits_truncate(permissions.into())
}

/// Squashfs counts seconds from 1970 to 2106; where `time_t` ends in 2038, so does this.
fn time(mtime: u32) -> TimeSpec {
    TimeSpec::new(u64::from(mtime).try_into().unwrap_or(i32::MAX.into()), 0)
}
