//! Where the holder of an image listens.

use nix::errno::Errno;
use nix::sys::socket::UnixAddr;

use crate::host::Facts;
use crate::image::{VerifiedImage, verified};

/// An abstract address of unix(7): a name without a file, of this network namespace.
#[derive(Debug)]
pub(super) struct Address(UnixAddr);

impl Address {
    /// That of this image for this user and group, and for those who mount with or without privilege: their mounts differ.
    pub(super) fn of(image: &VerifiedImage, host: &Facts) -> Result<Self, Errno> {
        let name = name(&image.root_digest(), host.uid, host.gid, host.privileged);
        UnixAddr::new_abstract(name.as_bytes()).map(Self)
    }

    pub(super) fn unix(&self) -> &UnixAddr {
        &self.0
    }
}

fn name(digest: &[u8], uid: u32, gid: u32, privileged: bool) -> String {
    let digest = verified::hex(digest);
    let who = if privileged { "p" } else { "u" };
    format!("polecat/1/{who}/{uid}/{gid}/{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let longest = name(&[0xff; 32], u32::MAX, u32::MAX, true);
        assert!(UnixAddr::new_abstract(longest.as_bytes()).is_ok(), "{longest}");
        let base = name(&[1; 32], 1000, 100, false);
        for other in [
            name(&[2; 32], 1000, 100, false),
            name(&[1; 32], 1001, 100, false),
            name(&[1; 32], 1000, 101, false),
            name(&[1; 32], 1000, 100, true),
        ] {
            assert_ne!(base, other);
        }
    }
}
