//! Signatures, and the one way to check them.

use std::fmt;

use crate::{Error, PublicKey, Purpose};

/// An ed25519 signature (RFC 8032, section 5.1.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        crate::hex::write(&self.0, f)?;
        f.write_str(")")
    }
}

/// Checks that `signature` was made by the holder of `public_key`, for this purpose, over `message` (without the purpose's
/// prefix). Strict: of the encodings that RFC 8032 leaves open, only the canonical ones are accepted.
///
/// # Errors
/// [`Error::WrongSignature`].
pub fn verify(purpose: Purpose, message: &[u8], public_key: &PublicKey, signature: &Signature) -> Result<(), Error> {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    let message = purpose.signed_message(message);
    let verified = public_key.verifying_key().verify_strict(&message, &signature);
    verified.map_err(|_| Error::WrongSignature {
        key_id: public_key.key_id(),
    })
}
