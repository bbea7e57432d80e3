//! Keys, signatures and trust.
//!
//! What is signed is a [`Purpose`] and a message; what the message means is not known here. Without features the crate only
//! verifies: all that a stub needs. With the feature `sign` it also has the secret half:
//!
//! - `SecretKey`: make one, sign with it, read and write it as PKCS#8 PEM, as openssl does;
//! - `key_file`: keys as files, with the permissions that secrets have;
//! - `trust`: whose signatures the user accepts.
//!
//! A right signature says that the holder of a key made it. Whether that is someone to believe is another question, which only
//! `trust` answers.
#![forbid(unsafe_code)]

mod error;
mod hex;
mod key_id;
mod public_key;
mod purpose;
mod signature;

pub use error::Error;
pub use key_id::{KeyId, ParseKeyIdError};
pub use public_key::PublicKey;
pub use purpose::Purpose;
pub use signature::{Signature, verify};

#[cfg(feature = "sign")]
pub mod key_file;
#[cfg(feature = "sign")]
pub mod locations;
#[cfg(feature = "sign")]
mod passphrase;
#[cfg(feature = "sign")]
mod pem;
#[cfg(feature = "sign")]
mod secret_key;
#[cfg(feature = "sign")]
pub mod trust;

#[cfg(feature = "sign")]
pub use passphrase::Passphrase;
#[cfg(feature = "sign")]
pub use pem::PemError;
#[cfg(feature = "sign")]
pub use secret_key::{RandomError, SecretKey};
