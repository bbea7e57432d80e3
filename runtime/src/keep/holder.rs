//! The holder: a process whose mount namespace has nothing but the mount. It hands out copies, and ends when nobody has wanted one
//! for a while, when its user is told to let go, or when the user's runtime directory goes, as at the last logout.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{SockFlag, accept4, getsockopt};
use nix::unistd::{getgid, getuid};

use super::note::{FromHolder, ToHolder};
use crate::process::message::{Failure, LONGEST};
use crate::process::packet::{Taken, give, take};
use crate::process::server;
use crate::sys::descriptor;
use crate::sys::detached_mount;

/// More guests at once are not let in: each takes a descriptor, and the next start goes on without.
const MOST_GUESTS: usize = 500;

/// What a holder has.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) listener: OwnedFd,
    /// Where the mount is.
    pub(super) target: &'static Path,
    /// The namespace that owns the mount, if it is not the host's.
    pub(super) user_namespace: Option<OwnedFd>,
    /// The image server's last words, and its end; none where the kernel serves.
    pub(super) server: Option<OwnedFd>,
    /// Tells when the user's runtime directory goes.
    pub(super) watch: Option<Inotify>,
    /// How long to stay without a guest, in seconds.
    pub(super) seconds: u32,
    pub(super) guests: Vec<OwnedFd>,
}

/// Watches `directory`, which logind removes at the user's last logout. None where it cannot be watched.
pub(super) fn watch(directory: &Path) -> Option<Inotify> {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
    let gone = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_UNMOUNT;
    watch.add_watch(directory, gone).ok()?;
    Some(watch)
}

/// What happened.
#[derive(Debug, Default)]
struct Ready {
    listener: bool,
    server: bool,
    logout: bool,
    guests: Vec<bool>,
}

impl Holder {
    /// Until nobody wants the mount any more.
    pub(super) fn serve(mut self) -> Result<(), Errno> {
        while let Some(ready) = self.wait()? {
            if ready.logout {
                return Ok(());
            }
            if ready.server {
                return self.tell_failure();
            }
            if self.answer(&ready.guests)? {
                return Ok(());
            }
            if ready.listener {
                self.admit()?;
            }
        }
        Ok(())
    }

    /// None: there was nobody for as long as was asked.
    fn wait(&self) -> Result<Option<Ready>, Errno> {
        let timeout = match self.guests.is_empty() {
            true => PollTimeout::try_from(u64::from(self.seconds) * 1000).unwrap_or(PollTimeout::MAX),
            false => PollTimeout::NONE,
        };
        let full = self.guests.len() >= MOST_GUESTS;
        let interest = if full { PollFlags::empty() } else { PollFlags::POLLIN };
        let mut polled = vec![PollFd::new(self.listener.as_fd(), interest)];
        let readable = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
        polled.extend(self.server.as_ref().map(|server| readable(server.as_fd())));
        polled.extend(self.watch.as_ref().map(|watch| readable(watch.as_fd())));
        polled.extend(self.guests.iter().map(|guest| readable(guest.as_fd())));
        match poll(&mut polled, timeout) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Some(Ready::default())),
            Err(errno) => return Err(errno),
        }
        let mut happened = polled
            .iter()
            .map(|polled| polled.revents().is_some_and(|events| !events.is_empty()));
        let mut next = |is_there: bool| is_there && happened.next().unwrap_or_default();
        Ok(Some(Ready {
            listener: next(true),
            server: next(self.server.is_some()),
            logout: next(self.watch.is_some()),
            guests: happened.collect(),
        }))
    }

    /// Lets a guest in, if it is this user.
    fn admit(&mut self) -> Result<(), Errno> {
        let guest = match accept4(self.listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            Ok(number) => descriptor::adopt_received(&[number]).pop().ok_or(Errno::EBADF)?,
            Err(Errno::EINTR | Errno::ECONNABORTED | Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        let who = getsockopt(&guest, PeerCredentials)?;
        if (who.uid(), who.gid()) == (getuid().as_raw(), getgid().as_raw()) {
            self.guests.push(guest);
        }
        Ok(())
    }

    /// Answers the guests that have spoken, and forgets those that are gone. True: the end was asked for.
    fn answer(&mut self, spoken: &[bool]) -> Result<bool, Errno> {
        let mut stay = Vec::with_capacity(self.guests.len());
        for (guest, spoke) in std::mem::take(&mut self.guests).into_iter().zip(spoken) {
            if !spoke {
                stay.push(guest);
                continue;
            }
            let question = match take(&guest, false) {
                Ok(Taken::Packet(bytes, _)) => ToHolder::decode(&bytes),
                Ok(Taken::Nothing) => {
                    stay.push(guest);
                    continue;
                }
                // A guest that talks nonsense, or not any more, is none.
                Ok(Taken::Closed) | Err(_) => None,
            };
            match question {
                Some(ToHolder::Mount(seconds)) => {
                    self.seconds = seconds.unwrap_or(self.seconds);
                    if self.hand_out(&guest)? {
                        stay.push(guest);
                    }
                }
                Some(ToHolder::Leave) => match give(&guest, &FromHolder::Left.encode(), &[]) {
                    // It did not wait.
                    Ok(()) | Err(_) => {}
                },
                Some(ToHolder::Release) => {
                    match give(&guest, &FromHolder::Released.encode(), &[]) {
                        // Whoever asked and did not wait is released all the same.
                        Ok(()) | Err(_) => return Ok(true),
                    }
                }
                None => {}
            }
        }
        self.guests = stay;
        Ok(false)
    }

    /// Gives `guest` a copy of the mount. False where it is gone.
    fn hand_out(&self, guest: &OwnedFd) -> Result<bool, Errno> {
        let mount = detached_mount::copy_of(self.target)?;
        let mut descriptors = vec![mount.as_fd()];
        descriptors.extend(self.user_namespace.as_ref().map(AsFd::as_fd));
        Ok(give(guest, &FromHolder::Mount.encode(), &descriptors).is_ok())
    }

    /// The server has ended, or is about to: its words are for all who read of the image.
    fn tell_failure(self) -> Result<(), Errno> {
        // One write of the server's; nothing when it has ended without a word.
        let mut words = [0; LONGEST];
        let length = self.server.map_or(Ok(0), |server| File::from(server).read(&mut words));
        let words = words.get(..length.unwrap_or_default()).unwrap_or_default();
        let failure = Failure::decode(words).unwrap_or_else(server::ended);
        let packet = FromHolder::Failed(failure).encode();
        for guest in &self.guests {
            match give(guest, &packet, &[]) {
                // It has just ended.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}
