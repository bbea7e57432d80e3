//! A mount by fusermount3(1), which may what its caller may not: it is set-user-id root.
//!
//! It is told by a socket, whose number is in `_FUSE_COMMFD`, and gives the connection to the kernel back through it. With
//! `auto_unmount` it stays until the other end of that socket is closed, however that comes about, and takes the mount away if
//! nobody serves it any more.

use std::env;
use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{Pid, dup2_stderr, execve, fchdir, pipe2};

use crate::error::contains;
use crate::host::read_start;
use crate::process::descriptors;
use crate::process::packet::{self, Taken};
use crate::sys::descriptor;
use crate::sys::process::{self, Change, Fork};

/// What it is called: with libfuse 3, and before.
const NAMES: [&str; 2] = ["fusermount3", "fusermount"];

/// Where it is, besides `PATH`.
const USUAL: [&str; 5] = ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin", "/sbin"];

/// What it is asked for. The kernel itself decides who may do what, by the modes it is told.
const OPTIONS: &CStr = c"ro,nosuid,nodev,default_permissions,auto_unmount,fsname=polecat,subtype=polecat";

/// Longest text of it that is repeated, bytes.
const LONGEST: usize = 500;

/// The status of the process that is to become it, and cannot.
const NOT_FOUND: u8 = 127;

/// A mount.
#[derive(Debug)]
pub(super) struct Mount {
    /// The connection to the kernel: somebody must serve it.
    pub(super) connection: OwnedFd,
    /// While this is open anywhere the mount stays.
    pub(super) keep: OwnedFd,
    /// The process that waits for its end.
    pub(super) waiter: Pid,
}

/// Why there is no mount.
#[derive(Debug)]
pub(crate) enum FusermountError {
    /// There is no such program.
    Missing,
    /// It refused, and said this.
    Refused(String),
    /// It could not be asked.
    Step { step: &'static str, errno: Errno },
}

/// Mounts on `target`, a directory of the caller's.
pub(super) fn mount(target: &Path) -> Result<Mount, FusermountError> {
    let failed = |step| move |errno| FusermountError::Step { step, errno };
    let (ours, its) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(failed("make a socket for fusermount3"))?;
    let (said, says) = pipe2(OFlag::O_CLOEXEC).map_err(failed("make a pipe for fusermount3"))?;
    let target = text(target)?;
    let pid = start(&[c"-o", OPTIONS, c"--", &target], Passed::Socket(its.as_fd()), &says)?;
    drop((its, says));
    let received = receive(&ours);
    if let Ok(Some(connection)) = received {
        return Ok(Mount {
            connection,
            keep: ours,
            waiter: pid,
        });
    }
    // It may have mounted, and its answer found no room here. Without this end it takes the mount away and ends.
    drop(ours);
    let why = why_not(pid, said);
    Err(received.map_or_else(failed("hear of fusermount3"), |_| why))
}

/// Takes the mount on `name` in `directory` away; whoever is in it stays there. Where that fails somebody was faster, or will be.
pub(super) fn unmount(directory: BorrowedFd<'_>, name: &CStr) {
    let asked = || {
        let (_, says) = pipe2(OFlag::O_CLOEXEC).ok()?;
        let pid = start(&[c"-u", c"-q", c"-z", c"--", name], Passed::Directory(directory), &says).ok()?;
        process::wait(pid).ok()
    };
    match asked() {
        Some(_) | None => {}
    }
}

fn text(path: &Path) -> Result<CString, FusermountError> {
    let failed = |_| FusermountError::Step {
        step: "name the mount point",
        errno: Errno::EINVAL,
    };
    CString::new(path.as_os_str().as_bytes()).map_err(failed)
}

/// Where it may be, in the order in which it is tried.
fn candidates(path: &OsStr) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in NAMES {
        for directory in path
            .as_bytes()
            .split(|&byte| byte == b':')
            .chain(USUAL.map(str::as_bytes))
        {
            let directory = Path::new(OsStr::from_bytes(directory));
            if directory.is_absolute() {
                found.push(directory.join(name));
            }
        }
    }
    found
}

/// What it gets besides its arguments.
#[derive(Debug, Clone, Copy)]
enum Passed<'a> {
    /// Where it gives the connection back.
    Socket(BorrowedFd<'a>),
    /// Where the names of its arguments are.
    Directory(BorrowedFd<'a>),
}

/// Starts it with `arguments`. It keeps nothing of the caller's open.
fn start(arguments: &[&CStr], passed: Passed<'_>, stderr: &OwnedFd) -> Result<Pid, FusermountError> {
    let failed = |step| move |errno| FusermountError::Step { step, errno };
    let arguments = [&[c"fusermount3"], arguments].concat();
    let number = match passed {
        Passed::Socket(socket) => format!("_FUSE_COMMFD={}", socket.as_raw_fd()),
        Passed::Directory(_) => String::new(),
    };
    let number = CString::new(number).unwrap_or_default();
    match process::fork().map_err(failed("fork for fusermount3"))? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            let ready = descriptors::release()
                .and_then(|()| dup2_stderr(stderr))
                .and_then(|()| match passed {
                    Passed::Socket(socket) => fcntl(socket, FcntlArg::F_SETFD(FdFlag::empty())).map(drop),
                    Passed::Directory(directory) => fchdir(directory),
                });
            if ready.is_err() {
                process::exit(NOT_FOUND);
            }
            for candidate in candidates(&env::var_os("PATH").unwrap_or_default()) {
                if let Ok(path) = text(&candidate) {
                    match execve(&path, &arguments, &[number.as_c_str()]) {
                        // The next may be another.
                        Err(_) => {}
                        Ok(never) => match never {},
                    }
                }
            }
            process::exit(NOT_FOUND)
        }
    }
}

/// The descriptor that comes through `socket`; none when it is closed.
fn receive(socket: &OwnedFd) -> Result<Option<OwnedFd>, Errno> {
    loop {
        match packet::take(socket, true)? {
            Taken::Packet(_, mut descriptors) => return Ok(descriptors.pop()),
            Taken::Closed => return Ok(None),
            Taken::Nothing => {}
        }
    }
}

fn why_not(pid: Pid, said: OwnedFd) -> FusermountError {
    let text = read_start(File::from(said), LONGEST).unwrap_or_default();
    match process::wait(pid) {
        Ok(Change::Exited(NOT_FOUND)) if text.is_empty() => FusermountError::Missing,
        _ => {
            // Control characters of another program's words are no matter of this one's terminal.
            let mut said = String::new();
            for line in text.split(u8::is_ascii_control).filter(|line| !line.is_empty()) {
                said.push_str(if said.is_empty() { "" } else { "; " });
                said.push_str(&String::from_utf8_lossy(line));
            }
            if said.is_empty() {
                said.push_str("fusermount3 failed without a word");
            }
            FusermountError::Refused(said)
        }
    }
}

/// Gives `descriptor` a high number: the kernel closes those of a killed process from the lowest on, and the mount must be without
/// a server when its keeper looks.
pub(crate) fn raise(descriptor: OwnedFd) -> OwnedFd {
    const HIGH: RawFd = 100;
    match descriptor::duplicate_above(descriptor.as_fd(), HIGH) {
        Ok(higher) => higher,
        // A low limit of open files.
        Err(_) => descriptor,
    }
}

impl FusermountError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => Some("install fusermount3, which is in the package fuse3".into()),
            Self::Refused(text) if contains(text.as_bytes(), "/dev/fuse") => Some("modprobe fuse".into()),
            Self::Refused(text) if contains(text.as_bytes(), "username") => {
                Some("give this user an entry in /etc/passwd, which fusermount3 asks for".into())
            }
            Self::Refused(_) => None,
            Self::Step { errno, .. } => crate::limits::hint_of_fork(*errno).map(str::to_owned),
        }
    }
}

impl fmt::Display for FusermountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "no fusermount3 in PATH or {}", USUAL.join(" ")),
            Self::Refused(text) => f.write_str(text),
            Self::Step { step, errno } => write!(f, "{step}: {}", errno.desc()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_name_comes_first_everywhere() {
        let found = candidates(OsStr::new("/a:relative::/b"));
        let name = |path: &str| PathBuf::from(path);
        assert_eq!(found.len(), 2 * (2 + USUAL.len()));
        assert_eq!(
            found[..3],
            [
                name("/a/fusermount3"),
                name("/b/fusermount3"),
                name("/usr/bin/fusermount3")
            ]
        );
        assert_eq!(found[2 + USUAL.len()], name("/a/fusermount"));
        assert_eq!(candidates(OsStr::new("")).len(), 2 * USUAL.len());
    }
}
