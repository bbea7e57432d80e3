//! The entries of two images, side by side.

use std::cmp::Ordering;

use serde::Serialize;
use squashfs::{Image, Inode, Kind, ReadAt};

use super::{Changes, DifferenceError, Side};
use crate::listing::ListingError;
use crate::rootfs::{RootPath, printable};

/// Bytes of each file that are compared at once.
const PIECE: usize = 1 << 20;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A device, a FIFO or a socket.
    Special,
}

/// An entry of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDescription {
    /// Its path.
    pub path: RootPath,
    /// What it is.
    pub kind: FileKind,
    /// Permissions with setuid, setgid and sticky.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// Size of a regular file in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Target of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A part of an entry that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilePart {
    /// What it is.
    Kind,
    /// The bytes of a regular file.
    Content,
    /// The target of a link.
    Target,
    /// Permissions.
    Mode,
    /// Owner or group.
    Owner,
    /// Modification time.
    Time,
}

/// An entry that both images have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path.
    pub path: RootPath,
    /// What differs.
    pub parts: Vec<FilePart>,
    /// In the first.
    pub a: FileDescription,
    /// In the second.
    pub b: FileDescription,
}

/// Compares the entries of two images.
pub(super) fn compare<R: ReadAt, S: ReadAt>(
    a: &Side<'_, R>,
    b: &Side<'_, S>,
    progress: &mut dyn FnMut(u64),
) -> Result<Changes<FileDescription, FileChange>, DifferenceError> {
    let mut changes = Changes::default();
    let (mut old, mut new) = (a.listing.iter().peekable(), b.listing.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return Ok(changes),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let one = if order.is_le() { old.next() } else { None };
        let other = if order.is_ge() { new.next() } else { None };
        let describe_a = |(path, inode): &(RootPath, Inode)| describe(a.image, path, inode).map_err(DifferenceError::A);
        let describe_b = |(path, inode): &(RootPath, Inode)| describe(b.image, path, inode).map_err(DifferenceError::B);
        match (one, other) {
            (Some(one), None) => changes.removed.push(describe_a(one)?),
            (None, Some(other)) => changes.added.push(describe_b(other)?),
            (Some(one), Some(other)) => {
                let (old, new) = (describe_a(one)?, describe_b(other)?);
                let mut parts = parts(&old, &new);
                let both_files = old.kind == FileKind::File && new.kind == FileKind::File;
                if both_files && !is_same((a.image, &one.1), (b.image, &other.1))? {
                    parts.insert(0, FilePart::Content);
                }
                if !parts.is_empty() {
                    changes.changed.push(FileChange {
                        path: old.path.clone(),
                        parts,
                        a: old,
                        b: new,
                    });
                }
            }
            (None, None) => {}
        }
        progress(one.and_then(|(_, inode)| size(inode)).unwrap_or(0));
    }
}

fn describe(image: &Image<impl ReadAt>, path: &RootPath, inode: &Inode) -> Result<FileDescription, ListingError> {
    let target = match inode.kind {
        Kind::Symlink => Some(printable(&image.read_link(inode)?)),
        _ => None,
    };
    Ok(FileDescription {
        path: path.clone(),
        kind: match inode.kind {
            Kind::Directory => FileKind::Directory,
            Kind::File => FileKind::File,
            Kind::Symlink => FileKind::Symlink,
            Kind::BlockDevice | Kind::CharacterDevice | Kind::Fifo | Kind::Socket => FileKind::Special,
        },
        mode: inode.permissions,
        uid: inode.uid,
        gid: inode.gid,
        mtime: inode.mtime,
        size: size(inode),
        target,
    })
}

fn size(inode: &Inode) -> Option<u64> {
    (inode.kind == Kind::File).then_some(inode.size)
}

/// What differs, but for the bytes.
fn parts(a: &FileDescription, b: &FileDescription) -> Vec<FilePart> {
    let differs = [
        (FilePart::Kind, a.kind != b.kind),
        (FilePart::Target, a.target != b.target && a.kind == b.kind),
        (FilePart::Mode, a.mode != b.mode),
        (FilePart::Owner, (a.uid, a.gid) != (b.uid, b.gid)),
        (FilePart::Time, a.mtime != b.mtime),
    ];
    differs
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(part, _)| part)
        .collect()
}

/// Have two files the same bytes? Ends at the first piece that differs.
fn is_same(
    (a, of_a): (&Image<impl ReadAt>, &Inode),
    (b, of_b): (&Image<impl ReadAt>, &Inode),
) -> Result<bool, DifferenceError> {
    if of_a.size != of_b.size {
        return Ok(false);
    }
    let length = usize::try_from(of_a.size).unwrap_or(PIECE).min(PIECE);
    let (mut left, mut right) = (vec![0; length], vec![0; length]);
    let mut offset = 0;
    while offset < of_a.size {
        let read = a
            .read(of_a, offset, &mut left)
            .map_err(|error| DifferenceError::A(error.into()))?;
        let read_too = b
            .read(of_b, offset, &mut right)
            .map_err(|error| DifferenceError::B(error.into()))?;
        if read == 0 || left.get(..read) != right.get(..read_too) {
            return Ok(false);
        }
        offset += read as u64;
    }
    Ok(true)
}
