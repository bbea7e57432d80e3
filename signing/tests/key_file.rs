//! Keys as files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::thread;

use signing::key_file::{self, Existing, KeyFileError};
use signing::locations::public_key_path;
use signing::{Passphrase, PemError, SecretKey};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

fn never_asked(_: &Path) -> Option<Passphrase> {
    panic!("asked for the passphrase of a key that is not encrypted")
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn written_for_its_owner_alone_with_the_public_half_beside() {
    let scratch = TempDir::new().unwrap();
    let directory = scratch.path().join("a/b");
    let path = directory.join("signing.key");
    key_file::write_secret(&path, &key(1), None, Existing::Keep).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(names(&directory), ["signing.key", "signing.key.pub"]);
    assert_eq!(
        key_file::read_secret(&path, never_asked).unwrap().public_key(),
        key(1).public_key()
    );
    assert_eq!(
        key_file::read_public(&public_key_path(&path)).unwrap(),
        key(1).public_key()
    );
}

#[test]
fn an_existing_key_stays_unless_it_is_to_be_replaced() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("key");
    key_file::write_secret(&path, &key(1), None, Existing::Keep).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = key_file::write_secret(&path, &key(2), None, Existing::Keep).unwrap_err();
    assert!(matches!(refused, KeyFileError::Exists { .. }), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(
        key_file::read_public(&public_key_path(&path)).unwrap(),
        key(1).public_key()
    );
    key_file::write_secret(&path, &key(2), None, Existing::Replace).unwrap();
    assert_eq!(
        key_file::read_secret(&path, never_asked).unwrap().public_key(),
        key(2).public_key()
    );
    assert_eq!(
        key_file::read_public(&public_key_path(&path)).unwrap(),
        key(2).public_key()
    );
    assert_eq!(names(scratch.path()), ["key", "key.pub"], "something was left behind");
}

#[test]
fn a_link_at_the_place_of_a_key_is_not_followed() {
    let scratch = TempDir::new().unwrap();
    let (path, target) = (scratch.path().join("key"), scratch.path().join("target"));
    fs::write(&target, "precious").unwrap();
    symlink(&target, &path).unwrap();
    let refused = key_file::write_secret(&path, &key(1), None, Existing::Keep).unwrap_err();
    assert!(matches!(refused, KeyFileError::Exists { .. }), "{refused}");
    key_file::write_secret(&path, &key(1), None, Existing::Replace).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"precious");
}

#[test]
fn a_key_that_others_may_use_is_refused() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("key");
    key_file::write_secret(&path, &key(1), None, Existing::Keep).unwrap();
    for (bits, usable) in [
        (0o400, true),
        (0o600, true),
        (0o700, true),
        (0o640, false),
        (0o604, false),
        (0o620, false),
        (0o601, false),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
        match key_file::read_secret(&path, never_asked) {
            Ok(_) => assert!(usable, "{bits:o} was read"),
            Err(KeyFileError::Exposed { mode, .. }) => assert!(!usable && mode == bits, "{bits:o} was refused"),
            Err(other) => panic!("{bits:o}: {other}"),
        }
    }
}

#[test]
fn a_passphrase_is_asked_for_when_it_is_needed() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("key");
    let right = Passphrase::new(b"right".to_vec());
    key_file::write_secret(&path, &key(1), Some(&right), Existing::Keep).unwrap();
    let read = |answer: Option<&str>| {
        let mut asked = None;
        let answer = answer.map(|text| Passphrase::new(text.as_bytes().to_vec()));
        let read = key_file::read_secret(&path, |path| {
            asked = Some(path.to_owned());
            answer
        });
        assert_eq!(asked.as_deref(), Some(path.as_path()));
        read
    };
    assert_eq!(read(Some("right")).unwrap().public_key(), key(1).public_key());
    assert!(matches!(
        read(Some("wrong")),
        Err(KeyFileError::Pem {
            source: PemError::PassphraseWrong,
            ..
        })
    ));
    assert!(matches!(
        read(None),
        Err(KeyFileError::Pem {
            source: PemError::PassphraseNeeded,
            ..
        })
    ));
}

#[test]
fn what_is_no_key_file_is_said() {
    let scratch = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    let says = |path: &Path| key_file::read_secret(path, never_asked).unwrap_err().to_string();
    let text = |path: &Path, what: &str| format!("key {}: {what}", path.display());
    let missing = scratch.path().join("missing");
    assert_eq!(says(&missing), text(&missing, "No such file or directory (os error 2)"));
    let directory = scratch.path().join("directory");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(says(&directory), text(&directory, "Is a directory (os error 21)"));
    let long = file("long", &[b'a'; 70_000]);
    assert_eq!(says(&long), text(&long, "too long for a key"));
    let binary = file("binary", b"\xff\xfe\0");
    assert_eq!(says(&binary), text(&binary, "not a key in PEM"));
    let empty = file("empty", b"");
    assert_eq!(says(&empty), text(&empty, "not a key in PEM"));
}

#[test]
fn the_first_use_makes_a_key_and_the_next_ones_find_it() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("config/polecat/signing.key");
    let first = key_file::load_or_create(&path, never_asked).unwrap();
    assert!(first.created);
    let second = key_file::load_or_create(&path, never_asked).unwrap();
    assert!(!second.created);
    assert_eq!(first.key.public_key(), second.key.public_key());
}

#[test]
fn of_many_first_uses_at_once_one_makes_the_key() {
    for _ in 0..20 {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("signing.key");
        let loaded: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| key_file::load_or_create(&path, never_asked).unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(loaded.iter().filter(|loaded| loaded.created).count(), 1);
        let keys: Vec<_> = loaded.iter().map(|loaded| loaded.key.public_key()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert_eq!(names(scratch.path()), ["signing.key", "signing.key.pub"]);
    }
}
