//! What a signature is for.

/// What a signature is for. It stands in front of the message, so that a signature made for one thing is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// The manifest of a bundle of format version 1.
    BundleManifest,
}

impl Purpose {
    /// The bytes in front of the message.
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Purpose::BundleManifest => b"polecat bundle manifest v1\0",
        }
    }

    /// What is signed: the prefix and the message.
    pub fn signed_message(self, message: &[u8]) -> Vec<u8> {
        [self.prefix(), message].concat()
    }
}
