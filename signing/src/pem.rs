//! Keys as text: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 8410) in PEM (RFC 7468), as openssl reads and writes them.

use std::fmt;

use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::{SigningKey, VerifyingKey};
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::pem::{LineEnding, PemLabel, decode_label};
use pkcs8::der::zeroize::Zeroizing;
use pkcs8::pkcs5::pbes2;
use pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, EncryptedPrivateKeyInfoRef,
    PrivateKeyInfoRef, SecretDocument,
};

use crate::secret_key::{RandomError, random};
use crate::{Error, Passphrase, PublicKey, SecretKey};

/// Rounds of PBKDF2-HMAC-SHA256: what OWASP's Password Storage Cheat Sheet asks for.
const PBKDF2_ROUNDS: u32 = 600_000;

/// Why a text is not read as a key, or a key not written as a text.
#[derive(Debug)]
#[non_exhaustive]
pub enum PemError {
    /// Not PEM at all.
    NotPem,
    /// PEM of something else.
    Label {
        /// What it says it is.
        found: String,
        /// What was looked for.
        expected: &'static str,
    },
    /// The key is encrypted and there is no passphrase.
    PassphraseNeeded,
    /// The key does not open with this passphrase.
    PassphraseWrong,
    /// Encrypted in a way that this program cannot undo.
    Encryption {
        /// What is not known about it.
        problem: String,
    },
    /// Not a key, or not one of ed25519.
    NotEd25519 {
        /// What is wrong with it.
        problem: String,
    },
    /// A public key that is not accepted.
    Key(Error),
    /// The system has no randomness to give.
    Random(RandomError),
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPem => f.write_str("not a key in PEM"),
            Self::Label { found, expected } => write!(f, "a PEM file of {found:?}, not of {expected:?}"),
            Self::PassphraseNeeded => f.write_str("the key is encrypted and there is no passphrase"),
            Self::PassphraseWrong => f.write_str("the passphrase is wrong"),
            Self::Encryption { problem } => write!(f, "the key is encrypted in an unknown way: {problem}"),
            Self::NotEd25519 { problem } => write!(f, "not an ed25519 key: {problem}"),
            Self::Key(error) => write!(f, "{error}"),
            Self::Random(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for PemError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Random(error) => Some(error),
            _ => None,
        }
    }
}

impl PemError {
    /// What to try; none when nothing helps but what the text says.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotPem | Self::Label { .. } | Self::NotEd25519 { .. } => {
                "`polecat key generate` or `openssl genpkey -algorithm ed25519` makes a key that fits"
            }
            Self::Encryption { .. } => "`openssl pkcs8 -topk8 -v2 aes256 -in OLD -out NEW` encrypts it in a known way",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn not_ed25519(error: impl fmt::Display) -> Self {
        Self::NotEd25519 {
            problem: error.to_string(),
        }
    }
}

/// The label of a PEM text.
fn label(text: &str) -> Result<&str, PemError> {
    decode_label(text.as_bytes()).map_err(|_| PemError::NotPem)
}

/// Whether the text is that of an encrypted secret key.
pub(crate) fn is_encrypted(text: &str) -> bool {
    label(text).is_ok_and(|label| label == EncryptedPrivateKeyInfoRef::PEM_LABEL)
}

impl SecretKey {
    /// The key in a PKCS#8 PEM text, encrypted or not. The passphrase of a key that is not encrypted is ignored.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn from_pem(text: &str, passphrase: Option<&Passphrase>) -> Result<Self, PemError> {
        let found = label(text)?;
        if found != PrivateKeyInfoRef::PEM_LABEL && found != EncryptedPrivateKeyInfoRef::PEM_LABEL {
            return Err(PemError::Label {
                found: found.to_owned(),
                expected: PrivateKeyInfoRef::PEM_LABEL,
            });
        }
        let (_label, document) = SecretDocument::from_pem(text).map_err(|_| PemError::NotPem)?;
        let document = if found == EncryptedPrivateKeyInfoRef::PEM_LABEL {
            decrypt(&document, passphrase.ok_or(PemError::PassphraseNeeded)?)?
        } else {
            document
        };
        let key = SigningKey::from_pkcs8_der(document.as_bytes()).map_err(PemError::not_ed25519)?;
        Ok(SecretKey::from_signing_key(key))
    }

    /// The key as a PKCS#8 PEM text; with a passphrase encrypted by PBES2 (PBKDF2-HMAC-SHA256, AES-256-CBC).
    ///
    /// # Errors
    /// [`PemError::Random`]; nothing else is to be expected.
    pub fn to_pem(&self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, PemError> {
        // Version 1 of the structure, without the public key: openssl 1.1 and 3.0 do not read version 2.
        let keypair = KeypairBytes {
            secret_key: *self.as_bytes(),
            public_key: None,
        };
        let document = keypair.to_pkcs8_der().map_err(PemError::not_ed25519)?;
        let (document, label) = match passphrase {
            None => (document, PrivateKeyInfoRef::PEM_LABEL),
            Some(passphrase) => (encrypt(&document, passphrase)?, EncryptedPrivateKeyInfoRef::PEM_LABEL),
        };
        document.to_pem(label, LineEnding::LF).map_err(PemError::not_ed25519)
    }
}

fn encryption(error: impl fmt::Display) -> PemError {
    PemError::Encryption {
        problem: error.to_string(),
    }
}

fn decrypt(document: &SecretDocument, passphrase: &Passphrase) -> Result<SecretDocument, PemError> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(encryption)?;
    encrypted.decrypt(passphrase.as_bytes()).map_err(|error| match error {
        // What comes out under a wrong key has no valid padding, or, once in 256 times, is not DER.
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            PemError::PassphraseWrong
        }
        other => encryption(other),
    })
}

fn encrypt(document: &SecretDocument, passphrase: &Passphrase) -> Result<SecretDocument, PemError> {
    let salt = random::<16>().map_err(PemError::Random)?;
    let iv = random::<16>().map_err(PemError::Random)?;
    let parameters =
        pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(PBKDF2_ROUNDS, salt.as_slice(), *iv).map_err(encryption)?;
    let encrypted_data = parameters
        .encrypt(passphrase.as_bytes(), document.as_bytes())
        .map_err(encryption)?;
    let encrypted_data = OctetStringRef::new(&encrypted_data).map_err(encryption)?;
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data,
    };
    SecretDocument::try_from(info).map_err(encryption)
}

/// Label of a public key.
const PUBLIC_KEY_LABEL: &str = "PUBLIC KEY";

impl PublicKey {
    /// The key in a SubjectPublicKeyInfo PEM text.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        let found = label(text)?;
        if found != PUBLIC_KEY_LABEL {
            return Err(PemError::Label {
                found: found.to_owned(),
                expected: PUBLIC_KEY_LABEL,
            });
        }
        let key = VerifyingKey::from_public_key_pem(text).map_err(PemError::not_ed25519)?;
        PublicKey::from_bytes(key.to_bytes()).map_err(PemError::Key)
    }

    /// The key as a SubjectPublicKeyInfo PEM text.
    ///
    /// # Errors
    /// None is to be expected.
    pub fn to_pem(&self) -> Result<String, PemError> {
        self.verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(PemError::not_ed25519)
    }
}
