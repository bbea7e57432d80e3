//! Why a key or a signature is not accepted.

use std::fmt;

use crate::KeyId;

/// Why a public key or a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not the encoding of a point on the curve (RFC 8032, section 5.1.3).
    NotAKey,
    /// A key of small order: one signature of it would fit nearly every message.
    WeakKey,
    /// The signature was not made with this key over this message.
    WrongSignature {
        /// The key.
        key_id: KeyId,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKey => f.write_str("the public key is not a valid ed25519 key"),
            Self::WeakKey => f.write_str("the public key is a weak one, with which anything could be signed"),
            Self::WrongSignature { key_id } => write!(f, "the signature of key {key_id} is wrong"),
        }
    }
}

impl std::error::Error for Error {}
