//! Files that name the host's name servers, hosts and caller, mounted over those of the root file system instead of being written to
//! it: what is installed must not have them.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::error::errno;
use crate::host::Facts;
use crate::root::identity::{self, Account};

/// A file of the private `/tmp` that has its name for a moment.
const SCRATCH: &str = "/tmp/.polecat-name";

/// What to give.
#[derive(Debug)]
pub(super) struct Names {
    hosts: Vec<(&'static str, Vec<u8>)>,
    account: Account,
}

/// Files that are mounted.
#[derive(Debug, Default)]
pub(super) struct Given {
    mounted: Vec<PathBuf>,
    /// Those among them that were made to mount on.
    made: Vec<PathBuf>,
}

impl Names {
    pub(super) fn of(host: &Facts) -> Self {
        let files = host.files.iter().filter(|(path, _)| *path != "/etc/localtime");
        Self {
            hosts: files.cloned().collect(),
            account: host.account.clone(),
        }
    }

    /// Gives the names of hosts. What cannot be given is not there: a build needs no network.
    pub(super) fn of_hosts(&self) -> Given {
        let mut given = Given::default();
        for (path, contents) in &self.hosts {
            given.give(Path::new(path), contents);
        }
        given
    }

    /// Gives the caller names, where the root file system has none.
    pub(super) fn of_caller(&self) -> Given {
        let mut given = Given::default();
        let files = ["/etc/passwd", "/etc/group"].map(|path| (Path::new(path), fs::read(path).ok()));
        let [(passwd_path, passwd), (group_path, group)] = files;
        if let Some(contents) = identity::with_user(passwd.as_deref(), &self.account) {
            given.give(passwd_path, &contents);
        }
        if let Some(contents) = identity::with_group(group.as_deref(), &self.account) {
            given.give(group_path, &contents);
        }
        given
    }
}

impl Given {
    fn give(&mut self, path: &Path, contents: &[u8]) {
        let Ok(target) = self.target(path) else { return };
        if cover(&target, contents).is_ok() {
            self.mounted.push(target);
        }
    }

    /// Where `path` leads to; made where nothing is there.
    fn target(&mut self, path: &Path) -> std::io::Result<PathBuf> {
        match fs::canonicalize(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let target = match fs::read_link(path) {
                    // Of a name server's, say, that runs where the root file system is booted.
                    Ok(link) => private(path, &link).ok_or(error)?,
                    Err(_) => path.to_owned(),
                };
                if let Some(directory) = target.parent() {
                    fs::create_dir_all(directory)?;
                }
                let mut options = File::options();
                options.write(true).create_new(true).mode(0o644).open(&target)?;
                self.made.push(target.clone());
                Ok(target)
            }
            result => result,
        }
    }

    /// Takes the files away again.
    pub(super) fn take_back(self) -> Result<(), Errno> {
        for path in &self.mounted {
            umount2(path, MntFlags::MNT_DETACH)?;
        }
        for path in self.made {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(errno(&error)),
            }
        }
        Ok(())
    }
}

/// Where a link at `path` leads to, if that is in a directory of the run's own.
fn private(path: &Path, link: &Path) -> Option<PathBuf> {
    let mut target = PathBuf::from("/");
    for component in path.parent()?.join(link).components() {
        match component {
            Component::Normal(name) => target.push(name),
            Component::ParentDir => drop(target.pop()),
            _ => {}
        }
    }
    ["/run", "/tmp"]
        .iter()
        .any(|own| target.starts_with(own) && target != Path::new(own))
        .then_some(target)
}

/// Mounts a file that has these contents, and no name, on `target`.
fn cover(target: &Path, contents: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(SCRATCH)?;
    // No umask holds here.
    let readable = file.set_permissions(Permissions::from_mode(0o644));
    let covered = readable.and_then(|()| file.write_all(contents)).and_then(|()| {
        let bound = mount(Some(SCRATCH), target, None::<&str>, MsFlags::MS_BIND, None::<&str>);
        bound.map_err(std::io::Error::from)
    });
    fs::remove_file(SCRATCH)?;
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_may_be_followed() {
        for (link, expected) in [
            (
                "../run/systemd/resolve/stub-resolv.conf",
                Some("/run/systemd/resolve/stub-resolv.conf"),
            ),
            ("/run/resolv.conf", Some("/run/resolv.conf")),
            ("../../../tmp/./x", Some("/tmp/x")),
            ("resolv.conf.d/x", None),
            ("/run/../etc/x", None),
            ("/runner/x", None),
            ("/run", None),
            ("/var/run/x", None),
        ] {
            let found = private(Path::new("/etc/resolv.conf"), Path::new(link));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{link}");
        }
    }
}
