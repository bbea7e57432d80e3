//! Every path of a tree, once, without keeping what is met.

use std::ops::ControlFlow;
use std::os::fd::AsFd;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{fstat, fstatat};

use super::{Kind, Last, Metadata, RootPath, Rootfs};

/// What is met.
#[derive(Debug)]
pub struct Met<'a> {
    /// Where it is.
    pub path: &'a RootPath,
    /// What it is.
    pub kind: Kind,
}

impl Rootfs {
    /// Tells `tell` of each path below the directory `top`, which itself is not told of, directories before what is in them. Links are
    /// not followed; other file systems are entered where `enters` says so of the directory. What may not be read, or has gone meanwhile,
    /// is passed by. Says whether `tell` broke it off.
    pub fn visit(
        &self,
        top: &RootPath,
        enters: impl Fn(&RootPath) -> bool,
        mut tell: impl FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut pending = vec![(top.clone(), None)];
        while let Some((directory, device)) = pending.pop() {
            let Ok((entries, own)) = self.open_dir(&directory) else {
                continue;
            };
            if device.is_some_and(|device| device != own) && !enters(&directory) {
                continue;
            }
            for (name, kind) in names(entries) {
                let path = directory.join(name);
                tell(Met { path: &path, kind })?;
                if kind == Kind::Directory {
                    pending.push((path, Some(own)));
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether a link, whose directories are none, leads to something.
    pub fn leads_somewhere(&self, link: &RootPath) -> bool {
        match self.confinement.follow(&self.root, link) {
            Some(found) => found,
            None => self.resolve(link.as_bytes(), Last::Follow).is_ok(),
        }
    }

    fn open_dir(&self, path: &RootPath) -> Result<(Dir, u64), Errno> {
        let descriptor = self.open_at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let device = fstat(&descriptor)?.st_dev;
        Ok((Dir::from_fd(descriptor)?, device))
    }
}

/// The names in a directory, and what has them; one that cannot be read on ends there.
fn names(mut directory: Dir) -> Vec<(Vec<u8>, Kind)> {
    let mut unknown = Vec::new();
    let mut names = Vec::new();
    for entry in directory.iter().map_while(Result::ok) {
        let name = entry.file_name();
        match entry.file_type() {
            _ if matches!(name.to_bytes(), b"." | b"..") => {}
            Some(kind) => names.push((name.to_bytes().to_vec(), Kind::from(kind))),
            None => unknown.push(name.to_owned()),
        }
    }
    // Where the file system does not say it with the name.
    for name in unknown {
        if let Ok(status) = fstatat(directory.as_fd(), name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            names.push((name.into_bytes(), Metadata::from(&status).kind));
        }
    }
    names
}
