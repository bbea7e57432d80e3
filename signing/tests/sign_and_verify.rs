//! Signing, and what a verifier does not let through.

use signing::{Error, PublicKey, Purpose, SecretKey, Signature, verify};

/// A secret key and its public half: RFC 8032, section 7.1, tests 1 to 3.
const RFC_8032: [([u8; 32], &str); 3] = [
    (
        [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ],
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
    (
        [
            0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a,
            0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
        ],
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ),
    (
        [
            0xc5, 0xaa, 0x8d, 0xf4, 0x3f, 0x9f, 0x83, 0x7b, 0xed, 0xb7, 0x44, 0x2f, 0x31, 0xdc, 0xb7, 0xb1, 0x66, 0xd3,
            0x85, 0x35, 0x07, 0x6f, 0x09, 0x4b, 0x85, 0xce, 0x3a, 0x2e, 0x0b, 0x44, 0x58, 0xf7,
        ],
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn public_halves() {
    for (secret, public) in RFC_8032 {
        assert_eq!(hex(&SecretKey::from_bytes(&secret).public_key().to_bytes()), public);
    }
}

#[test]
fn key_ids_begin_the_digest_of_the_key() {
    // printf d75a98…511a | xxd -r -p | sha256sum
    let key = SecretKey::from_bytes(&RFC_8032[0].0).public_key();
    assert_eq!(key.key_id().to_string(), "21fe31dfa154a261");
}

#[test]
fn signatures_are_for_one_message_one_key_and_one_purpose() {
    let [first, second, _] = RFC_8032.map(|(secret, _)| SecretKey::from_bytes(&secret));
    let key = first.public_key();
    let right = first.sign(Purpose::BundleManifest, b"message");
    let check = |message: &[u8], key: &PublicKey| verify(Purpose::BundleManifest, message, key, &right);
    let wrong = |key: &PublicKey| Err(Error::WrongSignature { key_id: key.key_id() });
    assert_eq!(
        right,
        first.sign(Purpose::BundleManifest, b"message"),
        "a signature is deterministic"
    );
    assert_eq!(check(b"message", &key), Ok(()));
    assert_eq!(check(b"massage", &key), wrong(&key));
    assert_eq!(check(b"", &key), wrong(&key));
    assert_eq!(
        check(&Purpose::BundleManifest.signed_message(b"message"), &key),
        wrong(&key)
    );
    assert_eq!(check(b"message", &second.public_key()), wrong(&second.public_key()));
}

#[test]
fn no_bit_of_a_signature_can_change() {
    let secret = SecretKey::from_bytes(&RFC_8032[2].0);
    let right = secret.sign(Purpose::BundleManifest, b"message");
    for bit in 0..512 {
        let mut changed = right.0;
        changed[bit / 8] ^= 1 << (bit % 8);
        let checked = verify(
            Purpose::BundleManifest,
            b"message",
            &secret.public_key(),
            &Signature(changed),
        );
        assert!(checked.is_err(), "bit {bit}");
    }
}

#[test]
fn new_keys_differ() {
    let keys: Vec<_> = (0..8).map(|_| SecretKey::generate().unwrap().public_key()).collect();
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key));
    }
}

#[test]
fn secrets_are_not_shown() {
    let secret = SecretKey::from_bytes(&RFC_8032[0].0);
    assert_eq!(format!("{secret:?}"), "SecretKey(21fe31dfa154a261)");
    let passphrase = signing::Passphrase::new(b"correct horse".to_vec());
    assert_eq!(format!("{passphrase:?}"), "Passphrase");
}
