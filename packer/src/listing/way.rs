//! Following links inside an image, hop by hop.

use std::collections::VecDeque;

use squashfs::{Image, Kind, ReadAt};

use super::{Listing, ListingError};
use crate::rootfs::RootPath;

/// As many links as the kernel follows: path_resolution(7).
const MAX_LINKS: usize = 40;

/// A link that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStep {
    /// The link.
    pub path: RootPath,
    /// Its target as stored.
    pub target: Vec<u8>,
    /// Whether the path ended here, or at a link that led here: it is no directory on the way.
    pub is_last: bool,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The links on the way, in the order in which they are met.
    pub links: Vec<LinkStep>,
    /// Where it ends; `Err` is what is not there, or the link after which it is given up.
    pub end: Result<RootPath, RootPath>,
}

impl Listing {
    /// Follows a path as the kernel does for a program whose root is the image. A path without a slash in front is seen from the root.
    ///
    /// # Errors
    /// [`ListingError::Image`].
    pub fn follow(&self, image: &Image<impl ReadAt>, path: &[u8]) -> Result<Way, ListingError> {
        let mut pending: VecDeque<Vec<u8>> = components(path).collect();
        let mut at = RootPath::root();
        let mut links = Vec::new();
        while let Some(name) = pending.pop_front() {
            if name == b".." {
                at = at.parent().unwrap_or(at);
                continue;
            }
            let next = at.join(&name);
            let missing = || {
                let rest: Vec<u8> = pending
                    .iter()
                    .flat_map(|name| [b"/", name.as_slice()].concat())
                    .collect();
                RootPath::new([next.as_bytes(), &rest].concat())
            };
            match self.inode(&next) {
                None => {
                    return Ok(Way {
                        links,
                        end: Err(missing()),
                    });
                }
                Some(inode) if inode.kind == Kind::Symlink => {
                    if links.len() == MAX_LINKS {
                        return Ok(Way { links, end: Err(next) });
                    }
                    let target = image.read_link(inode)?;
                    if target.starts_with(b"/") {
                        at = RootPath::root();
                    }
                    let is_last = pending.is_empty();
                    for name in components(&target).collect::<Vec<_>>().into_iter().rev() {
                        pending.push_front(name);
                    }
                    links.push(LinkStep {
                        path: next,
                        target,
                        is_last,
                    });
                }
                Some(inode) if inode.kind != Kind::Directory && !pending.is_empty() => {
                    return Ok(Way {
                        links,
                        end: Err(missing()),
                    });
                }
                Some(_) => at = next,
            }
        }
        Ok(Way { links, end: Ok(at) })
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let names = path.split(|&byte| byte == b'/');
    names.filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec)
}
