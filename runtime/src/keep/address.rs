//! Where the holder of an image listens.

use nix::sys::socket::UnixAddr;

use crate::host::Facts;
use crate::image::VerifiedImage;

/// Longest name of an abstract address: `sun_path` of unix(7) without its leading NUL.
const LONGEST: usize = 107;

/// An abstract address of unix(7): a name without a file, of this network namespace.
#[derive(Debug)]
pub(super) struct Address(UnixAddr);

impl Address {
    /// That of this image for this user and group, and for those who mount with or without privilege: their mounts differ.
    pub(super) fn of(image: &VerifiedImage, host: &Facts) -> Self {
        let name = name(&image.root_digest(), host.uid, host.gid, host.privileged);
        // The name is shorter than the longest: see the test.
        Self(UnixAddr::new_abstract(name.as_bytes()).unwrap_or_else(|_| UnixAddr::new_unnamed()))
    }

    pub(super) fn unix(&self) -> &UnixAddr {
        &self.0
    }
}

fn name(digest: &[u8], uid: u32, gid: u32, privileged: bool) -> String {
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let who = if privileged { "p" } else { "u" };
    let mut name = format!("polecat/1/{who}/{uid}/{gid}/{digest}");
    name.truncate(LONGEST);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let longest = name(&[0xff; 32], u32::MAX, u32::MAX, true);
        assert!(longest.len() <= LONGEST);
        assert!(longest.ends_with(&"ff".repeat(32)), "whole: {longest}");
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
