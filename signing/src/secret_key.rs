//! Secret keys.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use pkcs8::der::zeroize::Zeroizing;

use crate::{PublicKey, Purpose, Signature};

/// An ed25519 secret key. Wiped from memory when dropped, never shown.
pub struct SecretKey(SigningKey);

/// The system has no randomness to give.
#[derive(Debug)]
pub struct RandomError(getrandom::Error);

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system gives no randomness: {}", self.0)
    }
}

impl std::error::Error for RandomError {}

/// Bytes that nobody can guess, from getrandom(2).
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, RandomError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(RandomError)?;
    Ok(bytes)
}

impl SecretKey {
    /// A new key.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::from_bytes(&*random()?))
    }

    /// The key with these bytes (RFC 8032, section 5.1.5: the private key, not its hash).
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        SecretKey(SigningKey::from_bytes(bytes))
    }

    /// Its public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of_secret(&self.0)
    }

    /// Signs `message` (without the purpose's prefix) for this purpose. The same input has the same signature, always.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        Signature(self.0.sign(&purpose.signed_message(message)).to_bytes())
    }

    pub(crate) fn from_signing_key(key: SigningKey) -> Self {
        SecretKey(key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public_key().key_id())
    }
}
