//! What the host says of itself, and what it says to a few questions that are asked by trying. Explains; decides nothing.

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;

use crate::error::{contains, errno};
use crate::host::{self, read_short};
use crate::root::pivot;
use crate::sys::process::{self, Change, Fork};
use crate::userns::{self, IdMap};

/// Settings that forbid what rungs need.
pub(super) const SETTINGS: [&str; 4] = [
    "kernel.unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns",
    "user.max_user_namespaces",
    "user.max_mnt_namespaces",
];

/// What an ordinary user's user namespace is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// One can be made and mounted in.
    Works,
    /// None can be made.
    NotMade(Errno),
    /// One can be made, and nothing mounted in it.
    Useless(Errno),
}

/// All that explains something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// User id of the caller.
    pub uid: u32,
    /// Whether the caller may mount without a namespace.
    pub privileged: bool,
    /// User namespaces.
    pub namespace: Namespace,
    /// Why `/dev/fuse` cannot be opened, if it cannot.
    pub fuse: Option<Errno>,
    /// The same of `/dev/loop-control`.
    pub loop_control: Option<Errno>,
    /// File systems that the kernel has in it or loaded, of the three that matter; none without /proc.
    pub filesystems: Option<[bool; 3]>,
    /// Settings of sysctl(8) that forbid namespaces, those that there are.
    pub settings: Vec<(&'static str, i64)>,
    /// Whether system calls of this process are filtered, seccomp(2).
    pub filtered: bool,
}

/// The file systems of [`Findings::filesystems`].
pub(super) const FILESYSTEMS: [&str; 3] = ["squashfs", "overlay", "fuse"];

impl Findings {
    /// Asks.
    pub(super) fn take() -> Self {
        let (uid, gid) = host::caller();
        let setting = |name: &'static str| {
            let text = read_short(Path::new(&format!("/proc/sys/{}", name.replace('.', "/")))).ok()?;
            let number = std::str::from_utf8(text.trim_ascii()).ok()?;
            Some((name, number.parse().ok()?))
        };
        let status = read_short(Path::new("/proc/self/status")).unwrap_or_default();
        Self {
            uid,
            privileged: host::may_build().unwrap_or(false),
            namespace: namespace(uid, gid),
            fuse: unopened("/dev/fuse"),
            loop_control: unopened("/dev/loop-control"),
            filesystems: read_short(Path::new("/proc/filesystems"))
                .ok()
                .map(|list| FILESYSTEMS.map(|name| contains(&list, &format!("\t{name}\n")))),
            settings: SETTINGS.into_iter().filter_map(setting).collect(),
            filtered: contains(&status, "\nSeccomp:\t2\n"),
        }
    }

    /// The value of one of [`SETTINGS`].
    pub(super) fn setting(&self, name: &str) -> Option<i64> {
        let found = self.settings.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    /// Whether the kernel is known not to have one of [`FILESYSTEMS`].
    pub(super) fn lacks(&self, name: &str) -> bool {
        let number = FILESYSTEMS.iter().position(|known| *known == name);
        matches!((self.filesystems, number), (Some(has), Some(number)) if has.get(number) == Some(&false))
    }
}

fn unopened(path: &str) -> Option<Errno> {
    let opened = File::options().read(true).write(true).open(Path::new(path));
    opened.err().map(|error| errno(&error))
}

/// Makes a user namespace, and mounts in it.
fn namespace(uid: u32, gid: u32) -> Namespace {
    /// Above every errno(3).
    const OTHER: u8 = 200;
    let child = match process::clone_into(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS) {
        Err(errno) => return Namespace::NotMade(errno),
        Ok(Fork::Parent(child)) => child,
        Ok(Fork::Child) => {
            let inside = |outside| IdMap { inside: 0, outside };
            let mapped = userns::map_ids(inside(uid), inside(gid)).map_err(|error| error.errno());
            let mounted = mapped.and_then(|()| {
                pivot::hide_mounts().map_err(|_| Errno::EPERM)?;
                mount(Some("tmpfs"), "/", Some("tmpfs"), MsFlags::empty(), None::<&str>)
            });
            process::exit(match mounted {
                Ok(()) => 0,
                Err(errno) => u8::try_from(errno as i32).unwrap_or(OTHER),
            })
        }
    };
    match process::wait(child) {
        Ok(Change::Exited(0)) => Namespace::Works,
        Ok(Change::Exited(number)) => Namespace::Useless(Errno::from_raw(number.into())),
        _ => Namespace::Useless(Errno::EPERM),
    }
}
