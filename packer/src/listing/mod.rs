//! What is in the image of a bundle: every path with its inode, and where its links lead.

mod error;
mod near;
mod way;

use std::collections::HashSet;

use squashfs::{Image, Inode, Kind, ReadAt};

use crate::rootfs::RootPath;

pub use error::ListingError;
pub use way::{LinkStep, Way};

/// The entries of an image by path, bytewise, the root directory included.
#[derive(Debug)]
pub struct Listing {
    entries: Vec<(RootPath, Inode)>,
}

impl Listing {
    /// Lists an image. `entries` is the number of entries that the manifest says it has.
    ///
    /// # Errors
    /// [`ListingError`].
    pub fn read(image: &Image<impl ReadAt>, entries: u64) -> Result<Self, ListingError> {
        let root = image.inode(image.root())?;
        let mut found = vec![(RootPath::root(), root)];
        let mut pending = vec![(RootPath::root(), root)];
        // The walk ends, whatever the image says of its directories.
        let mut listed = HashSet::from([image.root()]);
        while let Some((directory, inode)) = pending.pop() {
            for entry in image.read_dir(&inode, 0)? {
                let entry = entry?;
                if found.len() as u64 >= entries {
                    return Err(ListingError::TooManyEntries { entries });
                }
                let inode = image.inode(entry.inode_ref)?;
                let path = directory.join(&*entry.name);
                if inode.kind == Kind::Directory {
                    if !listed.insert(entry.inode_ref) {
                        return Err(ListingError::Repeated { path });
                    }
                    pending.push((path.clone(), inode));
                }
                found.push((path, inode));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self { entries: found })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there none? There is always the root.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, by path.
    pub fn iter(&self) -> impl Iterator<Item = &(RootPath, Inode)> {
        self.entries.iter()
    }

    /// The path at a place, from 0.
    pub fn path(&self, place: usize) -> Option<&RootPath> {
        self.entries.get(place).map(|(path, _)| path)
    }

    /// The place of a path.
    pub fn place(&self, path: &RootPath) -> Option<usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(path)).ok()
    }

    /// The inode of a path, links not followed.
    pub fn inode(&self, path: &RootPath) -> Option<&Inode> {
        let place = self.place(path)?;
        self.entries.get(place).map(|(_, inode)| inode)
    }
}

#[cfg(test)]
pub(crate) mod tests;
