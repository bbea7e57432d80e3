//! A start that looks for a kept mount.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{PeerCredentials, ReceiveTimeout};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, getsockopt, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{getgid, getuid};

use super::Kept;
use super::address::Address;
use super::note::{FromHolder, ToHolder};
use crate::process::message::Failure;
use crate::process::packet::{Taken, give, take};

/// How long a holder may take to answer, in seconds: it does nothing else. One that was stopped must not stop every start.
const PATIENCE: i64 = 1;

/// A connection to the holder. It counts as a guest as long as this is open.
#[derive(Debug)]
pub(crate) struct Connection(OwnedFd);

/// What came from the holder after the mount.
#[derive(Debug)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// The image failed.
    Failed(Failure),
    /// The holder is gone. The mount stays with those who have it.
    Alone,
}

impl Connection {
    /// Looks, without waiting.
    pub(crate) fn news(&self) -> Result<News, Errno> {
        match take(&self.0, false)? {
            Taken::Nothing => Ok(News::None),
            Taken::Closed => Ok(News::Alone),
            Taken::Packet(bytes, _) => match FromHolder::decode(&bytes) {
                Some(FromHolder::Failed(failure)) => Ok(News::Failed(failure)),
                Some(_) | None => Err(Errno::EBADMSG),
            },
        }
    }
}

impl Connection {
    /// Says goodbye, and hears whether the image failed so far.
    pub(crate) fn leave(self) -> Option<Failure> {
        match ask(&self.0, ToHolder::Leave) {
            Ok(Some((FromHolder::Failed(failure), _))) => Some(failure),
            // A holder that is gone, or stopped, has nothing to say.
            Ok(_) | Err(_) => None,
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Asks the holder at `address` for a copy of its mount. None where nobody listens, or not any more.
pub(super) fn visit(address: &Address, seconds: Option<u32>) -> Result<Option<Kept>, VisitError> {
    let Some(connection) = call(address)? else {
        return Ok(None);
    };
    match ask(&connection, ToHolder::Mount(seconds))? {
        Some((FromHolder::Mount, descriptors)) => {
            let mut descriptors = descriptors.into_iter();
            let mount = descriptors.next().ok_or(VisitError::Talk(Errno::EMFILE))?;
            Ok(Some(Kept {
                mount,
                user_namespace: descriptors.next(),
                connection: Connection(connection),
            }))
        }
        Some((FromHolder::Failed(_) | FromHolder::Left | FromHolder::Released, _)) => {
            Err(VisitError::Talk(Errno::EBADMSG))
        }
        None => Ok(None),
    }
}

/// Asks the holder to end. False where there is none.
pub(super) fn release(address: &Address) -> Result<bool, VisitError> {
    let Some(connection) = call(address)? else {
        return Ok(false);
    };
    Ok(matches!(
        ask(&connection, ToHolder::Release)?,
        Some((FromHolder::Released, _))
    ))
}

fn call(address: &Address) -> Result<Option<OwnedFd>, VisitError> {
    let talk = VisitError::Talk;
    let connection = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).map_err(talk)?;
    match connect(connection.as_raw_fd(), address.unix()) {
        Err(Errno::ECONNREFUSED) => return Ok(None),
        result => result.map_err(talk)?,
    }
    let holder = getsockopt(&connection, PeerCredentials).map_err(talk)?;
    if (holder.uid(), holder.gid()) != (getuid().as_raw(), getgid().as_raw()) {
        return Err(VisitError::Foreign { uid: holder.uid() });
    }
    setsockopt(&connection, ReceiveTimeout, &TimeVal::seconds(PATIENCE)).map_err(talk)?;
    Ok(Some(connection))
}

/// A question and its answer; none where the holder is just ending.
fn ask(connection: &OwnedFd, question: ToHolder) -> Result<Option<(FromHolder, Vec<OwnedFd>)>, VisitError> {
    match give(connection, &question.encode(), &[]) {
        Err(Errno::EPIPE | Errno::ECONNRESET) => return Ok(None),
        result => result.map_err(VisitError::Talk)?,
    }
    match take(connection, true).map_err(VisitError::Talk)? {
        Taken::Closed => Ok(None),
        Taken::Nothing => Err(VisitError::Silent),
        Taken::Packet(bytes, descriptors) => {
            let answer = FromHolder::decode(&bytes).ok_or(VisitError::Talk(Errno::EBADMSG))?;
            Ok(Some((answer, descriptors)))
        }
    }
}

/// Why a kept mount is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VisitError {
    /// Somebody else listens where this user's holder would.
    Foreign { uid: u32 },
    /// The holder does not answer.
    Silent,
    /// The socket.
    Talk(Errno),
}

impl VisitError {
    pub(super) fn errno(self) -> Errno {
        match self {
            Self::Foreign { .. } => Errno::EACCES,
            Self::Silent => Errno::ETIMEDOUT,
            Self::Talk(errno) => errno,
        }
    }
}

impl fmt::Display for VisitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign { uid } => write!(f, "user {uid} listens in its holder's place"),
            Self::Silent => f.write_str("its holder does not answer"),
            Self::Talk(errno) => write!(f, "talk to its holder: {}", errno.desc()),
        }
    }
}
