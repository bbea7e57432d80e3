//! Whatever happens to a file, a reader says so, and in the right words.

mod support;

use std::path::PathBuf;

use bundle::hash_tree::{TreeBuilder, Verifier, VerifyError};
use bundle::{Bundle, Manifest, NotABundle, ReadError};
use support::forge::Forged;
use support::judge::judge;
use support::random::Random;
use support::{fixtures, sample};

fn golden(name: &str) -> Vec<u8> {
    let path: PathBuf = fixtures::folder("golden/v1").join(name);
    fixtures::read(&path)
}

#[test]
fn no_byte_of_a_bundle_can_change() {
    let original = golden("minimal.bundle");
    for position in 0..original.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = original.clone();
            bytes[position] ^= change;
            assert!(judge(&bytes).is_err(), "byte {position} ^ {change:#x} was not noticed");
        }
    }
}

#[test]
fn no_byte_of_the_head_can_change_without_the_reader_noticing() {
    let original = golden("minimal.bundle");
    let image = usize::try_from(Bundle::read(&original).unwrap().sections().image.offset).unwrap();
    for position in sample::STUB_LENGTH..image {
        let mut bytes = original.clone();
        bytes[position] ^= 0x10;
        let error = Bundle::read(&bytes).expect_err("a changed byte");
        let refused = !matches!(
            error,
            ReadError::Io { .. } | ReadError::Manifest(_) | ReadError::Disagreement { .. }
        );
        assert!(refused, "byte {position}: {error}");
    }
}

#[test]
fn every_truncation_is_told_as_one() {
    let original = golden("minimal.bundle");
    let whole = original.len() as u64;
    for length in 0..original.len() {
        let error = Bundle::read(&original[..length]).expect_err("a truncated file");
        let right = match (length, &error) {
            (
                0..4,
                ReadError::NotABundle {
                    why: NotABundle::NotElf,
                },
            ) => true,
            (
                sample::STUB_LENGTH,
                ReadError::NotABundle {
                    why: NotABundle::BareExecutable,
                },
            ) => true,
            (0..4 | sample::STUB_LENGTH, _) => false,
            (_, ReadError::Truncated { expected, found }) => {
                // From the field on, the reader knows how long the file should be.
                let exact = length < sample::SUPERBLOCK + 32 || *expected == whole;
                *found == length as u64 && *expected > *found && *expected <= whole && exact
            }
            _ => false,
        };
        assert!(right, "{length} bytes: {error:?}");
    }
}

#[test]
fn appended_bytes_change_nothing() {
    let original = golden("minimal.bundle");
    for appended in [1, 4095, 4096, 100_000] {
        let bytes = [original.clone(), vec![0x5a; appended]].concat();
        judge(&bytes).unwrap_or_else(|error| panic!("{appended} bytes appended: {error}"));
    }
}

#[test]
fn garbage_is_refused() {
    let mut random = Random::new(1);
    for round in 0..3000 {
        let length = random.below(70_000);
        let mut bytes = random.bytes(length);
        if round % 2 == 0 && bytes.len() > 64 {
            // An ELF header that is one, so that what it says is calculated with.
            bytes[..sample::STUB_LENGTH.min(64)].copy_from_slice(&sample::stub()[..64]);
        }
        Bundle::read(&bytes).expect_err("garbage");
    }
}

#[test]
fn forged_superblocks_are_refused_or_consistent() {
    let original = golden("extended.bundle");
    let mut random = Random::new(2);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut forged = Forged(original.clone());
        for _ in 0..=random.below(3) {
            let field = sample::SUPERBLOCK + 20 + 4 * random.below(60);
            let value = random.awkward();
            forged = if random.below(2) == 0 {
                forged.put(field, &value.to_le_bytes()[..4])
            } else {
                forged.put_u64(field, value)
            };
        }
        let Some(forged) = seal_if_possible(forged) else {
            continue;
        };
        if let Ok(bundle) = Bundle::read(&forged.0) {
            accepted += 1;
            let known = bundle.sections();
            let table = [known.manifest, known.signatures, known.image, known.hash_tree];
            assert!(
                table
                    .iter()
                    .all(|section| section.end().is_some_and(|end| end <= forged.0.len() as u64))
            );
        }
    }
    assert!(
        accepted > 0,
        "not one changed superblock was still a valid one: the test does not reach the checks"
    );
}

/// With a checksum that fits, where the table still leads to a manifest.
fn seal_if_possible(forged: Forged) -> Option<Forged> {
    let count = usize::try_from(forged.u32(sample::SUPERBLOCK + 32))
        .ok()
        .filter(|&count| count <= 125)?;
    let entries = (0..count).map(|index| sample::SUPERBLOCK + 40 + index * 32);
    let manifest = entries
        .filter(|&entry| forged.u32(entry) == 1)
        .map(|entry| forged.u64(entry + 16))
        .next()?;
    (manifest < 16_000).then(|| forged.seal())
}

#[test]
fn elf_headers_of_every_kind_are_survived() {
    let original = golden("minimal.bundle");
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let mut forged = Forged(original.clone());
        for _ in 0..=random.below(3) {
            let value = random.awkward();
            forged = forged.put_u64(4 + random.below(112), value);
        }
        // Nothing but an answer is asked for; most are refusals.
        let answer = Bundle::read(&forged.0);
        assert!(
            !matches!(answer, Err(ReadError::Io { .. })),
            "read outside of the file: {answer:?}"
        );
    }
}

#[test]
fn changed_manifests_parse_to_valid_ones_or_not_at_all() {
    let original = golden("minimal.bundle");
    let manifest = Bundle::read(&original).unwrap().manifest_bytes().to_vec();
    let tokens: [&[u8]; 12] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b",",
        b":",
        b"-1",
        b"1e999",
        b"null",
        b"18446744073709551616",
        b"\xff",
    ];
    let mut random = Random::new(4);
    let mut parsed = 0;
    for _ in 0..20_000 {
        let mut bytes = manifest.clone();
        let at = random.below(bytes.len());
        let until = (at + random.below(4)).min(bytes.len());
        bytes.splice(at..until, tokens[random.below(tokens.len())].iter().copied());
        if let Ok(manifest) = Manifest::parse(&bytes) {
            parsed += 1;
            manifest.validate().unwrap();
            assert_eq!(Manifest::parse(&manifest.to_bytes().unwrap()).unwrap(), manifest);
        }
    }
    assert!(parsed > 0, "not one changed manifest was still a valid one");
}

#[test]
fn no_byte_of_image_and_tree_can_change() {
    let mut random = Random::new(5);
    for data_blocks in [1usize, 2, 5, 129] {
        let image = random.bytes(data_blocks * 4096);
        let mut builder = TreeBuilder::new(&sample::salt());
        builder.update(&image);
        let tree = builder.finish().unwrap();
        let file = [image, tree.bytes].concat();
        let tree_offset = data_blocks as u64 * 4096;
        for position in (0..file.len())
            .step_by(if data_blocks > 5 { 1009 } else { 251 })
            .chain([file.len() - 1])
        {
            let mut changed = file.clone();
            changed[position] ^= 0x04;
            // A verifier that has verified the whole file before knows better than its cache only by reading again.
            let verifier = Verifier::new(tree.root_digest, &sample::salt(), data_blocks as u64, tree_offset).unwrap();
            let checked = verifier.verify_blocks(&changed, 0, &changed[..data_blocks * 4096]);
            let Err(VerifyError::Mismatch { block, level }) = checked else {
                panic!("{data_blocks} blocks: byte {position} was not noticed: {checked:?}");
            };
            assert_eq!(
                level > 0,
                position >= data_blocks * 4096,
                "byte {position}: block {block}, level {level}"
            );
            if level == 0 {
                assert_eq!(block, position as u64 / 4096);
            }
        }
    }
}
