//! The regular files of an image and their digests.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use squashfs::{Image, Inode, Kind, ReadAt};

use crate::inventory::path_text;
use crate::listing::{Listing, ListingError};

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
pub(super) fn read_all(image: &Image<impl ReadAt>, entries: u64) -> Result<Vec<FileRecord>, ListingError> {
    let listing = Listing::read(image, entries)?;
    let files = listing.iter().filter(|(_, inode)| inode.kind == Kind::File);
    let mut files: Vec<FileRecord> = files
        .map(|(path, inode)| read(image, path.as_bytes(), inode))
        .collect::<Result<_, _>>()?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read(image: &Image<impl ReadAt>, path: &[u8], inode: &Inode) -> Result<FileRecord, ListingError> {
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
