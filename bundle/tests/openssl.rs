//! Signatures in a bundle, judged by openssl with nothing but byte offsets.

mod support;

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;

use ::support::Need;
use ::support::requirement::{skip, tool};
use bundle::{Bundle, Ed25519Record, SignatureRecord, signatures};
use signing::{PublicKey, Purpose, SecretKey};
use support::judge::judge;
use support::{fixtures, sample};
use tempfile::TempDir;

const OPENSSL: &str = "openssl";

/// Whether openssl takes the record's signature for one over the message.
fn accepts(scratch: &Path, message: &[u8], record: &Ed25519Record) -> bool {
    let (key, signature, input) = (
        scratch.join("key.pem"),
        scratch.join("signature"),
        scratch.join("message"),
    );
    fs::write(
        &key,
        PublicKey::from_bytes(record.public_key).unwrap().to_pem().unwrap(),
    )
    .unwrap();
    fs::write(&signature, record.signature).unwrap();
    fs::write(&input, message).unwrap();
    let mut command = Command::new(tool(OPENSSL));
    command
        .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"])
        .arg(key);
    command
        .arg("-in")
        .arg(input)
        .arg("-sigfile")
        .arg(signature)
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn golden_signatures_are_right_for_openssl() {
    if skip(&[Need::Tool(OPENSSL)]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    for (name, signatures) in [("minimal.bundle", 1), ("extended.bundle", 2)] {
        let bundle = Bundle::read(&fixtures::read(&fixtures::folder("golden/v1").join(name))).unwrap();
        let message = [b"polecat bundle manifest v1\0".as_slice(), bundle.manifest_bytes()].concat();
        assert_eq!(bundle.signed_message(), message);
        assert_eq!(Purpose::BundleManifest.signed_message(bundle.manifest_bytes()), message);
        assert_eq!(bundle.ed25519_signatures().count(), signatures);
        for record in bundle.ed25519_signatures() {
            assert!(accepts(scratch.path(), &message, record), "{name}");
            assert!(
                !accepts(scratch.path(), bundle.manifest_bytes(), record),
                "{name}: right without the prefix"
            );
        }
    }
}

#[test]
fn signatures_are_added_in_place() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("bundle");
    let original = fixtures::read(&fixtures::folder("golden/v1/minimal.bundle"));
    fs::write(&path, &original).unwrap();
    let sign = |key: &SecretKey| {
        let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let bundle = Bundle::read(&file).unwrap();
        let record = sample::record(key, bundle.manifest_bytes());
        signatures::add(&mut file, &bundle, record).map_err(|error| error.to_string())
    };
    let signers = || {
        let bundle = Bundle::read(&fs::read(&path).unwrap()).unwrap();
        bundle
            .ed25519_signatures()
            .map(|record| record.key_id)
            .collect::<Vec<_>>()
    };
    let [first, second] = sample::keys();
    let ids = [&first, &second].map(|key| key.public_key().key_id().to_bytes());

    sign(&second).unwrap();
    assert_eq!(signers(), ids);
    sign(&second).unwrap();
    assert_eq!(signers(), ids, "a key has one signature");
    let changed = fs::read(&path).unwrap();
    judge(&changed).unwrap();
    let differing = |from: usize, to: usize| original[from..to] != changed[from..to];
    assert!(!differing(0, 4096) && !differing(8192, 12288) && !differing(16384, original.len()));
    assert!(differing(4096, 8192) && differing(12288, 16384));

    for number in 2..31u8 {
        sign(&SecretKey::from_bytes(&[number; 32])).unwrap();
    }
    judge(&fs::read(&path).unwrap()).unwrap();
    let full = fs::read(&path).unwrap();
    assert_eq!(
        sign(&SecretKey::from_bytes(&[99; 32])),
        Err("a bundle holds at most 31 signatures, not 32".to_owned())
    );
    assert!(
        fs::read(&path).unwrap() == full,
        "a refused signature has changed the file"
    );
}

#[test]
fn signatures_of_unknown_algorithms_are_kept() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("bundle");
    fs::write(&path, fixtures::read(&fixtures::folder("golden/v1/extended.bundle"))).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let bundle = Bundle::read(&file).unwrap();
    let third = SecretKey::from_bytes(&[3; 32]);
    signatures::add(&mut file, &bundle, sample::record(&third, bundle.manifest_bytes())).unwrap();
    let bytes = fs::read(&path).unwrap();
    judge(&bytes).unwrap();
    let after = Bundle::read(&bytes).unwrap();
    assert_eq!(after.signatures()[..3], *bundle.signatures());
    assert!(matches!(
        after.signatures()[1],
        SignatureRecord::Unknown { algorithm: 0x7777, .. }
    ));
    assert_eq!(after.superblock().sections, bundle.superblock().sections);
}
