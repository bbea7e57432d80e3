//! What a bundle must be before anything in it is used.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bundle::{ReadError, SignatureRecord};
use runtime::verify::{Opened, Verified, VerifyError};
use signing::{Purpose, SecretKey};

use crate::support::bundles::{self, Packed};
use crate::support::needs::skip;

fn verify(path: &Path) -> Result<Verified, VerifyError> {
    Opened::new(File::open(path).unwrap())?.verify()
}

fn small(directory: &Path) -> Packed {
    let source = directory.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "content").unwrap();
    bundles::pack(&source, directory, &[])
}

/// Replaces the signatures, and the superblock's checksum with them.
fn sign_with(packed: &Packed, records: impl FnOnce(&[u8]) -> Vec<SignatureRecord>) {
    let mut file = File::options().read(true).write(true).open(&packed.path).unwrap();
    let head = bundle::Bundle::read(&file).unwrap();
    let records = records(head.manifest_bytes());
    bundle::signatures::replace(&mut file, &head, &records).unwrap();
}

fn record(key: &SecretKey, message: &[u8]) -> SignatureRecord {
    SignatureRecord::ed25519(
        key.public_key().to_bytes(),
        key.sign(Purpose::BundleManifest, message).0,
    )
}

#[test]
fn signers_are_those_whose_signatures_are_right() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    let other = SecretKey::from_bytes(&[9; 32]);
    let unknown = SignatureRecord::Unknown {
        algorithm: 77,
        bytes: [3; 124],
    };
    sign_with(&packed, |message| {
        vec![unknown, record(&bundles::key(), message), record(&other, message)]
    });
    let verified = verify(&packed.path).unwrap();
    assert_eq!(
        verified.signers(),
        [bundles::key().public_key().key_id(), other.public_key().key_id()]
    );
    assert_eq!(
        verified.signer_keys(),
        [bundles::key().public_key(), other.public_key()]
    );
    assert_eq!(verified.manifest().name, "test");
    verified.check_stub().unwrap();
}

#[test]
fn bundles_without_a_known_signature_are_refused() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    sign_with(&packed, |_| vec![]);
    let error = verify(&packed.path).unwrap_err();
    assert_eq!(error.to_string(), "the bundle is not signed");
    assert!(error.hint().is_some());
    sign_with(&packed, |_| {
        vec![SignatureRecord::Unknown {
            algorithm: 77,
            bytes: [3; 124],
        }]
    });
    assert!(matches!(
        verify(&packed.path),
        Err(VerifyError::Unsigned { unknown: 1 })
    ));
}

#[test]
fn one_wrong_signature_spoils_the_right_ones() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    let other = SecretKey::from_bytes(&[9; 32]);
    sign_with(&packed, |message| {
        vec![record(&bundles::key(), message), record(&other, b"another message")]
    });
    let error = verify(&packed.path).unwrap_err();
    let id = other.public_key().key_id();
    let text = format!("the bundle's signature by key {id} is wrong: the manifest is not what was signed");
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_key_that_is_no_key_is_refused() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    // A point of small order: by its leave, every signature is right.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    sign_with(&packed, |_| vec![SignatureRecord::ed25519(neutral, [0; 64])]);
    assert!(matches!(verify(&packed.path), Err(VerifyError::Key { .. })));
}

/// Whoever can change the manifest can compute the superblock's checksum anew, but not sign.
#[test]
fn a_manifest_that_was_changed_is_not_parsed() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    let head = bundle::Bundle::read(&File::open(&packed.path).unwrap()).unwrap();
    let signatures = head.signatures().to_vec();
    let at = head.superblock_offset() + 4096;
    // Not even JSON any more: what is said is that the signature is wrong.
    for position in (0..head.manifest_bytes().len() as u64).step_by(17) {
        packed.flip(at + position);
        let file = File::options().read(true).write(true).open(&packed.path).unwrap();
        let checksum = checksum(&file, &head);
        file.write_all_at(&checksum, head.superblock_offset() + 4064).unwrap();
        let error = verify(&packed.path).unwrap_err();
        assert!(
            matches!(error, VerifyError::Signature { .. }),
            "byte {position}: {error}"
        );
        packed.flip(at + position);
    }
    sign_with_same(&packed, &signatures);
    verify(&packed.path).unwrap();
}

fn sign_with_same(packed: &Packed, signatures: &[SignatureRecord]) {
    let file = File::options().read(true).write(true).open(&packed.path).unwrap();
    let pristine = {
        let mut block = vec![0; 4096];
        let head_end = packed.image_offset - 4096;
        file.read_exact_at(&mut block, head_end).unwrap();
        block
    };
    assert_eq!(pristine[..4], u32::try_from(signatures.len()).unwrap().to_le_bytes());
    let superblock = 4096;
    let mut head = vec![0; usize::try_from(packed.image_offset - superblock).unwrap()];
    file.read_exact_at(&mut head, superblock).unwrap();
    let length = u64::from_le_bytes(head[40 + 16..40 + 24].try_into().unwrap());
    file.write_all_at(&sha256(&head, length), superblock + 4064).unwrap();
}

/// The superblock's checksum over the file as it is.
fn checksum(file: &File, head: &bundle::Bundle) -> [u8; 32] {
    let start = head.superblock_offset();
    let length = head.manifest_bytes().len() as u64;
    let mut bytes = vec![0; 4096 + usize::try_from(length).unwrap().next_multiple_of(4096) + 4096];
    file.read_exact_at(&mut bytes, start).unwrap();
    sha256(&bytes, length)
}

/// SHA-256 over superblock up to the checksum, manifest and signature block, as docs/format.md has it.
fn sha256(head: &[u8], manifest_length: u64) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let length = usize::try_from(manifest_length).unwrap();
    let signatures = 4096 + length.next_multiple_of(4096);
    let mut hash = Sha256::new();
    hash.update(&head[..4064]);
    hash.update(&head[4096..4096 + length]);
    hash.update(&head[signatures..signatures + 4096]);
    hash.finalize().into()
}

#[test]
fn damage_in_the_head_is_told_from_tampering() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    let whole = fs::read(&packed.path).unwrap();
    for offset in (4096..packed.image_offset).step_by(61) {
        packed.flip(offset);
        let error = verify(&packed.path).unwrap_err();
        assert!(matches!(error, VerifyError::Read(_)), "byte {offset}: {error}");
        assert!(error.hint().is_some(), "byte {offset}: {error}");
        packed.flip(offset);
    }
    for length in (1..whole.len()).step_by(509) {
        fs::write(&packed.path, &whole[..length]).unwrap();
        match verify(&packed.path).unwrap_err() {
            VerifyError::Read(ReadError::Truncated { .. } | ReadError::NotABundle { .. }) => {}
            error => panic!("{length} bytes: {error}"),
        }
    }
}

#[test]
fn the_stub_is_compared_with_the_manifest() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let packed = small(directory.path());
    packed.flip(9);
    let error = verify(&packed.path).unwrap().check_stub().unwrap_err();
    assert!(matches!(error, VerifyError::Stub), "{error}");
}
