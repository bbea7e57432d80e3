//! Changes by someone who knows the format: the checksum is made right again each time. Only the signature can tell.

use support::format::{Layout, SECTION_SIZE, SECTION_TABLE, SIGNATURE_RECORDS, SIGNATURE_SIZE};
use support::{Bundle, Polecat, Scratch, quick};

use crate::{RAN, UNVERIFIED, Victim, easiest_place};

impl Victim {
    /// Applies a change, makes the checksum right, and puts it in the victim's place.
    fn forge(&self, change: impl FnOnce(&mut Layout)) {
        let mut forged = self.layout.clone();
        change(&mut forged);
        forged.renew_checksum();
        self.replace(&forged.bytes);
    }
}

#[test]
fn any_byte_of_the_manifest() {
    let Some(victim) = Victim::new() else { return };
    for offset in victim.layout.manifest.clone().step_by(if quick() { 97 } else { 1 }) {
        victim.forge(|layout| layout.bytes[offset] ^= 1);
        let _refusal = victim.refused(&format!("byte {offset} of the manifest, checksum renewed"));
    }
}

#[test]
fn any_byte_of_the_signature_record() {
    let Some(victim) = Victim::new() else { return };
    let start = victim.layout.signatures.start + SIGNATURE_RECORDS;
    for offset in (start..start + SIGNATURE_SIZE).step_by(if quick() { 7 } else { 1 }) {
        victim.forge(|layout| layout.bytes[offset] ^= 0x40);
        let _refusal = victim.refused(&format!("byte {offset} of the signature record, checksum renewed"));
    }
}

#[test]
fn any_byte_of_the_section_table_and_what_is_before_it() {
    let Some(victim) = Victim::new() else { return };
    let start = victim.layout.superblock.start;
    let sections = usize::from(victim.layout.bytes[start + 32]);
    // What an ignorable section says of itself may change: the program is still the signed one.
    let is_ignorable = |offset: usize| {
        let entry = offset
            .checked_sub(start + SECTION_TABLE)
            .map(|inside| inside / SECTION_SIZE);
        entry.is_some_and(|entry| victim.layout.bytes[start + SECTION_TABLE + entry * SECTION_SIZE + 4] & 1 == 0)
    };
    for offset in start..start + SECTION_TABLE + sections * SECTION_SIZE {
        victim.forge(|layout| layout.bytes[offset] ^= 1);
        let ended = victim.start(easiest_place());
        let runs_as_signed = ended.out() == format!("{RAN}\n") && ended.code() == Some(1);
        let refused = ended.out().is_empty() && ended.code() == Some(UNVERIFIED);
        assert!(
            refused || (runs_as_signed && is_ignorable(offset)),
            "byte {offset}: {ended}"
        );
    }
}

#[test]
fn another_program_behind_the_same_signature() {
    let Some(victim) = Victim::new() else { return };
    // The same length of path, so that everything fits.
    victim.forge(|layout| {
        let manifest = &mut layout.bytes[layout.manifest.clone()];
        let at = manifest
            .windows(9)
            .position(|window| window == b"/bin/tiny")
            .expect("the path");
        manifest[at..at + 9].copy_from_slice(b"/bin/tinx");
    });
    let said = victim.refused("another program").err();
    assert!(said.contains("signature"), "{said}");
}

#[test]
fn no_signature_at_all() {
    let Some(victim) = Victim::new() else { return };
    victim.forge(|layout| {
        let block = layout.signatures.clone();
        layout.bytes[block].fill(0);
    });
    let said = victim.refused("unsigned").err();
    assert!(said.contains("not signed") || said.contains("unsigned"), "{said}");
    let verified = victim.verify().exits(3);
    assert!(
        verified.err().contains("not signed") || verified.err().contains("unsigned"),
        "{verified}"
    );
}

#[test]
fn a_signature_of_an_unknown_kind_only() {
    let Some(victim) = Victim::new() else { return };
    victim.forge(|layout| layout.bytes[layout.signatures.start + SIGNATURE_RECORDS] = 77);
    let _refusal = victim.refused("no signature of a known kind");
}

#[test]
fn a_signature_taken_from_another_bundle() {
    let Some(victim) = Victim::new() else { return };
    let other = other_bundle(&victim);
    victim.forge(|layout| {
        layout.bytes[layout.signatures.clone()].copy_from_slice(&other.bytes[other.signatures.clone()])
    });
    let said = victim.refused("another bundle's signature").err();
    assert!(said.contains("signature"), "{said}");
}

#[test]
fn an_image_taken_from_another_bundle() {
    let Some(victim) = Victim::new() else { return };
    let other = other_bundle(&victim);
    let length = victim.layout.image.len().min(other.image.len());
    let (to, from) = (victim.layout.image.start, other.image.start);
    victim.forge(|layout| layout.bytes[to..to + length].copy_from_slice(&other.bytes[from..from + length]));
    let _refusal = victim.refused("another bundle's image");
}

#[test]
fn one_wrong_signature_beside_a_right_one() {
    let Some(victim) = Victim::new() else { return };
    victim.forge(|layout| {
        let start = layout.signatures.start;
        let first = start + SIGNATURE_RECORDS..start + SIGNATURE_RECORDS + SIGNATURE_SIZE;
        layout
            .bytes
            .copy_within(first, start + SIGNATURE_RECORDS + SIGNATURE_SIZE);
        layout.bytes[start] = 2;
        // The last byte of the second record's signature.
        layout.bytes[start + SIGNATURE_RECORDS + SIGNATURE_SIZE + 111] ^= 1;
    });
    let _refusal = victim.refused("a wrong second signature");
}

#[test]
fn a_newer_format_version() {
    let Some(victim) = Victim::new() else { return };
    victim.forge(|layout| layout.bytes[layout.superblock.start + 16] = 2);
    let said = victim.refused("version 2").err();
    assert!(said.contains("version 2") && said.contains("newer"), "{said}");
    let verified = victim.verify().exits(3);
    assert!(verified.err().contains("newer"), "{verified}");
}

#[test]
fn an_unknown_critical_section() {
    let Some(victim) = Victim::new() else { return };
    let start = victim.layout.superblock.start;
    let count = usize::from(victim.layout.bytes[start + 32]);
    victim.forge(|layout| {
        let entry = start + SECTION_TABLE + count * SECTION_SIZE;
        layout.bytes[start + 32] += 1;
        layout.bytes[entry..entry + SECTION_SIZE].fill(0);
        layout.bytes[entry..entry + 2].copy_from_slice(&[0x39, 0x30]);
        layout.bytes[entry + 4] = 1;
        let end = u64::try_from(layout.bytes.len()).expect("a length");
        layout.bytes[entry + 8..entry + 16].copy_from_slice(&end.to_le_bytes());
    });
    let said = victim.refused("an unknown critical section").err();
    assert!(said.contains("0x3039"), "does not name it: {said}");
}

/// Another bundle by the same signer, with other contents.
fn other_bundle(victim: &Victim) -> Layout {
    let scratch = Scratch::new();
    let root = support::roots::tiny(&scratch);
    scratch.file("tiny/bin/another", "another file\n");
    let key = Polecat::new(victim.bundle.scratch())
        .home()
        .join(".config/polecat/signing.key");
    let key = key.to_str().expect("a path of UTF-8");
    let options = ["--key", key, "--include", "/bin/*"];
    let other = Layout::read(Bundle::pack(&options, &root, &["/bin/tiny", "other"]).path());
    assert_eq!(
        other.signatures()[0].public_key,
        victim.layout.signatures()[0].public_key,
        "another signer"
    );
    assert_ne!(
        other.signatures()[0].signature,
        victim.layout.signatures()[0].signature,
        "the same bundle"
    );
    other
}
