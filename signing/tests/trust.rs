//! Whose signatures are accepted.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use signing::key_file::{self, Existing};
use signing::locations::public_key_path;
use signing::trust::{TrustError, TrustStore};
use signing::{Passphrase, PublicKey, SecretKey};
use tempfile::TempDir;

fn public(number: u8) -> PublicKey {
    SecretKey::from_bytes(&[number; 32]).public_key()
}

fn permit(path: &PathBuf, bits: u32) {
    fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
}

/// Two directories with keys 1 (`.pem`) and 2 (`.pub`), a secret key 3 of the user's own, and things that are no keys.
struct Places {
    _scratch: TempDir,
    directories: Vec<PathBuf>,
    own_key: PathBuf,
}

impl Places {
    fn new() -> Self {
        let scratch = TempDir::new().unwrap();
        let directories: Vec<PathBuf> = ["user", "system", "missing"]
            .map(|name| scratch.path().join(name))
            .into();
        let write = |directory: usize, name: &str, number: u8| {
            key_file::write_public(&directories[directory].join(name), &public(number), Existing::Keep).unwrap();
        };
        write(0, "a.pem", 1);
        write(1, "b.pub", 2);
        write(0, "c.pem.disabled", 4);
        fs::write(directories[0].join("README"), "keys of the house").unwrap();
        let own = scratch.path().join("signing.key");
        key_file::write_secret(&own, &SecretKey::from_bytes(&[3; 32]), None, Existing::Keep).unwrap();
        Places {
            directories,
            own_key: own,
            _scratch: scratch,
        }
    }

    fn load(&self) -> TrustStore {
        TrustStore::load(&self.directories, Some(&self.own_key))
    }
}

fn trusted(store: &TrustStore) -> Vec<u8> {
    (0..6).filter(|&number| store.trusts(&public(number))).collect()
}

#[test]
fn keys_of_the_directories_and_the_users_own() {
    let places = Places::new();
    let store = places.load();
    assert_eq!(trusted(&store), [1, 2, 3]);
    assert!(store.problems().is_empty(), "{:?}", store.problems());
    assert_eq!(store.keys().len(), 3);
    assert_eq!(
        store.find(&public(2)).unwrap().path,
        places.directories[1].join("b.pub")
    );
    let found: Vec<_> = store.with_id(public(1).key_id()).map(|key| key.public_key).collect();
    assert_eq!(found, [public(1)]);
    assert!(trusted(&TrustStore::load(&[], None)).is_empty());
    assert!(trusted(&TrustStore::load(&[], Some(&places.directories[0].join("nothing")))).is_empty());
}

#[test]
fn what_cannot_be_used_is_said_and_trusts_nobody() {
    let places = Places::new();
    let user = &places.directories[0];
    fs::write(user.join("broken.pem"), "no key").unwrap();
    fs::create_dir(user.join("directory.pub")).unwrap();
    let store = places.load();
    assert_eq!(trusted(&store), [1, 2, 3]);
    assert!(
        matches!(store.problems(), [TrustError::Key(_), TrustError::Key(_)]),
        "{:?}",
        store.problems()
    );
}

#[test]
fn what_everyone_may_write_does_not_count() {
    let places = Places::new();
    permit(&places.directories[0].join("a.pem"), 0o646);
    permit(&places.directories[1], 0o777);
    let store = places.load();
    assert_eq!(trusted(&store), [3]);
    assert!(
        matches!(
            store.problems(),
            [TrustError::Writable { .. }, TrustError::Writable { .. }]
        ),
        "{:?}",
        store.problems()
    );
}

#[test]
fn the_users_own_key_needs_no_public_half_beside_it() {
    let places = Places::new();
    fs::remove_file(public_key_path(&places.own_key)).unwrap();
    let store = places.load();
    assert_eq!(trusted(&store), [1, 2, 3]);
    assert_eq!(store.find(&public(3)).unwrap().path, places.own_key);

    let passphrase = Passphrase::new(b"secret".to_vec());
    key_file::write_secret(
        &places.own_key,
        &SecretKey::from_bytes(&[5; 32]),
        Some(&passphrase),
        Existing::Replace,
    )
    .unwrap();
    assert_eq!(trusted(&places.load()), [1, 2, 5]);
    fs::remove_file(public_key_path(&places.own_key)).unwrap();
    let store = places.load();
    assert_eq!(trusted(&store), [1, 2]);
    let [TrustError::Key(problem)] = store.problems() else {
        panic!("{:?}", store.problems())
    };
    assert!(
        problem
            .to_string()
            .ends_with("the key is encrypted and there is no passphrase"),
        "{problem}"
    );
}
