//! Hosts that are worse than this one: built for real, of mounts, limits and filters, around one start of a program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::place::ORDINARY_USER;
use crate::requirement::Need;
use crate::roots::compile;
use crate::scratch::Scratch;

/// What every host needs to be built.
pub const NEEDS: [Need; 3] = [Need::Root, Need::UserNamespaces, Need::Tool("musl-gcc")];

/// A host, described.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Lines of a shell that is root in a mount namespace of its own; `$1` is the directory of the bundle.
    pub setup: &'static str,
    /// What `fixtures/programs/launcher.c` does before it becomes the bundle.
    pub words: &'static [&'static str],
}

/// This machine as it is.
pub const PLAIN: Host = Host { setup: "", words: &[] };

/// `/dev` as most machines have it for FUSE: everyone may open it.
const BASE: &str = "set -e; mount -t tmpfs -o mode=755 tmpfs /mnt; mknod -m 666 /mnt/fuse c 10 229; \
                    if [ -e /dev/fuse ]; then mount --bind /mnt/fuse /dev/fuse; fi; ";

/// `dev NAME MODE MAJOR MINOR...` puts nodes into an empty `/dev`; of the names `null` to `tty` all but those in `$WITHOUT`.
const DEV: &str = "dev() { mkdir /mnt/dev; mount -t tmpfs -o mode=755 tmpfs /mnt/dev; mkdir /mnt/dev/pts /mnt/dev/shm; \
                   mount --bind /dev/pts /mnt/dev/pts; \
                   for node in null:3 zero:5 full:7 random:8 urandom:9; do \
                   case \" $WITHOUT \" in *\" ${node%:*} \"*) ;; *) mknod -m 666 /mnt/dev/${node%:*} c 1 ${node#*:};; esac; done; \
                   while [ $# -gt 0 ]; do mknod -m $2 /mnt/dev/$1 c $3 $4; shift 4; done; mount --move /mnt/dev /dev; }; ";

impl Host {
    /// A command that starts the bundle at `path` there, as root or as an ordinary user, without an environment. Arguments can be
    /// added.
    #[must_use]
    pub fn command(&self, launcher: &Launcher, user: Option<u32>, path: &Path) -> Command {
        let script = format!("{BASE}{DEV}{}\nshift; exec \"$@\"", self.setup);
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation=private", "sh", "-c", &script, "sh"])
            .arg(path.parent().expect("a directory"))
            .arg(launcher.path())
            .args(user.map(|id| format!("user={id}")))
            .args(self.words)
            .arg(path)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }
}

/// The ordinary user of these starts.
pub const USER: Option<u32> = Some(ORDINARY_USER);

/// `fixtures/programs/launcher.c`, compiled: one for each test, as one that is being written cannot be started.
#[derive(Debug)]
pub struct Launcher {
    path: PathBuf,
}

impl Launcher {
    /// Into `scratch`.
    #[must_use]
    pub fn new(scratch: &Scratch) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let path = scratch.join(format!("launcher-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        compile("launcher.c", &path);
        Self { path }
    }

    /// The executable.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
