use super::*;

const AT: u64 = 4096;
const MANIFEST: Section = Section::known(SectionKind::Manifest, 8192, 100);
const SIGNATURES: Section = Section::known(SectionKind::Signatures, 12288, 4096);
const IMAGE: Section = Section::known(SectionKind::Image, 16384, 8192);
const HASH_TREE: Section = Section::known(SectionKind::HashTree, 24576, 4096);

fn superblock(sections: &[Section]) -> Superblock {
    Superblock {
        flags: 0,
        file_length: 28672,
        sections: sections.to_vec(),
    }
}

#[test]
fn fields_at_their_offsets_and_back() {
    let original = superblock(&[MANIFEST, SIGNATURES, IMAGE, HASH_TREE]);
    let block = original.encode(b"manifest", b"signatures").unwrap();
    assert_eq!(block[0..16], MAGIC);
    assert_eq!(block[16..20], 1u32.to_le_bytes());
    assert_eq!(block[20..24], [0; 4]);
    assert_eq!(block[24..32], 28672u64.to_le_bytes());
    assert_eq!(block[32..36], 4u32.to_le_bytes());
    assert_eq!(block[36..40], [0; 4]);
    assert_eq!(
        block[40 + 64..40 + 96],
        [&[3, 0, 0, 0, 1, 0, 0, 0, 0, 64][..], &[0; 7], &[32], &[0; 14]].concat()
    );
    assert_eq!(block[40 + 4 * 32..CHECKSUM_OFFSET], [0; CHECKSUM_OFFSET - 168]);
    let (decoded, found) = Superblock::decode(&block).unwrap();
    assert_eq!(decoded, original);
    assert_eq!(found, checksum(&block, b"manifest", b"signatures"));
}

#[test]
fn as_many_sections_as_fit() {
    let full = superblock(&[MANIFEST; MAX_SECTIONS]);
    let (decoded, _) = Superblock::decode(&full.encode(b"", b"").unwrap()).unwrap();
    assert_eq!(decoded, full);
    assert_eq!(MAX_SECTIONS, 125);
    let more = superblock(&[MANIFEST; MAX_SECTIONS + 1]);
    assert_eq!(more.encode(b"", b""), Err(Damage::SectionCount));
}

#[test]
fn tables_that_are_right() {
    let ignorable = |offset, length| Section {
        kind: SectionKind::Unknown(77),
        flags: 0,
        offset,
        length,
    };
    let tables: [&[Section]; 4] = [
        &[MANIFEST, SIGNATURES, IMAGE, HASH_TREE],
        &[HASH_TREE, IMAGE, SIGNATURES, MANIFEST],
        &[
            ignorable(28672, 0),
            MANIFEST,
            ignorable(8300, 3),
            SIGNATURES,
            IMAGE,
            HASH_TREE,
        ],
        &[
            MANIFEST,
            SIGNATURES,
            IMAGE,
            HASH_TREE,
            ignorable(20000, 0),
            ignorable(8192, 0),
        ],
    ];
    for table in tables {
        let known = superblock(table).check(AT).unwrap();
        assert_eq!(
            known,
            KnownSections {
                manifest: MANIFEST,
                signatures: SIGNATURES,
                image: IMAGE,
                hash_tree: HASH_TREE
            }
        );
    }
}

#[test]
fn places_that_are_wrong() {
    let place = |kind| Damage::SectionPlace { kind };
    let length = |kind| Damage::SectionLength { kind };
    let far = Section {
        offset: AT + MAX_HEAD_LENGTH + 4096,
        ..IMAGE
    };
    let table = [
        (
            Section {
                offset: 8191 + 4096,
                ..MANIFEST
            },
            SIGNATURES,
            IMAGE,
            place(SectionKind::Manifest),
        ),
        (
            Section {
                length: 4097,
                ..MANIFEST
            },
            SIGNATURES,
            IMAGE,
            place(SectionKind::Signatures),
        ),
        (
            Section { length: 0, ..MANIFEST },
            Section {
                offset: 8192,
                ..SIGNATURES
            },
            IMAGE,
            length(SectionKind::Manifest),
        ),
        (
            MANIFEST,
            Section {
                length: 8192 - 4096 - 1,
                ..SIGNATURES
            },
            IMAGE,
            length(SectionKind::Signatures),
        ),
        (
            MANIFEST,
            SIGNATURES,
            Section {
                offset: 16385,
                length: 8191,
                ..IMAGE
            },
            place(SectionKind::Image),
        ),
        (
            MANIFEST,
            SIGNATURES,
            Section { length: 8191, ..IMAGE },
            length(SectionKind::Image),
        ),
        (
            MANIFEST,
            SIGNATURES,
            Section { length: 0, ..IMAGE },
            length(SectionKind::Image),
        ),
        (
            MANIFEST,
            SIGNATURES,
            Section { length: 4096, ..IMAGE },
            place(SectionKind::HashTree),
        ),
        (MANIFEST, SIGNATURES, far, place(SectionKind::Image)),
    ];
    for (manifest, signatures, image, expected) in table {
        let known = KnownSections {
            manifest,
            signatures,
            image,
            hash_tree: HASH_TREE,
        };
        assert_eq!(known.check_places(AT), Err(expected), "{known:?}");
    }
}

#[test]
fn cut_superblocks() {
    let block = superblock(&[]).encode(b"", b"").unwrap();
    for length in 0..BLOCK_LENGTH {
        let expected = ((length >= 20).then_some(1), (length >= 32).then_some(28672));
        assert_eq!(decode_cut(&block[..length]), expected, "{length} bytes");
    }
}
