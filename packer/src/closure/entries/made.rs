//! Entries that the root file system does not have.

use nix::errno::Errno;

use super::Entries;
use crate::elf::is_absence;
use crate::plan::{Entry, Node, Reason, ReasonKind, WarningKind};
use crate::rootfs::{Kind, Last, MAX_LINKS, RootPath, RootfsError};

impl Entries<'_> {
    /// Inserts a path that the root file system does not have: a directory, or a file with contents of the plan's own. Links on the
    /// way are followed, also those that lead to where nothing is: that is made.
    pub(in crate::closure) fn insert_made(
        &mut self,
        path: &RootPath,
        node: Node,
        mode: u32,
        detail: &str,
    ) -> Result<(), RootfsError> {
        let reason = Reason {
            kind: ReasonKind::Base,
            by: None,
            detail: detail.to_owned(),
        };
        let parent = path.parent().unwrap_or_else(RootPath::root);
        let Some(parent) = self.directory_for(&parent, &reason, MAX_LINKS)? else {
            self.warn(
                WarningKind::Skipped,
                path,
                format!("left out: {parent} is no directory"),
            );
            return Ok(());
        };
        self.insert_new(parent.join(path.file_name()), node, mode, reason);
        Ok(())
    }

    /// Where the directory `path` really is, made where it is missing, with `links` more that may be followed to where nothing is; none
    /// where something else is, or they lead in circles.
    fn directory_for(
        &mut self,
        path: &RootPath,
        reason: &Reason,
        links: usize,
    ) -> Result<Option<RootPath>, RootfsError> {
        match self.rootfs.resolve(path.as_bytes(), Last::Follow) {
            Ok(place) if place.metadata.kind == Kind::Directory => {
                self.add(path.as_bytes(), reason)?;
                return Ok(Some(place.path));
            }
            Err(error) if error.errno() == Errno::ENOENT => {}
            Err(error) if !is_absence(error.errno()) => return Err(error),
            Ok(_) | Err(_) => return Ok(None),
        }
        if let Ok(link) = self.rootfs.resolve(path.as_bytes(), Last::Keep) {
            let target = self.rootfs.read_link(&link.path)?;
            let (Some(behind), Some(links)) = (self.behind(&link.path, &target), links.checked_sub(1)) else {
                return Ok(None);
            };
            self.add_alone(&link.path, reason)?;
            let stays = self.is_link(&link.path);
            return if stays {
                self.directory_for(&behind, reason, links)
            } else {
                Ok(None)
            };
        }
        let above = path.parent().unwrap_or_else(RootPath::root);
        let Some(above) = self.directory_for(&above, reason, links)? else {
            return Ok(None);
        };
        let made = above.join(path.file_name());
        self.insert_new(made.clone(), Node::Directory, 0o755, reason.clone());
        Ok(Some(made))
    }

    /// Where a link with this target leads, as far as it can be said of what is not there: nothing leads up from it.
    fn behind(&self, link: &RootPath, target: &[u8]) -> Option<RootPath> {
        let parent = |path: &RootPath| path.parent().unwrap_or_else(RootPath::root);
        let mut at = if target.first() == Some(&b'/') {
            RootPath::root()
        } else {
            parent(link)
        };
        for name in target.split(|&byte| byte == b'/') {
            at = match name {
                b"" | b"." => at,
                b".." => parent(&self.rootfs.resolve(at.as_bytes(), Last::Follow).ok()?.path),
                name => at.join(name),
            };
        }
        Some(at)
    }

    fn insert_new(&mut self, path: RootPath, node: Node, mode: u32, reason: Reason) {
        if self.entries.contains_key(&path) || self.excluding(&path).is_some() {
            return;
        }
        let entry = Entry {
            node,
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
            reason,
        };
        self.entries.insert(path, entry);
    }
}
