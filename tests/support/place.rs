//! Who starts a bundle, and on which rung of the ladder.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::requirement::{Need, is_root, skip};

/// An id without an account on any machine ("nobody" is 65534). Where the tests are not root, they are an ordinary user
/// themselves.
pub const ORDINARY_USER: u32 = 65533;

/// A rung and a user. The rung is forced with `POLECAT_MOUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Root, kernel squashfs on a loop device.
    RootLoop,
    /// Root, our FUSE server.
    RootFuse,
    /// Root, unpacked to memory.
    RootUnpack,
    /// An ordinary user, our FUSE server.
    UserFuse,
    /// An ordinary user, unpacked to memory.
    UserUnpack,
}

impl Place {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::RootLoop,
        Self::RootFuse,
        Self::RootUnpack,
        Self::UserFuse,
        Self::UserUnpack,
    ];

    /// One for each user, on the rung that the machine takes by itself at best.
    pub const BOTH_USERS: [Self; 2] = [Self::RootLoop, Self::UserFuse];

    /// Those of them that the machine has, for a bundle that needs `besides`; of the others it is said that they are skipped.
    #[must_use]
    pub fn there(wanted: &[Self], besides: &[Need]) -> Vec<Self> {
        let possible = !skip(besides);
        let there = wanted.iter().filter(|place| possible && !skip(place.needs()));
        there.copied().collect()
    }

    /// Whether it is the ordinary user.
    #[must_use]
    pub const fn is_user(self) -> bool {
        matches!(self, Self::UserFuse | Self::UserUnpack)
    }

    /// The user and group that programs see themselves run as.
    #[must_use]
    pub fn id(self) -> u32 {
        match self {
            _ if !self.is_user() => 0,
            _ if is_root() => ORDINARY_USER,
            _ => nix::unistd::geteuid().as_raw(),
        }
    }

    /// The value of `POLECAT_MOUNT`.
    #[must_use]
    pub const fn rung(self) -> &'static str {
        match self {
            Self::RootLoop => "loop",
            Self::RootFuse | Self::UserFuse => "fuse",
            Self::RootUnpack | Self::UserUnpack => "unpack",
        }
    }

    /// What the machine must have.
    #[must_use]
    pub const fn needs(self) -> &'static [Need] {
        match self {
            Self::RootLoop => &[Need::Root, Need::Loop, Need::Overlay],
            Self::RootFuse => &[Need::Root, Need::Fuse, Need::Overlay],
            Self::RootUnpack => &[Need::Root],
            Self::UserFuse => &[Need::UserNamespaces, Need::Fuse, Need::Overlay],
            Self::UserUnpack => &[Need::UserNamespaces],
        }
    }

    /// A command that starts `program` here, without an environment. Arguments can be added. The process that is
    /// spawned becomes the program: everything before it replaces itself.
    #[must_use]
    pub fn command(self, program: &Path) -> Command {
        self.command_behind(&[], program)
    }

    /// The same with `prefix` right before the program: another program with arguments, which ends by executing its
    /// further arguments (such as `setsid --ctty`).
    #[must_use]
    pub fn command_behind(self, prefix: &[&str], program: &Path) -> Command {
        self.command_of(ORDINARY_USER, prefix, program)
    }

    /// The same for an ordinary user of this id, where the tests are root: one that runs nothing else.
    #[must_use]
    pub fn command_of(self, user: u32, prefix: &[&str], program: &Path) -> Command {
        let steps = if self.is_user() && is_root() {
            user_steps(self, user)
        } else {
            Vec::new()
        };
        let mut words = steps.into_iter().chain(prefix.iter().map(ToString::to_string));
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("POLECAT_MOUNT", self.rung());
        command
    }
}

/// Steps down from root to the ordinary user: in a mount namespace of its own with a `/dev/fuse` that everyone may
/// open, as most machines have it, or one that only root may.
fn user_steps(place: Place, id: u32) -> Vec<String> {
    let mode = if place == Place::UserFuse { "666" } else { "600" };
    let script = "set -e; mount -t tmpfs -o mode=755 tmpfs /mnt; mknod /mnt/fuse c 10 229; chmod \"$1\" /mnt/fuse; \
                  if [ -e /dev/fuse ]; then mount --bind /mnt/fuse /dev/fuse; fi; shift; exec \"$@\"";
    let (user, group) = (format!("--reuid={id}"), format!("--regid={id}"));
    [
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-c",
        script,
        "sh",
        mode,
        "setpriv",
        &user,
        &group,
        "--clear-groups",
    ]
    .map(str::to_owned)
    .to_vec()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", if self.is_user() { "user" } else { "root" }, self.rung())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec;
    use crate::requirement::skip;

    #[test]
    fn users_have_the_fuse_device_that_their_place_says() {
        for (place, code) in [(Place::UserFuse, 0), (Place::UserUnpack, 2)] {
            if skip(&[Need::Root, Need::Fuse]) {
                return;
            }
            let mut command = place.command(Path::new("/bin/sh"));
            let ended = exec::run(command.args(["-c", "id -u; id -G; echo $POLECAT_MOUNT; : <> /dev/fuse"]));
            assert_eq!(ended.code(), Some(code), "{place}: {ended}");
            assert_eq!(
                ended.out(),
                format!("{ORDINARY_USER}\n{ORDINARY_USER}\n{}\n", place.rung())
            );
        }
    }
}
