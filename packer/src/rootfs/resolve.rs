//! Resolution of a path, hop by hop, as the kernel does it for a process whose root is the root file system.

use std::collections::VecDeque;

use nix::errno::Errno;

use super::{Kind, Metadata, RootPath, Rootfs, RootfsError};

/// Symbolic links followed in one look-up before the kernel says ELOOP: MAXSYMLINKS, path_resolution(7).
pub(crate) const MAX_LINKS: usize = 40;

/// What to do when the last component is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// Go on to its target.
    Follow,
    /// Stop at the link (a slash behind it still follows it).
    Keep,
}

/// Where a path leads, and what was passed through on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Where it ends: no component is a link (but the last, with [`Last::Keep`]).
    pub path: RootPath,
    /// What is there.
    pub metadata: Metadata,
    /// Every symbolic link followed, in order; each by the path of its real directory.
    pub links: Vec<RootPath>,
    /// Every directory passed through, in order, without the root: also those that `..` left again.
    pub directories: Vec<RootPath>,
}

impl Rootfs {
    /// Resolves `path` (relative paths as seen from the root): links, also absolute ones, lead to places inside the root, and `..`
    /// stops there.
    ///
    /// # Errors
    /// What the kernel would say, with the component it stopped at: ENOENT, ENOTDIR, EACCES, ELOOP after 40 links, ENAMETOOLONG for
    /// a component (the path as a whole may be longer than one system call takes).
    pub fn resolve(&self, path: impl AsRef<[u8]>, last: Last) -> Result<Resolution, RootfsError> {
        let path = path.as_ref();
        if path.is_empty() {
            return Err(RootfsError::Lookup {
                path: RootPath::root(),
                errno: Errno::ENOENT,
            });
        }
        Walk::new(self, path, last)?.run()
    }
}

/// One walk from the root to the end of a path.
struct Walk<'a> {
    rootfs: &'a Rootfs,
    last: Last,
    /// Components still to go: names, `.`, `..`, and an empty one for a slash at the end.
    pending: VecDeque<Vec<u8>>,
    /// Where the walk is; no component is a link.
    at: RootPath,
    metadata: Metadata,
    links: Vec<RootPath>,
    directories: Vec<RootPath>,
}

impl<'a> Walk<'a> {
    fn new(rootfs: &'a Rootfs, path: &[u8], last: Last) -> Result<Self, RootfsError> {
        let at = RootPath::root();
        let metadata = rootfs.node(&at)?.metadata;
        let pending = components(path).collect();
        Ok(Self {
            rootfs,
            last,
            pending,
            at,
            metadata,
            links: Vec::new(),
            directories: Vec::new(),
        })
    }

    fn run(mut self) -> Result<Resolution, RootfsError> {
        while let Some(component) = self.pending.pop_front() {
            if self.metadata.kind != Kind::Directory {
                return Err(RootfsError::Lookup {
                    path: self.at,
                    errno: Errno::ENOTDIR,
                });
            }
            match component.as_slice() {
                b"" | b"." => {}
                b".." => self.up()?,
                name => self.down(name)?,
            }
        }
        Ok(Resolution {
            path: self.at,
            metadata: self.metadata,
            links: self.links,
            directories: self.directories,
        })
    }

    fn up(&mut self) -> Result<(), RootfsError> {
        self.at = self.at.parent().unwrap_or_else(RootPath::root);
        self.metadata = self.rootfs.node(&self.at)?.metadata;
        Ok(())
    }

    fn down(&mut self, name: &[u8]) -> Result<(), RootfsError> {
        let path = self.at.join(name);
        if name.contains(&0) {
            return Err(RootfsError::Lookup {
                path,
                errno: Errno::ENOENT,
            });
        }
        let node = self.rootfs.node(&path)?;
        let keep = self.last == Last::Keep && self.pending.is_empty();
        match &node.target {
            Some(target) if !keep => self.follow(path, target),
            _ => {
                if node.metadata.kind == Kind::Directory {
                    self.directories.push(path.clone());
                }
                self.at = path;
                self.metadata = node.metadata;
                Ok(())
            }
        }
    }

    fn follow(&mut self, link: RootPath, target: &[u8]) -> Result<(), RootfsError> {
        if self.links.len() == MAX_LINKS || self.rootfs.node(&link)?.magic {
            return Err(RootfsError::Lookup {
                path: link,
                errno: Errno::ELOOP,
            });
        }
        if target.is_empty() {
            return Err(RootfsError::Lookup {
                path: link,
                errno: Errno::ENOENT,
            });
        }
        self.links.push(link);
        if target.starts_with(b"/") {
            self.at = RootPath::root();
            self.metadata = self.rootfs.node(&self.at)?.metadata;
        }
        for component in components(target).collect::<Vec<_>>().into_iter().rev() {
            self.pending.push_front(component);
        }
        Ok(())
    }
}

/// The components of a path as they are walked; a slash at the end is an empty component, which asks for a directory.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let trailing = path.ends_with(b"/").then(Vec::new);
    path.split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .chain(trailing)
}
