//! How holder and server come to be: behind the start that first wishes them, and out of its way.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, umount2};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, dup2_stderr, mkdir, pipe2, setsid};

use super::Wish;
use super::holder::{self, Holder};
use super::note::FromHolder;
use crate::exit;
use crate::host::Facts;
use crate::image::{CheckError, MountError, fuse, kernel_loop};
use crate::ladder::Rung;
use crate::process::descriptors;
use crate::process::message::Failure;
use crate::process::packet::{Taken, give, take};
use crate::process::server::{self, Service};
use crate::root::pivot::{self, HOST, PivotError};
use crate::sys::process::{self, Fork};
use crate::userns::{self, IdMap, UserNamespaceError};

/// Where the holder has the image.
const TARGET: &str = "/image";

/// Bytes of the tmpfs that the holder's root is: two empty directories.
const BASE_LENGTH: u64 = 1 << 20;

/// Makes a holder that keeps the mount for `seconds`, and waits until it has it.
pub(super) fn start(wish: &Wish, seconds: u32, host: &Facts, listener: OwnedFd) -> Result<(), KeepError> {
    let step = |step| move |errno| KeepError::Step { step, errno };
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(step("make a socket"))?;
    match process::fork().map_err(step("fork"))? {
        Fork::Parent(child) => {
            drop((theirs, listener));
            // It ends at once, and leaves a child behind that is nobody's.
            process::wait(child).map_err(step("wait for the keeper"))?;
        }
        Fork::Child => {
            drop(ours);
            let status = match process::fork() {
                Ok(Fork::Parent(_)) => 0,
                Ok(Fork::Child) => run(wish, seconds, host, listener, theirs),
                Err(_) => exit::FAILED,
            };
            process::exit(status)
        }
    }
    match take(&ours, true).map_err(step("hear of the holder"))? {
        Taken::Packet(words, _) => match FromHolder::decode(&words) {
            Some(FromHolder::Mount) => Ok(()),
            Some(FromHolder::Failed(failure)) => Err(KeepError::Elsewhere(failure)),
            Some(FromHolder::Left | FromHolder::Released) | None => Err(KeepError::Ended),
        },
        Taken::Nothing | Taken::Closed => Err(KeepError::Ended),
    }
}

/// The server's process, which first makes the holder's. The status is its own.
fn run(wish: &Wish, seconds: u32, host: &Facts, listener: OwnedFd, starter: OwnedFd) -> u8 {
    match detach().and_then(|()| split(wish, seconds, host, listener, &starter)) {
        Ok(Some((connection, report))) => {
            // The holder has told the starter.
            drop(starter);
            serve(&wish.service, connection, &File::from(report))
        }
        Ok(None) => 0,
        Err(error) => {
            tell_failure(&starter, &error);
            exit::FAILED
        }
    }
}

/// Away from the caller's terminal, directory and files; signals end this process as they end others.
fn detach() -> Result<(), KeepError> {
    let step = |step| move |errno| KeepError::Step { step, errno };
    setsid().map_err(step("make a session"))?;
    chdir("/").map_err(step("leave the directory"))?;
    descriptors::release().map_err(step("let go of descriptors"))?;
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        dup2_stderr(&null).map_err(step("let go of stderr"))?;
    }
    SigSet::empty().thread_set_mask().map_err(step("unblock signals"))
}

/// Makes the holder. Gives what is to be served and where to report, if anything is.
fn split(
    wish: &Wish,
    seconds: u32,
    host: &Facts,
    listener: OwnedFd,
    starter: &OwnedFd,
) -> Result<Option<(OwnedFd, OwnedFd)>, KeepError> {
    let step = |step| move |errno| KeepError::Step { step, errno };
    prctl::set_name(c"polecat-keep").map_err(step("set a name"))?;
    let (failures, report) = pipe2(OFlag::O_CLOEXEC).map_err(step("make a pipe"))?;
    let (server, holder) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(step("make a socket"))?;
    let mut namespaces = CloneFlags::CLONE_NEWNS;
    namespaces.set(CloneFlags::CLONE_NEWUSER, !host.privileged);
    match process::clone_into(namespaces).map_err(step("make namespaces"))? {
        Fork::Parent(_) => {
            drop((failures, holder, listener));
            match take(&server, true).map_err(step("hear of the mount"))? {
                Taken::Packet(_, mut descriptors) => Ok(descriptors.pop().map(|connection| (connection, report))),
                // The kernel serves, or there is none, as the holder has said.
                Taken::Nothing | Taken::Closed => Ok(None),
            }
        }
        Fork::Child => {
            drop((server, report));
            let status = match hold(wish, seconds, host, listener, failures, &holder) {
                Ok(holding) => {
                    drop(holder);
                    tell(starter, &FromHolder::Mount);
                    // What goes wrong later is the end of keeping, and no start waits for it.
                    holding.serve().map_or(exit::FAILED, |()| 0)
                }
                Err(error) => {
                    tell_failure(starter, &error);
                    exit::FAILED
                }
            };
            process::exit(status)
        }
    }
}

fn tell_failure(starter: &OwnedFd, error: &KeepError) {
    tell(starter, &FromHolder::Failed(Failure::of(error, None, exit::FAILED)));
}

/// If the starter is gone nobody waits.
fn tell(starter: &OwnedFd, words: &FromHolder) {
    match give(starter, &words.encode(), &[]) {
        Ok(()) | Err(_) => {}
    }
}

/// The holder's process: mounts, and lets go of the host.
fn hold(
    wish: &Wish,
    seconds: u32,
    host: &Facts,
    listener: OwnedFd,
    failures: OwnedFd,
    server: &OwnedFd,
) -> Result<Holder, KeepError> {
    let step = |step| move |errno| KeepError::Step { step, errno };
    let runtime_directory = env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    let watch = runtime_directory.and_then(|directory| holder::watch(&PathBuf::from(directory)));
    let user_namespace = match host.privileged {
        true => None,
        false => {
            let map = |outside| IdMap { inside: 0, outside };
            userns::map_ids(map(host.uid), map(host.gid))?;
            let namespace = File::open("/proc/self/ns/user");
            Some(namespace.map_err(|error| KeepError::Step {
                step: "open the user namespace",
                errno: crate::error::errno(&error),
            })?)
        }
    };
    pivot::hide_mounts()?;
    pivot::into_base(BASE_LENGTH, false)?;
    let target = Path::new(TARGET);
    mkdir(target, Mode::S_IRWXU).map_err(step("make a mount point"))?;
    let served = mount_first(wish, target)?;
    umount2(HOST, MntFlags::MNT_DETACH).map_err(step("detach the host"))?;
    if let Some(connection) = &served {
        give(server, b"serve", &[connection.as_fd()]).map_err(step("hand the mount over"))?;
    }
    Ok(Holder {
        listener,
        target: Path::new(TARGET),
        user_namespace: user_namespace.map(OwnedFd::from),
        server: served.map(|_| failures),
        watch,
        seconds,
        guests: Vec::new(),
    })
}

/// Mounts on the first rung that holds. Gives the FUSE connection, if it is that.
fn mount_first(wish: &Wish, target: &Path) -> Result<Option<OwnedFd>, KeepError> {
    let dev = Path::new(HOST).join("dev");
    let Service { image, owner } = &wish.service;
    let mut left = KeepError::NoRung;
    for rung in &wish.rungs {
        let mounted = match rung {
            Rung::Loop => kernel_loop::mount(image, &dev, target).map(|()| None),
            Rung::Fuse => fuse::mount(&dev, target, *owner).map(Some),
            _ => continue,
        };
        match mounted {
            Ok(connection) => return Ok(connection),
            Err(error) => left = KeepError::Mount(error),
        }
    }
    Err(left)
}

/// Answers the kernel until nobody has the mount any more.
fn serve(service: &Service, connection: OwnedFd, report: &File) -> u8 {
    // A name is for people.
    match prctl::set_name(c"polecat-keep-image") {
        Ok(()) | Err(_) => {}
    }
    let Ok(at_once) = report.try_clone() else {
        return exit::FAILED;
    };
    let say = |mut to: &File, failure: &Failure| match to.write_all(&failure.encode()) {
        // The holder is gone; whoever reads gets an error.
        Ok(()) | Err(_) => {}
    };
    let tell = move |error: &CheckError| say(&at_once, &server::unverified(error));
    match fuse::serve_reporting(service.image.clone(), connection, service.owner, tell) {
        Ok(()) | Err(fuse::ServeError::Unverified(_)) => 0,
        Err(error) => {
            say(report, &Failure::of(&error, error.hint(), exit::FAILED));
            exit::FAILED
        }
    }
}

/// Why nothing is kept.
#[derive(Debug)]
pub(super) enum KeepError {
    /// The address cannot be had.
    Listen(Errno),
    /// A step of making the processes.
    Step { step: &'static str, errno: Errno },
    /// The ids in the holder's user namespace.
    UserNamespace(UserNamespaceError),
    /// The holder's root.
    Pivot(PivotError),
    /// The last rung that was tried.
    Mount(MountError),
    /// The ladder has no rung that mounts.
    NoRung,
    /// As the holder said it.
    Elsewhere(Failure),
    /// The holder ended without a word.
    Ended,
}

impl From<UserNamespaceError> for KeepError {
    fn from(error: UserNamespaceError) -> Self {
        Self::UserNamespace(error)
    }
}

impl From<PivotError> for KeepError {
    fn from(error: PivotError) -> Self {
        Self::Pivot(error)
    }
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(errno) => write!(f, "listen for guests: {}", errno.desc()),
            Self::Step { step, errno } => write!(f, "{step}: {}", errno.desc()),
            Self::UserNamespace(error) => error.fmt(f),
            Self::Pivot(error) => error.fmt(f),
            // The host is elsewhere only while the root is built.
            Self::Mount(error) => f.write_str(&error.to_string().replace(&format!("{HOST}/dev/"), "/dev/")),
            Self::NoRung => f.write_str("the only rung that may be used mounts nothing"),
            Self::Elsewhere(failure) => failure.message.display().fmt(f),
            Self::Ended => f.write_str("the holder ended without a word"),
        }
    }
}
