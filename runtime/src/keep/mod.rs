//! A mount of an image that is kept for the next start, which then neither mounts nor finds an empty page cache.
//!
//! ```text
//! first start ── server   "polecat-keep-image": answers the kernel, where the mount is FUSE; in the host's namespaces
//!                  └── holder  "polecat-keep": in a mount namespace (and, without privilege, a user namespace) that has nothing but the
//!                              mount; hands a copy of it to every guest, and ends when it was alone for so long as was asked
//! every start ── guest: joins the user namespace, moves its copy of the mount into its own mount namespace
//! ```
//!
//! Nobody counts but the kernel: a copy of the mount, or a descriptor of it, keeps the file system alive, and the server ends when the last is
//! gone. Holder and guests meet at an abstract address of unix(7), which needs no directory and leaves nothing behind. It names user, group and
//! root digest; whoever is there is believed only if the kernel says that it is the same user, who could do as it likes with the program anyway.
//! A guest verifies the bundle's signature as every start does; the blocks were checked before the holder mounted them, or are by the
//! server whenever they are read.

mod address;
mod guest;
mod holder;
mod keeper;
mod note;

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, bind, listen, socket};

use crate::debug::Trace;
use crate::host::Facts;
use crate::ladder::Rung;
use crate::process::server::Service;
use crate::verify::Verified;
use address::Address;
use guest::VisitError;
pub(crate) use guest::{Connection, News};

/// A copy of a kept mount, for this start.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The mount, attached nowhere yet.
    pub(crate) mount: OwnedFd,
    /// The user namespace that owns it, if it is not the caller's: only there may it be looked at.
    pub(crate) user_namespace: Option<OwnedFd>,
    /// Says when the image fails. Open as long as the mount is wanted.
    pub(crate) connection: Connection,
}

/// What a start wants of a kept mount.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// What is mounted.
    pub(crate) service: Service,
    /// The ways to mount it, best first.
    pub(crate) rungs: Vec<Rung>,
    /// How long it is to be kept when nobody has it, in seconds. None: where there is one it is used, but none is made.
    pub(crate) seconds: Option<u32>,
}

/// A kept mount of the image, made now if there is none and one is wished. None where it cannot be had: then everything goes as
/// without.
pub(crate) fn obtain(wish: &Wish, host: &Facts, trace: Trace) -> Option<Kept> {
    let visit = Address::of(&wish.service.image, host)
        .map_err(VisitError::Talk)
        .and_then(|address| visit_or_make(wish, &address, host, trace));
    visit.unwrap_or_else(|error| {
        trace.say(format_args!("kept mount: not used: {error}"));
        None
    })
}

fn visit_or_make(wish: &Wish, address: &Address, host: &Facts, trace: Trace) -> Result<Option<Kept>, VisitError> {
    if let Some(visit) = guest::visit(address, wish.seconds)? {
        return Ok(Some(visit));
    }
    match make(wish, address, host) {
        Ok(true) => guest::visit(address, wish.seconds),
        Ok(false) => Ok(None),
        Err(error) => {
            trace.say(format_args!("kept mount: not made: {error}"));
            Ok(None)
        }
    }
}

/// Tells the holder of a mount of the image that this user and group made to let go of it. Programs that run on the mount keep it.
/// False where nobody holds one.
///
/// # Errors
/// What the system said: someone is there who does not answer, or is somebody else.
pub fn release(verified: &Verified, host: &Facts) -> Result<bool, Errno> {
    let address = Address::of(&verified.image(), host)?;
    guest::release(&address).map_err(VisitError::errno)
}

/// Makes a holder that listens at `address`. False where none is wished.
fn make(wish: &Wish, address: &Address, host: &Facts) -> Result<bool, keeper::KeepError> {
    let Some(seconds) = wish.seconds.filter(|seconds| *seconds > 0) else {
        return Ok(false);
    };
    let listener = match occupy(address) {
        // Another start was faster.
        Err(Errno::EADDRINUSE) => return Ok(true),
        result => result.map_err(keeper::KeepError::Listen)?,
    };
    keeper::start(wish, seconds, host, listener)?;
    Ok(true)
}

fn occupy(address: &Address) -> Result<OwnedFd, Errno> {
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&listener), address.unix())?;
    listen(&listener, Backlog::new(128)?)?;
    Ok(listener)
}
