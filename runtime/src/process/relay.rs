//! The way of messages from the app to the service manager, sd_notify(3).
//!
//! A manager looks at the process that sends: `NotifyAccess=main` takes the main process's messages only, which is the monitor's,
//! and a path of the host's leads nowhere inside. So init makes a socket in the box, and the monitor hands on what comes through it,
//! with the descriptors. The kernel says then that the monitor sent it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, socket};

use super::manager::SOCKET_INSIDE;
use super::notice::{LONGEST, Notice};
use super::packet;
use crate::debug::Trace;

/// How long a manager that reads nothing may keep the monitor from its end, in milliseconds.
const PATIENCE: u16 = 1000;

/// The monitor's side.
#[derive(Debug)]
pub(crate) struct Relay {
    inside: OwnedFd,
    manager: UnixAddr,
    /// Taken from inside, and not yet by the manager.
    waiting: Option<Letter>,
}

/// A message on its way.
#[derive(Debug)]
struct Letter {
    socket: OwnedFd,
    text: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// The socket in the box, for whoever is in it. The app's root is this process's root, and its `/dev` is new.
///
/// # Errors
/// socket(2), bind(2).
pub(crate) fn open_inside() -> Result<OwnedFd, Errno> {
    open_at(Path::new(SOCKET_INSIDE))
}

/// The socket at `path`, of at most 107 bytes.
///
/// # Errors
/// See [`open_inside`].
pub(crate) fn open_at(path: &Path) -> Result<OwnedFd, Errno> {
    let inside = datagram_socket()?;
    // While the root is built the umask is 0.
    bind(inside.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(inside)
}

fn datagram_socket() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Datagram, flags, None)
}

impl Relay {
    pub(crate) fn new(inside: OwnedFd, manager: UnixAddr) -> Self {
        Self {
            inside,
            manager,
            waiting: None,
        }
    }

    /// What to wait for. While the manager takes nothing, nothing is taken from inside: there they wait, as without us.
    pub(crate) fn awaited(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.waiting {
            Some(letter) => (letter.socket.as_fd(), PollFlags::POLLOUT),
            None => (self.inside.as_fd(), PollFlags::POLLIN),
        }
    }

    /// Hands on what there is. What the manager does not want is lost, as without us; the app is not told.
    pub(crate) fn serve(&mut self, trace: Trace) -> Result<(), Errno> {
        loop {
            if let Some(letter) = self.waiting.take() {
                match letter.send() {
                    Err(Errno::EAGAIN) => {
                        self.waiting = Some(letter);
                        return Ok(());
                    }
                    Err(errno) => lost(trace, errno),
                    Ok(()) => {}
                }
            }
            self.waiting = self.receive(trace)?;
            if self.waiting.is_none() {
                return Ok(());
            }
        }
    }

    /// Hands on what is left when nobody is inside any more.
    pub(crate) fn finish(mut self, trace: Trace) -> Result<(), Errno> {
        self.serve(trace)?;
        while let Some(letter) = &self.waiting {
            let mut ready = [PollFd::new(letter.socket.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut ready, PollTimeout::from(PATIENCE)) {
                Ok(0) => {
                    lost(trace, Errno::ETIMEDOUT);
                    return Ok(());
                }
                Ok(_) | Err(Errno::EINTR) => self.serve(trace)?,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// The next message that is to be handed on; none when there is none at the moment.
    fn receive(&self, trace: Trace) -> Result<Option<Letter>, Errno> {
        let mut buffer = [0; LONGEST];
        loop {
            let mut packet = match packet::receive(&self.inside, &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            if packet.truncated {
                lost(trace, Errno::EMSGSIZE);
                continue;
            }
            let Some(notice) = buffer.get(..packet.length).and_then(Notice::read) else {
                continue;
            };
            if !notice.with_descriptors {
                packet.descriptors.clear();
            }
            match connected(&self.manager) {
                Ok(socket) => {
                    return Ok(Some(Letter {
                        socket,
                        text: notice.text,
                        descriptors: packet.descriptors,
                    }));
                }
                Err(errno) => lost(trace, errno),
            }
        }
    }
}

/// A socket for one message, which can be waited for.
fn connected(to: &UnixAddr) -> Result<OwnedFd, Errno> {
    let socket = datagram_socket()?;
    connect(socket.as_raw_fd(), to)?;
    Ok(socket)
}

impl Letter {
    fn send(&self) -> Result<(), Errno> {
        let numbers: Vec<RawFd> = self.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        packet::send(&self.socket, &self.text, &numbers, MsgFlags::MSG_DONTWAIT)
    }
}

#[cold]
fn lost(trace: Trace, errno: Errno) {
    trace.say(format_args!(
        "a message to the service manager is lost: {}",
        errno.desc()
    ));
}
