//! A service manager that takes messages as systemd does: from a datagram socket, with the sender that the kernel vouches for.

use std::fs;
use std::io::{IoSliceMut, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use crate::exec::HANGS;
use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, UnixCredentials, bind, recvmsg,
    setsockopt, socket, sockopt,
};

/// The socket of `NOTIFY_SOCKET`.
#[derive(Debug)]
pub struct Manager(OwnedFd);

/// What came.
#[derive(Debug)]
pub struct Message {
    /// What is said.
    pub text: String,
    /// The process and the user that sent it.
    pub sender: (u32, u32),
    descriptors: Vec<RawFd>,
}

impl Manager {
    /// Listens at a path that everybody may write to, as systemd's.
    ///
    /// # Panics
    /// Where that cannot be.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let manager = Self::bound_to(&UnixAddr::new(path).expect("a short path"));
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("a socket");
        manager
    }

    /// Listens at an abstract name.
    ///
    /// # Panics
    /// Where that cannot be.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::bound_to(&UnixAddr::new_abstract(name.as_bytes()).expect("a short name"))
    }

    fn bound_to(address: &UnixAddr) -> Self {
        let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
        bind(socket.as_raw_fd(), address).expect("an address of its own");
        setsockopt(&socket, sockopt::PassCred, &true).expect("credentials");
        Self(socket)
    }

    /// The next message; none when none comes within `time`.
    ///
    /// # Panics
    /// On a message without a sender, or that is no text.
    #[must_use]
    pub fn within(&self, time: Duration) -> Option<Message> {
        let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(time).expect("a short time");
        (poll(&mut ready, time).expect("poll") > 0).then(|| self.receive())
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn next(&self) -> Message {
        self.within(HANGS).expect("a message")
    }

    fn receive(&self) -> Message {
        let mut buffer = [0; 8192];
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let mut space = cmsg_space!(UnixCredentials, [RawFd; 253]);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = recvmsg::<()>(self.0.as_raw_fd(), &mut slices, Some(&mut space), flags).expect("a message");
        let (mut sender, mut descriptors) = (None, Vec::new());
        for message in received.cmsgs().expect("room for all") {
            match message {
                ControlMessageOwned::ScmCredentials(who) => sender = Some((who.pid().unsigned_abs(), who.uid())),
                ControlMessageOwned::ScmRights(numbers) => descriptors.extend(numbers),
                _ => {}
            }
        }
        let length = received.bytes;
        Message {
            text: String::from_utf8(buffer[..length].to_vec()).expect("text"),
            sender: sender.expect("the kernel names the sender"),
            descriptors,
        }
    }
}

impl Message {
    /// How many descriptors came with it.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.descriptors.len()
    }

    /// What is in the file behind a descriptor, from its beginning.
    ///
    /// # Panics
    /// Where there is none, or no text.
    #[must_use]
    pub fn contents(&self, index: usize) -> String {
        let mut text = String::new();
        let path = format!("/proc/self/fd/{}", self.descriptors[index]);
        let mut file = fs::File::open(path).expect("a descriptor");
        file.read_to_string(&mut text).expect("text");
        text
    }
}

/// As systemd does when a message was understood.
impl Drop for Message {
    fn drop(&mut self) {
        for number in &self.descriptors {
            nix::unistd::close(*number).expect("a descriptor of ours");
        }
    }
}
