//! `polecat key`: making and showing keys.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use signing::key_file::{self, Existing, KeyFileError};
use signing::{PemError, PublicKey, SecretKey, locations};

use super::args::{GenerateArgs, ShowArgs};
use super::bundle_file;
use super::error::CliError;
use super::output;
use super::passphrase::{self, default_key_path};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    key_id: String,
    secret_key: String,
    public_key: String,
    encrypted: bool,
}

/// Makes a key.
pub(super) fn generate(args: &GenerateArgs) -> Result<(), CliError> {
    let path = match &args.out {
        Some(path) => path.clone(),
        None => {
            let path = default_key_path()?;
            passphrase::check_home(&path)?;
            path
        }
    };
    let passphrase = match &args.passphrase_file {
        Some(file) => Some(passphrase::from_file(file)?),
        None if args.passphrase_prompt => Some(passphrase::prompt_new()?),
        None => None,
    };
    let key = SecretKey::generate().map_err(KeyFileError::Random)?;
    let written = key_file::write_secret(&path, &key, passphrase.as_ref(), Existing::Keep);
    written.map_err(|error| match args.out {
        Some(_) => error.into(),
        None => passphrase::not_made(error),
    })?;
    let generated = Generated {
        key_id: key.public_key().key_id().to_string(),
        secret_key: path.display().to_string(),
        public_key: locations::public_key_path(&path).display().to_string(),
        encrypted: passphrase.is_some(),
    };
    if args.json {
        return output::print_json(&generated);
    }
    output::print(|out| {
        writeln!(out, "key id       {}", generated.key_id)?;
        writeln!(out, "secret key   {}", generated.secret_key)?;
        writeln!(out, "public key   {}", generated.public_key)
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    key_id: String,
    public_key: String,
    trusted: bool,
}

/// Shows the public keys in a file.
pub(super) fn show(args: &ShowArgs) -> Result<(), CliError> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => own_key()?,
    };
    let store = bundle_file::trust_store();
    let mut keys = Vec::new();
    for key in public_keys(&path, args)? {
        keys.push(Shown {
            key_id: key.key_id().to_string(),
            public_key: key.to_pem().map_err(|source| KeyFileError::Pem {
                path: path.clone(),
                source,
            })?,
            trusted: store.trusts(&key),
        });
    }
    if args.json {
        return output::print_json(&keys);
    }
    output::print(|out| {
        for key in &keys {
            if !args.pem {
                let trusted = if key.trusted { "trusted" } else { "not trusted" };
                writeln!(out, "key id {}, {trusted}: {}", key.key_id, path.display())?;
            }
            out.write_all(key.public_key.as_bytes())?;
        }
        Ok(())
    })
}

/// The user's own key: its public half, which needs no passphrase, else the secret one.
fn own_key() -> Result<PathBuf, CliError> {
    let secret = default_key_path()?;
    let public = locations::public_key_path(&secret);
    Ok(if public.exists() { public } else { secret })
}

/// The keys in a file of any kind that has some.
fn public_keys(path: &Path, args: &ShowArgs) -> Result<Vec<PublicKey>, CliError> {
    match key_file::read_public(path) {
        Ok(key) => Ok(vec![key]),
        Err(KeyFileError::Pem {
            source: PemError::Label { .. },
            ..
        }) => Ok(vec![passphrase::read_key(path, &args.passphrase)?.public_key()]),
        Err(KeyFileError::TooLong { .. } | KeyFileError::Pem { .. }) => signers(path),
        Err(error) => Err(error.into()),
    }
}

fn signers(path: &Path) -> Result<Vec<PublicKey>, CliError> {
    match bundle_file::verify(path) {
        Ok(verified) => Ok(verified.signer_keys().to_vec()),
        Err(CliError::Verify {
            source: runtime::verify::VerifyError::Read(bundle::ReadError::NotABundle { .. }),
            ..
        }) => Err(CliError::NoKeys { path: path.to_owned() }),
        Err(error) => Err(error),
    }
}
