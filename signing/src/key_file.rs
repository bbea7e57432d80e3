//! Keys as files: secret ones readable by their owner alone, none ever half written.

mod error;
mod place;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pkcs8::der::zeroize::Zeroizing;

use crate::locations::public_key_path;
use crate::{Passphrase, PublicKey, SecretKey, pem};

pub use error::KeyFileError;
pub use place::Existing;

/// Longest key file in bytes: a key takes some hundred.
const MAX_LENGTH: u64 = 64 << 10;

/// Permissions of a secret key's file.
const SECRET_MODE: u32 = 0o600;

/// Permissions of a public key's file, before the umask.
const PUBLIC_MODE: u32 = 0o644;

/// Reads a secret key. `passphrase` is only asked when the key is encrypted.
///
/// # Errors
/// [`KeyFileError`]; a file that others than its owner may read is refused.
pub fn read_secret(
    path: &Path,
    passphrase: impl FnOnce(&Path) -> Option<Passphrase>,
) -> Result<SecretKey, KeyFileError> {
    let (text, mode) = read(path)?;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed {
            path: path.to_owned(),
            mode: mode & 0o7777,
        });
    }
    let passphrase = if pem::is_encrypted(&text) {
        passphrase(path)
    } else {
        None
    };
    SecretKey::from_pem(&text, passphrase.as_ref()).map_err(|source| KeyFileError::pem(path, source))
}

/// Reads a public key.
///
/// # Errors
/// [`KeyFileError`].
pub fn read_public(path: &Path) -> Result<PublicKey, KeyFileError> {
    let (text, _mode) = read(path)?;
    PublicKey::from_pem(&text).map_err(|source| KeyFileError::pem(path, source))
}

/// Writes a secret key, mode 0600, and its public half beside it ([`public_key_path`]).
///
/// # Errors
/// [`KeyFileError`]; [`KeyFileError::Exists`] when there is a file and it is not to be replaced.
pub fn write_secret(
    path: &Path,
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
    existing: Existing,
) -> Result<(), KeyFileError> {
    let text = key
        .to_pem(passphrase)
        .map_err(|source| KeyFileError::pem(path, source))?;
    place::write(path, text.as_bytes(), SECRET_MODE, existing)?;
    // A public half that lies there belongs to a key that is not there any more.
    write_public(&public_key_path(path), &key.public_key(), Existing::Replace)
}

/// Writes a public key.
///
/// # Errors
/// [`KeyFileError`]; [`KeyFileError::Exists`] when there is a file and it is not to be replaced.
pub fn write_public(path: &Path, key: &PublicKey, existing: Existing) -> Result<(), KeyFileError> {
    let text = key.to_pem().map_err(|source| KeyFileError::pem(path, source))?;
    place::write(path, text.as_bytes(), PUBLIC_MODE, existing)
}

/// A key that was asked for.
#[derive(Debug)]
pub struct Loaded {
    /// The key.
    pub key: SecretKey,
    /// Whether it was made just now: something to tell the user.
    pub created: bool,
}

/// Reads the secret key at `path`, or makes one there, without a passphrase, when there is none. Of two that do so at once,
/// both get the same key.
///
/// # Errors
/// [`KeyFileError`].
pub fn load_or_create(
    path: &Path,
    passphrase: impl FnOnce(&Path) -> Option<Passphrase>,
) -> Result<Loaded, KeyFileError> {
    if path.try_exists().map_err(|source| KeyFileError::io(path, source))? {
        return read_secret(path, passphrase).map(|key| Loaded { key, created: false });
    }
    let key = SecretKey::generate().map_err(KeyFileError::Random)?;
    match write_secret(path, &key, None, Existing::Keep) {
        Ok(()) => Ok(Loaded { key, created: true }),
        Err(KeyFileError::Exists { .. }) => read_secret(path, passphrase).map(|key| Loaded { key, created: false }),
        Err(error) => Err(error),
    }
}

/// A key file's text and permissions, both of the same open file. A pipe will do: `--key <(gpg -d …)`.
fn read(path: &Path) -> Result<(Zeroizing<String>, u32), KeyFileError> {
    let io = |source| KeyFileError::io(path, source);
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.len() > MAX_LENGTH {
        return Err(KeyFileError::TooLong { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_LENGTH).unwrap_or(0)));
    file.take(MAX_LENGTH)
        .read_to_string(&mut text)
        .map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => KeyFileError::pem(path, pem::PemError::NotPem),
            _ => io(source),
        })?;
    Ok((text, metadata.mode()))
}
