//! Opening bundles, and what several verbs say of them.

use std::fs::File;
use std::io;
use std::path::Path;

use bundle::Bundle;
use runtime::image::{CheckError, VerifiedImage};
use runtime::verify::{Opened, Verified, VerifyError};
use serde::Serialize;
use signing::PublicKey;
use signing::trust::TrustStore;
use squashfs::Image;

use super::error::CliError;
use super::output;
use crate::inventory::Inventory;
use crate::listing::{Listing, ListingError};
use crate::reasons::Reasons;

/// Opens a bundle to read; a directory is refused, which open(2) would not do.
pub(super) fn open(path: &Path) -> Result<File, CliError> {
    let fault = |source| CliError::Open {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fault)?;
    match file.metadata().map_err(fault)?.is_dir() {
        true => Err(fault(io::ErrorKind::IsADirectory.into())),
        false => Ok(file),
    }
}

/// The head of a bundle, of which nothing is proven.
pub(super) fn read_head(path: &Path) -> Result<(File, Bundle), CliError> {
    let file = open(path)?;
    let bundle = Bundle::read(&file).map_err(|error| unverified(path, error.into()))?;
    Ok((file, bundle))
}

/// Checks the signatures of a bundle and everything but its image and stub.
pub(super) fn verify(path: &Path) -> Result<Verified, CliError> {
    verify_open(path, open(path)?)
}

/// The same for a bundle that is open; `path` is for messages.
pub(super) fn verify_open(path: &Path, file: File) -> Result<Verified, CliError> {
    let opened = Opened::new(file).map_err(|error| unverified(path, error))?;
    opened.verify().map_err(|error| unverified(path, error))
}

/// The error of a bundle that is not what was signed.
pub(super) fn unverified(path: &Path, source: VerifyError) -> CliError {
    CliError::Verify {
        path: path.to_owned(),
        source,
    }
}

/// The image of a bundle, and what is in it.
pub(super) fn list(path: &Path, verified: &Verified) -> Result<(Image<VerifiedImage>, Listing), CliError> {
    let listed = verified.image().open().map_err(ListingError::from).and_then(|image| {
        let listing = Listing::read(&image, verified.manifest().image.entries)?;
        Ok((image, listing))
    });
    listed.map_err(|source| unlisted(path, source))
}

/// The packages that a bundle lists; none where it lists none.
pub(super) fn inventory(path: &Path, verified: &Verified) -> Result<Option<Inventory>, CliError> {
    Inventory::read(verified.file(), verified.manifest()).map_err(|source| CliError::Inventory {
        path: path.to_owned(),
        source,
    })
}

/// The reasons of what was listed; none where the bundle has none.
pub(super) fn reasons(path: &Path, verified: &Verified, listing: &Listing) -> Result<Option<Reasons>, CliError> {
    let read = Reasons::read(verified.file(), verified.manifest(), listing.len());
    read.map_err(|source| CliError::Reasons {
        path: path.to_owned(),
        source,
    })
}

/// The error of an image that cannot be listed or read.
pub(super) fn unlisted(path: &Path, source: ListingError) -> CliError {
    let path = path.to_owned();
    let check = match &source {
        ListingError::Image(error) => CheckError::beneath(error),
        ListingError::TooManyEntries { .. } | ListingError::Repeated { .. } => None,
    };
    match check {
        Some(source) => CliError::Check { path, source },
        None => CliError::Listing { path, source },
    }
}

/// The keys the user trusts; tells of those that cannot be used.
pub(super) fn trust_store() -> TrustStore {
    let store = TrustStore::of_user();
    for problem in store.problems() {
        output::complain(&problem.to_string(), problem.hint().as_deref());
    }
    store
}

/// A key that has signed a bundle, as reports say it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signer {
    /// 16 hexadecimal digits.
    pub(super) key_id: String,
    /// The file that makes it a trusted key; none when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trusted_by: Option<String>,
    /// Whether it is trusted.
    pub(super) trusted: bool,
}

impl Signer {
    pub(super) fn new(key: &PublicKey, store: &TrustStore) -> Self {
        let trusted = store.find(key);
        Self {
            key_id: key.key_id().to_string(),
            trusted_by: trusted.map(|trusted| trusted.path.display().to_string()),
            trusted: trusted.is_some(),
        }
    }
}
