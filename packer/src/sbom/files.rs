//! The regular files of an image and their digests.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use squashfs::{Image, Inode, Kind, ReadAt};

use super::SbomError;
use crate::inventory::path_text;

/// A regular file of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Its path, in the words of [`path_text`].
    pub path: String,
    /// SHA-1, which SPDX 2.3 wants of each file, in hexadecimal digits.
    pub sha1: String,
    /// SHA-256, the same way.
    pub sha256: String,
    /// The place of its package in the inventory; none where no package has it.
    pub package: Option<usize>,
}

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// Reads all regular files of the image, sorted by path. `entries` is the number of entries that the manifest says it has.
pub(super) fn read_all(image: &Image<impl ReadAt>, entries: u64) -> Result<Vec<FileRecord>, SbomError> {
    let mut files = Vec::new();
    let mut pending = vec![(Vec::new(), image.inode(image.root())?)];
    let mut seen: u64 = 0;
    while let Some((path, directory)) = pending.pop() {
        for entry in image.read_dir(&directory, 0)? {
            let entry = entry?;
            seen += 1;
            if seen > entries {
                return Err(SbomError::TooManyEntries { entries });
            }
            let inode = image.inode(entry.inode_ref)?;
            let name: &[u8] = &entry.name;
            let path = [path.as_slice(), b"/", name].concat();
            match inode.kind {
                Kind::Directory => pending.push((path, inode)),
                Kind::File => files.push(read(image, &path, &inode)?),
                _ => {}
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read(image: &Image<impl ReadAt>, path: &[u8], inode: &Inode) -> Result<FileRecord, SbomError> {
    let (mut sha1, mut sha256) = (Sha1::new(), Sha256::new());
    let mut buffer = vec![0; BUFFER.min(usize::try_from(inode.size).unwrap_or(BUFFER).max(1))];
    let mut offset = 0;
    loop {
        let count = image.read(inode, offset, &mut buffer)?;
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        sha1.update(part);
        sha256.update(part);
        offset += count as u64;
    }
    Ok(FileRecord {
        path: path_text(path),
        sha1: hex(&sha1.finalize()),
        sha256: hex(&sha256.finalize()),
        package: None,
    })
}

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
