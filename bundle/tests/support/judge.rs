//! A whole bundle judged in the order of `docs/format.md`, as a stub or `polecat verify` does it.

use bundle::hash_tree::Verifier;
use bundle::layout::BLOCK_SIZE;
use bundle::{Bundle, Manifest, ReadError};
use sha2::{Digest, Sha256};
use signing::{PublicKey, Purpose, Signature};

/// The manifest of a bundle in which every byte is as it was signed; else why not, in words.
pub fn judge(bytes: &[u8]) -> Result<Manifest, String> {
    let bundle = Bundle::read(bytes).map_err(|error| error.to_string())?;
    check_signatures(&bundle)?;
    let manifest = Manifest::parse(bundle.manifest_bytes()).map_err(|error| ReadError::from(error).to_string())?;
    bundle.check_manifest(&manifest).map_err(|error| error.to_string())?;
    let stub = &bytes[..usize::try_from(bundle.stub_length()).unwrap()];
    if Sha256::digest(stub).as_slice() != manifest.stub.sha256_bytes().unwrap() {
        return Err("the stub is not what was signed".to_owned());
    }
    let salt = manifest.hash_tree.salt_bytes().unwrap();
    let root_digest = manifest.hash_tree.root_digest_bytes().unwrap();
    let data_blocks = manifest.image.length / BLOCK_SIZE;
    let verifier = Verifier::new(root_digest, &salt, data_blocks, manifest.hash_tree.offset).unwrap();
    let image = usize::try_from(manifest.image.offset).unwrap()..usize::try_from(manifest.hash_tree.offset).unwrap();
    verifier
        .verify_blocks(bytes, 0, &bytes[image])
        .map_err(|error| error.to_string())?;
    Ok(manifest)
}

fn check_signatures(bundle: &Bundle) -> Result<(), String> {
    for record in bundle.ed25519_signatures() {
        let key = PublicKey::from_bytes(record.public_key).map_err(|error| error.to_string())?;
        signing::verify(
            Purpose::BundleManifest,
            bundle.manifest_bytes(),
            &key,
            &Signature(record.signature),
        )
        .map_err(|error| error.to_string())?;
    }
    match bundle.ed25519_signatures().next() {
        Some(_) => Ok(()),
        None => Err("no signature of a known algorithm".to_owned()),
    }
}
