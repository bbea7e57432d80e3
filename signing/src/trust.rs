//! Whose signatures the user accepts: the keys in `trusted.d` directories, and the user's own.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::key_file::{self, KeyFileError};
use crate::locations;
use crate::{KeyId, PublicKey};

/// Endings of the files that hold trusted keys.
const ENDINGS: [&str; 2] = ["pem", "pub"];

/// A key that is trusted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key.
    pub public_key: PublicKey,
    /// The file that says so.
    pub path: PathBuf,
}

/// The trusted keys, read once.
#[derive(Debug, Default)]
pub struct TrustStore {
    keys: Vec<TrustedKey>,
    problems: Vec<TrustError>,
}

/// Why a file or directory does not count.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrustError {
    /// A directory could not be read.
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anyone may write what this file or directory says.
    Writable {
        /// The file or directory.
        path: PathBuf,
    },
    /// The file is not a public key.
    Key(KeyFileError),
}

impl TrustStore {
    /// The keys in the customary places ([`locations`]): the user's directory, the system's, and the user's own key.
    pub fn of_user() -> Self {
        Self::load(
            &locations::trusted_directories(),
            locations::default_key_path().as_deref(),
        )
    }

    /// The keys in the `*.pem` and `*.pub` files of these directories, and the one whose secret half is `own_key`: its public
    /// half beside it is read, or, where that is missing, the secret one. A directory or key that is not there is none;
    /// what cannot be used is among the [`TrustStore::problems`] and trusts nobody.
    pub fn load(directories: &[PathBuf], own_key: Option<&Path>) -> Self {
        let mut store = TrustStore::default();
        for directory in directories {
            match key_files(directory) {
                Ok(paths) => paths.into_iter().for_each(|path| store.add(path)),
                Err(problem) => store.problems.push(problem),
            }
        }
        if let Some(secret) = own_key {
            store.add_own(secret);
        }
        store
    }

    /// The entry that makes this key a trusted one; none when it is not. Compared by the whole key.
    pub fn find(&self, key: &PublicKey) -> Option<&TrustedKey> {
        self.keys.iter().find(|trusted| trusted.public_key == *key)
    }

    /// Whether the key is trusted.
    pub fn trusts(&self, key: &PublicKey) -> bool {
        self.find(key).is_some()
    }

    /// The entries of keys with this id: to look one up that the user has named.
    pub fn with_id(&self, id: KeyId) -> impl Iterator<Item = &TrustedKey> {
        self.keys
            .iter()
            .filter(move |trusted| trusted.public_key.key_id() == id)
    }

    /// All entries.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// What could not be used.
    pub fn problems(&self) -> &[TrustError] {
        &self.problems
    }

    fn add(&mut self, path: PathBuf) {
        let found = read_trusted(&path);
        self.add_found(path, found);
    }

    fn add_own(&mut self, secret: &Path) {
        let public = locations::public_key_path(secret);
        match read_trusted(&public) {
            Ok(None) => self.add_found(secret.to_owned(), read_own(secret)),
            found => self.add_found(public, found),
        }
    }

    fn add_found(&mut self, path: PathBuf, found: Result<Option<PublicKey>, TrustError>) {
        match found {
            Ok(Some(public_key)) => self.keys.push(TrustedKey { public_key, path }),
            Ok(None) => {}
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// The key files of a directory, sorted by name.
fn key_files(directory: &Path) -> Result<Vec<PathBuf>, TrustError> {
    let problem = |source| TrustError::Directory {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(problem)?,
    };
    if fs::metadata(directory).map_err(problem)?.mode() & 0o002 != 0 {
        return Err(TrustError::Writable {
            path: directory.to_owned(),
        });
    }
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(problem)?.path();
        if path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The key in a file that not everyone may write; none when there is no such file.
fn read_trusted(path: &Path) -> Result<Option<PublicKey>, TrustError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o002 != 0 => Err(TrustError::Writable { path: path.to_owned() }),
        Ok(metadata) if !metadata.is_file() => Err(TrustError::Key(KeyFileError::NotAFile { path: path.to_owned() })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => key_file::read_public(path).map(Some).map_err(TrustError::Key),
    }
}

/// The public half of a secret key in a file; none when there is no such file.
fn read_own(secret: &Path) -> Result<Option<PublicKey>, TrustError> {
    match key_file::read_secret(secret, |_| None) {
        Ok(key) => Ok(Some(key.public_key())),
        Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TrustError::Key(error)),
    }
}

impl TrustError {
    /// What to try; none when nothing helps but what the text says.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Directory { .. } => None,
            Self::Writable { path } => Some(format!("chmod o-w {}", path.display())),
            Self::Key(error) => error.hint(),
        }
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, source } => write!(f, "trusted keys in {}: {source}", path.display()),
            Self::Writable { path } => {
                write!(
                    f,
                    "trusted keys in {}: not used, everyone may write there",
                    path.display()
                )
            }
            Self::Key(error) => write!(f, "trusted {error}"),
        }
    }
}

impl std::error::Error for TrustError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory { source, .. } => Some(source),
            Self::Key(error) => Some(error),
            Self::Writable { .. } => None,
        }
    }
}
