//! The socket between monitor and init: packets in order, and its end when either is gone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair};

use super::message::{FromInit, ToInit};
use super::packet::{self, Taken};
use crate::error::errno;

/// What was found in the socket.
#[derive(Debug)]
pub(crate) enum Received<M> {
    /// A message, and the descriptor that came with it; none where there was no room for it, unix(7).
    Message(M, Option<OwnedFd>),
    /// Nothing at the moment.
    Nothing,
    /// The other process is gone, and so is all that it said.
    Closed,
}

/// The monitor's end.
#[derive(Debug)]
pub(crate) struct MonitorEnd(OwnedFd);

/// Init's end; the app's process has it too until it executes the app.
#[derive(Debug)]
pub(crate) struct InitEnd(OwnedFd);

/// A new socket.
pub(crate) fn pair() -> Result<(MonitorEnd, InitEnd), Errno> {
    let (monitor, init) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    Ok((MonitorEnd(monitor), InitEnd(init)))
}

impl MonitorEnd {
    /// Takes the next message, without waiting for one.
    pub(crate) fn receive(&self) -> Result<Received<FromInit>, Errno> {
        receive(&self.0, FromInit::decode)
    }

    /// Sends `message`, and with it a copy of `descriptor`, unless init has hundreds of them to read yet: signals that
    /// wait coalesce.
    pub(crate) fn send(&self, message: ToInit, descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        match send(&self.0, &message.encode(), descriptor, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN) => Ok(()),
            result => result,
        }
    }

    /// Closes this copy, in a process that is not the monitor, by putting `other` in its place.
    pub(crate) fn replace(&mut self, other: impl AsFd) -> Result<(), Errno> {
        nix::unistd::dup3(other, &mut self.0, nix::fcntl::OFlag::O_CLOEXEC)
    }
}

impl InitEnd {
    /// A second descriptor of this end.
    pub(crate) fn try_clone(&self) -> Result<Self, Errno> {
        let copy = self.0.try_clone();
        copy.map(Self).map_err(|error| errno(&error))
    }

    /// Takes the next message, without waiting for one.
    pub(crate) fn receive(&self) -> Result<Received<ToInit>, Errno> {
        receive(&self.0, ToInit::decode)
    }

    /// Whether the monitor is gone; what it said before may still be there to be read.
    pub(crate) fn is_abandoned(&self) -> Result<bool, Errno> {
        let mut socket = [PollFd::new(self.as_fd(), PollFlags::empty())];
        match poll(&mut socket, PollTimeout::ZERO) {
            Ok(_) => Ok(socket[0]
                .revents()
                .is_some_and(|events| events.contains(PollFlags::POLLHUP))),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Takes the next message, and waits for it.
    pub(crate) fn wait(&self) -> Result<Received<ToInit>, Errno> {
        loop {
            match self.receive()? {
                Received::Nothing => {}
                received => return Ok(received),
            }
            match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Sends `message`, and with it a copy of `descriptor`.
    pub(crate) fn send(&self, message: &FromInit, descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        send(&self.0, &message.encode(), descriptor, MsgFlags::empty())
    }
}

impl AsFd for MonitorEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for InitEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn send(socket: &OwnedFd, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>, flags: MsgFlags) -> Result<(), Errno> {
    let numbers: Vec<RawFd> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
    packet::send(socket, bytes, &numbers, flags)
}

fn receive<M>(socket: &OwnedFd, decode: impl Fn(&[u8]) -> Option<M>) -> Result<Received<M>, Errno> {
    match packet::take(socket, false)? {
        Taken::Nothing => Ok(Received::Nothing),
        Taken::Closed => Ok(Received::Closed),
        Taken::Packet(bytes, mut descriptors) => {
            // Both ends are this program: what cannot be decoded was damaged by somebody else.
            let message = decode(&bytes).ok_or(Errno::EBADMSG)?;
            Ok(Received::Message(message, descriptors.pop()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::fstat;
    use std::fs::File;

    #[test]
    fn packets_descriptors_and_the_end() {
        let (monitor, init) = pair().unwrap();
        assert!(matches!(monitor.receive(), Ok(Received::Nothing)));
        let null = File::open("/dev/null").unwrap();
        init.send(&FromInit::Serve, Some(null.as_fd())).unwrap();
        init.send(&FromInit::Exited(3), None).unwrap();
        let Ok(Received::Message(FromInit::Serve, Some(passed))) = monitor.receive() else {
            panic!()
        };
        assert_eq!(fstat(&passed).unwrap().st_rdev, fstat(&null).unwrap().st_rdev);
        assert!(
            !crate::sys::descriptor::is_inherited(passed.as_raw_fd()),
            "closed when the app is executed"
        );
        drop(init);
        assert!(
            matches!(monitor.receive(), Ok(Received::Message(FromInit::Exited(3), None))),
            "said before the end"
        );
        assert!(matches!(monitor.receive(), Ok(Received::Closed)));
        assert_eq!(monitor.send(ToInit::Signal(1), None), Err(Errno::EPIPE));
    }

    #[test]
    fn init_waits_for_a_message() {
        let (monitor, init) = pair().unwrap();
        assert_eq!(init.is_abandoned(), Ok(false));
        std::thread::scope(|scope| {
            scope.spawn(|| monitor.send(ToInit::Loop(Some(3)), None).unwrap());
            assert!(matches!(
                init.wait(),
                Ok(Received::Message(ToInit::Loop(Some(3)), None))
            ));
        });
        monitor.send(ToInit::Signal(1), None).unwrap();
        assert_eq!(init.is_abandoned(), Ok(false));
        drop(monitor);
        assert_eq!(init.is_abandoned(), Ok(true), "though there is something to read");
        assert!(matches!(init.wait(), Ok(Received::Message(ToInit::Signal(1), None))));
        assert!(matches!(init.wait(), Ok(Received::Closed)));
    }

    #[test]
    fn a_full_socket_does_not_block_the_monitor() {
        let (monitor, init) = pair().unwrap();
        for _ in 0..10_000 {
            monitor.send(ToInit::Signal(10), None).unwrap();
        }
        assert!(matches!(
            init.receive(),
            Ok(Received::Message(ToInit::Signal(10), None))
        ));
    }
}
