//! Passphrases: from a file, or typed on the terminal without being shown.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use signing::key_file::KeyFileError;
use signing::{Passphrase, SecretKey};

use super::args::{KeyChoice, PassphraseArgs};
use super::error::CliError;

/// The variable that names the passphrase file where no option does.
const VARIABLE: &str = "POLECAT_PASSPHRASE_FILE";

/// A secret key, where it is, and whether it was made just now.
#[derive(Debug)]
pub(super) struct OwnKey {
    pub(super) path: PathBuf,
    pub(super) key: SecretKey,
    pub(super) created: bool,
}

/// The key to sign with: the one named, else the user's own, which is made when there is none.
pub(super) fn load_key(choice: &KeyChoice) -> Result<OwnKey, CliError> {
    match &choice.key {
        Some(path) => {
            let key = read_key(path, &choice.passphrase)?;
            Ok(OwnKey {
                path: path.clone(),
                key,
                created: false,
            })
        }
        None => {
            let path = default_key_path()?;
            let is_there = matches!(path.try_exists(), Ok(true));
            if !is_there {
                check_home(&path)?;
            }
            let loaded = with_passphrase(&choice.passphrase, |passphrase| {
                let loaded = signing::key_file::load_or_create(&path, passphrase);
                loaded.map_err(|error| if is_there { error.into() } else { not_made(error) })
            })?;
            Ok(OwnKey {
                path,
                key: loaded.key,
                created: loaded.created,
            })
        }
    }
}

/// Reads a secret key; its passphrase is looked for when it is encrypted.
pub(super) fn read_key(path: &Path, passphrase: &PassphraseArgs) -> Result<SecretKey, CliError> {
    with_passphrase(passphrase, |passphrase| {
        Ok(signing::key_file::read_secret(path, passphrase)?)
    })
}

/// Where the user's own key is.
pub(super) fn default_key_path() -> Result<PathBuf, CliError> {
    signing::locations::default_key_path().ok_or(CliError::NoHome)
}

/// A key is not made below a home that is not there: whoever has none, as `nobody`, would not find it again.
pub(super) fn check_home(key: &Path) -> Result<(), CliError> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    // Where XDG_CONFIG_HOME says otherwise nothing is wanted of the home.
    if !key.starts_with(&home) {
        return Ok(());
    }
    let fault = match fs::metadata(&home) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => io::ErrorKind::NotADirectory.into(),
        Err(source) => source,
    };
    Err(CliError::NoNewKey {
        path: key.to_owned(),
        source: fault,
    })
}

/// The user's own key cannot be written: what the system says of some file alone would not tell that one was to be made.
pub(super) fn not_made(error: KeyFileError) -> CliError {
    match error {
        KeyFileError::Io { path, source } => CliError::NoNewKey { path, source },
        error => error.into(),
    }
}

/// Calls `read` with a way to get the passphrase; a failure of that way says more than what comes of it.
fn with_passphrase<T>(
    args: &PassphraseArgs,
    read: impl FnOnce(&mut dyn FnMut(&Path) -> Option<Passphrase>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut failure = None;
    let result = read(&mut |key| {
        find(args, key).unwrap_or_else(|error| {
            failure = Some(error);
            None
        })
    });
    failure.map_or(result, Err)
}

/// The passphrase of the key at `key`; none where nothing says it and nobody can be asked.
fn find(args: &PassphraseArgs, key: &Path) -> Result<Option<Passphrase>, CliError> {
    let variable = std::env::var_os(VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    match args.passphrase_file.clone().or(variable) {
        Some(file) => from_file(&file).map(Some),
        None if io::stdin().is_terminal() || io::stderr().is_terminal() => {
            prompt(&format!("Passphrase of {}: ", key.display())).map(Some)
        }
        None => Ok(None),
    }
}

/// The first line of a file.
pub(super) fn from_file(path: &Path) -> Result<Passphrase, CliError> {
    let bytes = fs::read(path).map_err(|source| CliError::Passphrase {
        from: path.display().to_string(),
        source,
    })?;
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let passphrase = Passphrase::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
    match passphrase.is_empty() {
        true => Err(CliError::NoPassphrase),
        false => Ok(passphrase),
    }
}

/// A new passphrase, typed twice.
pub(super) fn prompt_new() -> Result<Passphrase, CliError> {
    let first = ask("New passphrase: ")?;
    if first.is_empty() {
        return Err(CliError::NoPassphrase);
    }
    match ask("The same again: ")? == first {
        true => Ok(Passphrase::new(first.into_bytes())),
        false => Err(CliError::PassphrasesDiffer),
    }
}

fn prompt(question: &str) -> Result<Passphrase, CliError> {
    ask(question).map(|text| Passphrase::new(text.into_bytes()))
}

fn ask(question: &str) -> Result<String, CliError> {
    rpassword::prompt_password(question).map_err(|source| CliError::Passphrase {
        from: "terminal".to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_file_is_its_first_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("passphrase");
        for (contents, there) in [
            (&b"secret"[..], true),
            (b"secret\n", true),
            (b"secret\r\nmore\n", true),
            (b"\xff\xfe\n", true),
            (b"", false),
            (b"\nsecret\n", false),
        ] {
            fs::write(&path, contents).expect("room");
            assert_eq!(from_file(&path).is_ok(), there, "{}", contents.escape_ascii());
        }
        assert!(matches!(
            from_file(&directory.path().join("none")),
            Err(CliError::Passphrase { .. })
        ));
    }
}
