//! A tar archive, compressed with gzip. The entries come sorted by their paths' bytes, so a directory before what is in it.
//!
//! Headers are GNU tar's, which every tar reads; so are the extensions for names of more than 100 bytes. Neither the header of
//! gzip (RFC 1952) nor those of tar hold the time of the run or the name of a user.

use std::io::{BufWriter, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::contents::Contents;
use super::time;
use crate::image::{ImageError, ImageOptions};
use crate::plan::{Entry, Node, Plan};
use crate::rootfs::{RootPath, Rootfs};

/// RFC 1952: the file system that the archive was made on is not known.
const UNKNOWN_SYSTEM: u8 = 255;

/// Longest name or target that a header holds, in bytes.
const MAX_FIELD: usize = 100;

pub(super) fn write(
    plan: &Plan,
    rootfs: &Rootfs,
    out: impl Write,
    options: &ImageOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ImageError> {
    let level = Compression::new(options.level.unsigned_abs());
    let gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
    let gzip = gzip.write(BufWriter::new(out), level);
    let mut archive = Builder::new(gzip);
    for (path, entry) in &plan.entries {
        let mut member = Member {
            name: name(path, entry),
            header: header(entry, options),
        };
        match &entry.node {
            Node::File { size } => {
                let mut contents = Contents::of_rootfs(rootfs, path, *size, progress)?;
                contents.copy(|contents| member.append(&mut archive, *size, contents))?;
            }
            Node::Synthetic { contents: bytes } => {
                let mut contents = Contents::of_plan(path, bytes, progress);
                contents.copy(|contents| member.append(&mut archive, bytes.len() as u64, contents))?;
            }
            Node::Directory => member
                .append(&mut archive, 0, std::io::empty())
                .map_err(ImageError::Write)?,
            Node::Symlink { target } => member.append_link(&mut archive, target).map_err(ImageError::Write)?,
        }
    }
    let finish = || archive.into_inner()?.finish()?.flush();
    finish().map_err(ImageError::Write)
}

/// Relative, as tar wants names; a directory's ends with a slash.
fn name(path: &RootPath, entry: &Entry) -> Vec<u8> {
    let mut name = b"./".to_vec();
    name.extend_from_slice(path.as_bytes().strip_prefix(b"/").unwrap_or_default());
    if entry.node == Node::Directory && !path.is_root() {
        name.push(b'/');
    }
    name
}

fn header(entry: &Entry, options: &ImageOptions) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode & 0o7777);
    header.set_uid(u64::from(entry.uid));
    header.set_gid(u64::from(entry.gid));
    header.set_mtime(u64::from(time(entry.mtime, options)));
    header.set_entry_type(match entry.node {
        Node::File { .. } | Node::Synthetic { .. } => EntryType::Regular,
        Node::Directory => EntryType::Directory,
        Node::Symlink { .. } => EntryType::Symlink,
    });
    header
}

struct Member {
    name: Vec<u8>,
    header: Header,
}

impl Member {
    fn append<W: Write>(
        &mut self,
        archive: &mut Builder<W>,
        size: u64,
        contents: impl std::io::Read,
    ) -> std::io::Result<()> {
        if let Err(name) = put(&mut self.header.as_old_mut().name, &self.name) {
            append_long(archive, EntryType::GNULongName, name)?;
        }
        self.header.set_size(size);
        self.header.set_cksum();
        archive.append(&self.header, contents)
    }

    /// The target stays byte for byte what it is.
    fn append_link<W: Write>(&mut self, archive: &mut Builder<W>, target: &[u8]) -> std::io::Result<()> {
        if let Err(target) = put(&mut self.header.as_old_mut().linkname, target) {
            append_long(archive, EntryType::GNULongLink, target)?;
        }
        self.append(archive, 0, std::io::empty())
    }
}

/// Writes `text` to a field of a header: all of it, or the beginning and an error for what is too long.
fn put<'t>(field: &mut [u8; MAX_FIELD], text: &'t [u8]) -> Result<(), &'t [u8]> {
    let length = text.len().min(MAX_FIELD);
    field[..length].copy_from_slice(&text[..length]);
    if text.len() > MAX_FIELD { Err(text) } else { Ok(()) }
}

/// An entry of GNU tar's that says the whole of a long name or target of the entry behind it.
fn append_long<W: Write>(archive: &mut Builder<W>, kind: EntryType, text: &[u8]) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    let name = b"././@LongLink";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(kind);
    let ended = [text, b"\0"].concat();
    header.set_size(ended.len() as u64);
    header.set_cksum();
    archive.append(&header, ended.as_slice())
}
