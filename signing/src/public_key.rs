//! Public keys.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

use crate::{Error, KeyId};

/// An ed25519 public key (RFC 8032, section 5.1.5), in its one canonical encoding and of large order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key with this encoding.
    ///
    /// # Errors
    /// [`Error::NotAKey`] or [`Error::WeakKey`].
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Error> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| Error::NotAKey)?;
        // The decoder reduces what it reads; two encodings of one key would be two key ids.
        if key.to_edwards().compress().to_bytes() != bytes {
            return Err(Error::NotAKey);
        }
        if key.is_weak() {
            Err(Error::WeakKey)
        } else {
            Ok(PublicKey(key))
        }
    }

    /// Its encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its short name.
    pub fn key_id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        KeyId::from_bytes([a, b, c, d, e, f, g, h])
    }

    #[cfg(feature = "sign")]
    pub(crate) fn of_secret(key: &ed25519_dalek::SigningKey) -> Self {
        PublicKey(key.verifying_key())
    }

    pub(crate) fn verifying_key(&self) -> &VerifyingKey {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_encodings() {
        let not_a_point = {
            let mut bytes = [0; 32];
            bytes[0] = 2;
            bytes
        };
        let neutral_element = {
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        };
        // 2^255 - 19 + 1: the neutral element once more, not reduced.
        let not_canonical = {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xee;
            bytes[31] = 0x7f;
            bytes
        };
        // p + 3 is the encoding of y = 3, a point of large order.
        let canonical_three = {
            let mut bytes = [0; 32];
            bytes[0] = 3;
            bytes
        };
        let three_not_reduced = {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xf0;
            bytes[31] = 0x7f;
            bytes
        };
        assert_eq!(PublicKey::from_bytes(not_a_point), Err(Error::NotAKey));
        assert_eq!(PublicKey::from_bytes(neutral_element), Err(Error::WeakKey));
        assert_eq!(PublicKey::from_bytes(not_canonical), Err(Error::NotAKey));
        assert!(PublicKey::from_bytes(canonical_three).is_ok());
        assert_eq!(PublicKey::from_bytes(three_not_reduced), Err(Error::NotAKey));
    }
}
