//! Packets with descriptors, unix(7).

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

use super::message::LONGEST;
use crate::sys::descriptor;

/// `SCM_MAX_FD`: descriptors that come with one packet at most.
const MOST_DESCRIPTORS: usize = 253;

/// What came, besides the bytes.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) length: usize,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// The bytes are more than was room for, or a descriptor is missing: this process has as many as it may have.
    pub(crate) truncated: bool,
}

/// Sends `bytes` and with them copies of `descriptors`.
pub(crate) fn send(socket: &OwnedFd, bytes: &[u8], descriptors: &[RawFd], flags: MsgFlags) -> Result<(), Errno> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() { &[][..] } else { &rights[..] };
    let flags = flags | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], rights, flags, None) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Takes the next packet into `buffer`: `EAGAIN` when there is none and `flags` have `MSG_DONTWAIT`.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut [u8], flags: MsgFlags) -> Result<Packet, Errno> {
    let mut slices = [IoSliceMut::new(buffer)];
    let mut space = cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    // Where some are missing nix does not say which came: they stay open here.
    for message in received.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            descriptors.extend(descriptor::adopt_received(&numbers));
        }
    }
    Ok(Packet {
        length: received.bytes,
        descriptors,
        truncated: received.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC),
    })
}

/// What [`take`] found.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A whole packet, and the descriptors that came with it.
    Packet(Vec<u8>, Vec<OwnedFd>),
    /// Nothing at the moment, or not for as long as the socket waits.
    Nothing,
    /// The other end is gone.
    Closed,
}

/// Takes the next packet of at most [`LONGEST`] bytes; `wait`: and waits for it.
pub(crate) fn take(socket: &OwnedFd, wait: bool) -> Result<Taken, Errno> {
    let flags = match wait {
        true => MsgFlags::empty(),
        false => MsgFlags::MSG_DONTWAIT,
    };
    let mut buffer = [0; LONGEST];
    loop {
        match receive(socket, &mut buffer, flags) {
            Err(Errno::EINTR) if wait => {}
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Taken::Nothing),
            Err(Errno::ECONNRESET) | Ok(Packet { length: 0, .. }) => return Ok(Taken::Closed),
            result => {
                let packet = result?;
                let bytes = buffer.get(..packet.length).unwrap_or_default();
                return Ok(Taken::Packet(bytes.to_vec(), packet.descriptors));
            }
        }
    }
}

/// Sends `bytes` and with them copies of `descriptors`, waiting for room.
pub(crate) fn give(socket: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    send(socket, bytes, &numbers, MsgFlags::empty())
}
