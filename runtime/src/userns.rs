//! User namespaces for a caller who may not mount: user_namespaces(7).
//!
//! Two of them, one in the other, when the caller is an ordinary user. In the outer one, where the root is built, the
//! caller is user 0: devpts cannot be mounted where 0 is nobody. In the inner one, where the app runs, the caller has his own id
//! again; it owns no mount, so even an app that got hold of its capabilities could not change one.

use std::fmt;
use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use crate::error::errno;
use crate::limits;

/// What to try when a user namespace is made but means nothing.
const RESTRICTED_HINT: &str = "user namespaces are restricted here: see \
    kernel.apparmor_restrict_unprivileged_userns, kernel.unprivileged_userns_clone and user.max_user_namespaces, or run as root";

/// What to try when user 0 may not be mapped.
const ROOT_HINT: &str = "user 0 without CAP_SYS_ADMIN needs CAP_SETFCAP for a user namespace (Linux 5.12 and later): give it one of \
    the two, or run as another user";

/// One id inside for one outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    /// As the new namespace sees it.
    pub inside: u32,
    /// As the namespace around it sees it.
    pub outside: u32,
}

impl IdMap {
    fn line(self) -> String {
        format!("{} {} 1\n", self.inside, self.outside)
    }
}

/// Gives this process, which is new in its user namespace, its ids. Only the caller's can be given, as nobody with
/// more rights helps.
///
/// # Errors
/// See [`UserNamespaceError`].
pub fn map_ids(user: IdMap, group: IdMap) -> Result<(), UserNamespaceError> {
    write("/proc/self/uid_map", &user.line()).map_err(|error| error.of_user(user))?;
    // Without this a group that takes rights away could be left, CVE-2014-8989. Kernels before 3.19 have no such file.
    match write("/proc/self/setgroups", "deny") {
        Err(UserNamespaceError::Map {
            errno: Errno::ENOENT, ..
        }) => {}
        result => result?,
    }
    write("/proc/self/gid_map", &group.line())
}

/// Steps from user 0 of this namespace, which is the caller, into a new one where the caller is `uid` and `gid`.
/// Afterwards this process has all capabilities there and none in the old one.
///
/// # Errors
/// See [`UserNamespaceError`].
pub fn enter_inner(uid: u32, gid: u32) -> Result<(), UserNamespaceError> {
    unshare(CloneFlags::CLONE_NEWUSER).map_err(UserNamespaceError::Inner)?;
    map_ids(
        IdMap {
            inside: uid,
            outside: 0,
        },
        IdMap {
            inside: gid,
            outside: 0,
        },
    )
}

/// Whether `map`, the contents of `/proc/PID/uid_map` or `gid_map`, maps every id to itself, as outside of all user
/// namespaces.
#[must_use]
pub fn is_whole(map: &[u8]) -> bool {
    let fields = map.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    fields.eq([&b"0"[..], b"0", b"4294967295"])
}

fn write(path: &'static str, contents: &str) -> Result<(), UserNamespaceError> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, contents.as_bytes()))
        .map_err(|error| UserNamespaceError::Map {
            path,
            errno: errno(&error),
        })
}

/// Why a user namespace is of no use.
#[derive(Debug)]
pub enum UserNamespaceError {
    /// The ids could not be mapped.
    Map {
        /// File of proc(5) that would not be written.
        path: &'static str,
        /// Why.
        errno: Errno,
    },
    /// User 0 could not be mapped to itself.
    MapRoot {
        /// Why.
        errno: Errno,
    },
    /// The inner namespace could not be made.
    Inner(Errno),
}

impl UserNamespaceError {
    /// The same about the map of `user`.
    fn of_user(self, user: IdMap) -> Self {
        match self {
            Self::Map {
                errno: errno @ Errno::EPERM,
                ..
            } if user == (IdMap { inside: 0, outside: 0 }) => Self::MapRoot { errno },
            error => error,
        }
    }

    /// What the system said.
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Self::Map { errno, .. } | Self::MapRoot { errno } | Self::Inner(errno) => *errno,
        }
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Map { errno, .. } => match errno {
                Errno::ENOENT => "mount proc on /proc",
                Errno::EROFS => "mount proc on /proc so that it may be written to",
                Errno::EPERM | Errno::EACCES => RESTRICTED_HINT,
                errno => limits::hint(*errno)?,
            },
            Self::MapRoot { .. } => ROOT_HINT,
            Self::Inner(Errno::ENOSPC | Errno::EUSERS) => "raise user.max_user_namespaces",
            Self::Inner(Errno::EPERM | Errno::EACCES) => RESTRICTED_HINT,
            Self::Inner(errno) => limits::hint(*errno)?,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for UserNamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map { path, errno } => write!(f, "map the caller's ids: write {path}: {}", errno.desc()),
            Self::MapRoot { errno } => write!(f, "map user 0: write /proc/self/uid_map: {}", errno.desc()),
            Self::Inner(errno) => write!(f, "make the app's user namespace: {}", errno.desc()),
        }
    }
}

impl std::error::Error for UserNamespaceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_those_of_the_errno() {
        let ordinary = IdMap {
            inside: 0,
            outside: 1000,
        };
        let root = IdMap { inside: 0, outside: 0 };
        for (user, errno, expected) in [
            (ordinary, Errno::EPERM, Some("user namespaces are restricted")),
            (root, Errno::EPERM, Some("CAP_SETFCAP")),
            (root, Errno::EMFILE, Some("ulimit -n")),
            (ordinary, Errno::EMFILE, Some("ulimit -n")),
            (ordinary, Errno::ENOENT, Some("mount proc")),
            (ordinary, Errno::EIO, None),
        ] {
            let path = "/proc/self/uid_map";
            let hint = UserNamespaceError::Map { path, errno }.of_user(user).hint();
            assert_eq!(hint.is_some(), expected.is_some(), "{user:?} {errno}");
            assert!(
                hint.unwrap_or_default().contains(expected.unwrap_or_default()),
                "{user:?} {errno}"
            );
        }
        let inner = |errno| UserNamespaceError::Inner(errno).hint().unwrap_or_default();
        assert!(inner(Errno::ENOSPC).contains("user.max_user_namespaces"));
        assert!(inner(Errno::EPERM).contains("restricted"));
        assert_eq!(inner(Errno::ENOMEM), "");
    }

    #[test]
    fn maps() {
        let cases: [(&[u8], bool); 5] = [
            (b"         0          0 4294967295\n", true),
            (b"         0       1000          1\n", false),
            (b"         0     100000      65536\n", false),
            (
                b"         0          0          1\n         1     100000      65536\n",
                false,
            ),
            (b"", false),
        ];
        for (map, expected) in cases {
            assert_eq!(is_whole(map), expected, "{}", String::from_utf8_lossy(map));
        }
    }
}
