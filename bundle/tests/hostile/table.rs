//! The defects: how each is made, and what is said about it.

use crate::support::forge::Forged;
use crate::support::sample::{MANIFEST, SUPERBLOCK};

/// Where things lie in the golden bundles that the table starts from.
const SIGNATURES: usize = 12288;
const RECORD: usize = SIGNATURES + 8;
const IMAGE: usize = 16384;

pub(crate) struct Defect {
    pub(crate) name: &'static str,
    /// What a reader says.
    pub(crate) says: &'static str,
    /// The golden bundle that it is made of.
    pub(crate) base: &'static str,
    pub(crate) make: fn(Forged) -> Forged,
}

const MINIMAL: &str = "minimal.bundle";
const EXTENDED: &str = "extended.bundle";

const fn defect(name: &'static str, base: &'static str, make: fn(Forged) -> Forged, says: &'static str) -> Defect {
    Defect { name, says, base, make }
}

/// Every defect. A new one is added at its place; a file that is committed does not change.
pub(crate) const DEFECTS: &[Defect] = &[
    // What is in front.
    defect(
        "empty",
        MINIMAL,
        |b| b.cut(0),
        "not a polecat bundle: it does not begin with an ELF executable",
    ),
    defect(
        "script",
        MINIMAL,
        |b| Forged([b"#!/bin/sh\n".as_slice(), &b.0].concat()),
        "not a polecat bundle: it does not begin with an ELF executable",
    ),
    defect(
        "stub-header-cut",
        MINIMAL,
        |b| b.cut(40),
        "the bundle is truncated: it has 40 bytes and should have at least 64",
    ),
    defect(
        "stub-cut",
        MINIMAL,
        |b| b.cut(100),
        "the bundle is truncated: it has 100 bytes and should have at least 120",
    ),
    defect(
        "stub-alone",
        MINIMAL,
        |b| b.cut(132),
        "not a polecat bundle: an ELF executable with nothing behind it",
    ),
    defect(
        "stub-class-unknown",
        MINIMAL,
        |b| b.put(4, &[3]),
        "not a polecat bundle: its ELF header has an unknown class, which no stub has",
    ),
    defect(
        "stub-without-program-headers",
        MINIMAL,
        |b| b.put(56, &[0, 0]),
        "not a polecat bundle: its ELF header has no program headers, which no stub has",
    ),
    defect(
        "stub-end-overflows",
        MINIMAL,
        |b| b.put_u64(64 + 8, u64::MAX),
        "not a polecat bundle: its ELF header has offsets beyond 64 bits, which no stub has",
    ),
    defect(
        "stub-end-beyond-the-file",
        MINIMAL,
        |b| b.put_u64(64 + 32, 1 << 40),
        "the bundle is truncated: it has 20480 bytes and should have at least 1099511627776",
    ),
    defect(
        "stub-program-headers-far",
        MINIMAL,
        |b| b.put_u64(32, 8192),
        "not a polecat bundle: its ELF header has program headers far from its beginning, which no stub has",
    ),
    defect(
        "stub-changed",
        MINIMAL,
        |b| b.flip(121),
        "the stub is not what was signed",
    ),
    defect(
        "stub-padding-not-zero",
        MINIMAL,
        |b| b.flip(4095),
        "the bundle is damaged: the padding at offset 4095 is not zero",
    ),
    defect(
        "foreign-data",
        MINIMAL,
        |b| b.put(SUPERBLOCK, b"PK\x03\x04"),
        "not a polecat bundle: an ELF executable with something else behind it",
    ),
    defect(
        "magic-through-text-mode",
        MINIMAL,
        |b| b.put(SUPERBLOCK + 8, b"\n\x1a\n\0\0\0\0\x01"),
        "the bundle is damaged: it was transferred as text, which changes its line ends",
    ),
    // Cut short.
    defect(
        "cut-in-padding",
        MINIMAL,
        |b| b.cut(2000),
        "the bundle is truncated: it has 2000 bytes and should have at least 8192",
    ),
    defect(
        "cut-in-superblock",
        MINIMAL,
        |b| b.cut(SUPERBLOCK + 100),
        "the bundle is truncated: it has 4196 bytes and should have at least 20480",
    ),
    defect(
        "cut-in-manifest",
        MINIMAL,
        |b| b.cut(MANIFEST + 100),
        "the bundle is truncated: it has 8292 bytes and should have at least 20480",
    ),
    defect(
        "cut-in-signatures",
        MINIMAL,
        |b| b.cut(SIGNATURES + 100),
        "the bundle is truncated: it has 12388 bytes and should have at least 20480",
    ),
    defect(
        "cut-in-image",
        MINIMAL,
        |b| b.cut(IMAGE + 100),
        "the bundle is truncated: it has 16484 bytes and should have at least 20480",
    ),
    // The superblock.
    defect(
        "version-newer",
        MINIMAL,
        |b| b.put_u32(SUPERBLOCK + 16, 2).seal(),
        "the bundle has format version 2; this polecat knows versions up to 1",
    ),
    defect(
        "version-0",
        MINIMAL,
        |b| b.put_u32(SUPERBLOCK + 16, 0).seal(),
        "the bundle is damaged: format version 0 does not exist",
    ),
    defect(
        "flags-unknown",
        MINIMAL,
        |b| b.put_u32(SUPERBLOCK + 20, 1 << 31).seal(),
        "the bundle has superblock flags 0x80000000, which this polecat does not know",
    ),
    defect(
        "superblock-reserved",
        MINIMAL,
        |b| b.put_u32(SUPERBLOCK + 36, 1).seal(),
        "the bundle is damaged: a reserved field of the superblock is not zero",
    ),
    defect(
        "superblock-unused-not-zero",
        MINIMAL,
        |b| b.put(SUPERBLOCK + 4063, &[1]).seal(),
        "the bundle is damaged: a reserved field of the superblock is not zero",
    ),
    defect(
        "checksum-wrong",
        MINIMAL,
        |b| b.flip(SUPERBLOCK + 4095),
        "the bundle is damaged: superblock, manifest or signatures do not have the checksum they were written with",
    ),
    defect(
        "file-length-short",
        MINIMAL,
        |b| b.put_u64(SUPERBLOCK + 24, 16384).seal(),
        "the bundle is damaged: image: the section reaches outside the file",
    ),
    defect(
        "file-length-huge",
        MINIMAL,
        |b| b.put_u64(SUPERBLOCK + 24, u64::MAX).seal(),
        "the bundle is truncated: it has 20480 bytes and should have at least 18446744073709551615",
    ),
    // The section table.
    defect(
        "section-count-huge",
        MINIMAL,
        |b| b.put_u32(SUPERBLOCK + 32, 126),
        "the bundle is damaged: the section table is too long",
    ),
    defect(
        "section-reserved",
        MINIMAL,
        |b| {
            let at = b.entry(3);
            b.put_u64(at + 24, 1).seal()
        },
        "the bundle is damaged: a reserved field of the section table is not zero",
    ),
    defect(
        "section-unknown-critical",
        MINIMAL,
        |b| {
            let at = b.unknown_entry();
            b.put_u32(at + 4, 1).seal()
        },
        "the bundle needs a section of kind 0x915362e3, which this polecat does not know",
    ),
    defect(
        "section-not-critical",
        MINIMAL,
        |b| {
            let at = b.entry(4);
            b.put_u32(at + 4, 0).seal()
        },
        "the bundle is damaged: hash tree: the section has flags it cannot have",
    ),
    defect(
        "section-flags-unknown",
        MINIMAL,
        |b| {
            let at = b.entry(4);
            b.put_u32(at + 4, 3).seal()
        },
        "the bundle is damaged: hash tree: the section has flags it cannot have",
    ),
    defect(
        "section-missing",
        MINIMAL,
        |b| {
            let at = b.entry(4);
            b.put_u32(at, 9).put_u32(at + 4, 0).seal()
        },
        "the bundle is damaged: there is no hash tree",
    ),
    defect(
        "section-twice",
        MINIMAL,
        |b| {
            let at = b.unknown_entry();
            b.put_u32(at, 3).put_u32(at + 4, 1).seal()
        },
        "the bundle is damaged: there is more than one image",
    ),
    defect(
        "section-overflows",
        MINIMAL,
        |b| {
            let at = b.unknown_entry();
            b.put_u64(at + 16, u64::MAX).seal()
        },
        "the bundle is damaged: section of kind 0x915362e3: the section reaches outside the file",
    ),
    defect(
        "section-over-superblock",
        MINIMAL,
        |b| {
            let at = b.unknown_entry();
            b.put_u64(at + 8, 4096).seal()
        },
        "the bundle is damaged: section of kind 0x915362e3: the section reaches outside the file",
    ),
    defect(
        "section-overlaps",
        MINIMAL,
        |b| {
            let at = b.unknown_entry();
            b.put_u64(at + 8, 20000).put_u64(at + 16, 1).seal()
        },
        "the bundle is damaged: section of kind 0x915362e3: the section overlaps another one",
    ),
    defect(
        "manifest-empty",
        MINIMAL,
        |b| {
            let at = b.entry(1);
            b.put_u64(at + 16, 0)
        },
        "the bundle is damaged: superblock, manifest or signatures do not have the checksum they were written with",
    ),
    defect(
        "manifest-too-long",
        MINIMAL,
        |b| {
            let at = b.entry(1);
            b.put_u64(at + 16, (1 << 20) + 1)
        },
        "the bundle is damaged: manifest: the section has the wrong length",
    ),
    defect(
        "manifest-elsewhere",
        MINIMAL,
        |b| {
            let at = b.entry(1);
            b.put_u64(at + 8, 8193).seal()
        },
        "the bundle is damaged: manifest: the section lies in the wrong place",
    ),
    defect(
        "signatures-short",
        MINIMAL,
        |b| {
            let at = b.entry(2);
            b.put_u64(at + 16, 4095).seal()
        },
        "the bundle is damaged: signatures: the section has the wrong length",
    ),
    defect(
        "image-unaligned",
        MINIMAL,
        |b| {
            let at = b.entry(3);
            b.put_u64(at + 8, 16385).put_u64(at + 16, 4095).seal()
        },
        "the bundle is damaged: image: the section lies in the wrong place",
    ),
    defect(
        "image-empty",
        MINIMAL,
        |b| {
            let at = b.entry(3);
            b.put_u64(at + 16, 0).seal()
        },
        "the bundle is damaged: image: the section has the wrong length",
    ),
    defect(
        "hash-tree-elsewhere",
        EXTENDED,
        |b| {
            let at = b.entry(4);
            let tree = b.u64(at + 8);
            b.put_u64(at + 8, tree + 4096).put_u64(at + 16, 0).seal()
        },
        "the bundle is damaged: hash tree: the section lies in the wrong place",
    ),
    defect(
        "hash-tree-short",
        EXTENDED,
        |b| {
            let at = b.entry(4);
            b.put_u64(at + 16, 0).seal()
        },
        "the bundle is damaged: hash tree: the section has the wrong length",
    ),
    defect(
        "manifest-padding-not-zero",
        MINIMAL,
        |b| b.flip(SIGNATURES - 1),
        "the bundle is damaged: the padding at offset 12287 is not zero",
    ),
    defect(
        "gap-not-zero",
        EXTENDED,
        |b| b.flip(IMAGE + 1),
        "the bundle is damaged: the padding at offset 16385 is not zero",
    ),
    // Signatures.
    defect(
        "unsigned",
        MINIMAL,
        |b| b.put(SIGNATURES, &[0; 136]).seal(),
        "no signature of a known algorithm",
    ),
    defect(
        "signature-count-huge",
        MINIMAL,
        |b| b.put_u32(SIGNATURES, 32).seal(),
        "the bundle is damaged: the signature block says it holds more signatures than fit",
    ),
    defect(
        "signature-behind-the-count",
        MINIMAL,
        |b| b.put_u32(SIGNATURES, 0).seal(),
        "the bundle is damaged: a reserved field of the signature block is not zero",
    ),
    defect(
        "signature-block-reserved",
        MINIMAL,
        |b| b.put_u32(SIGNATURES + 4, 1).seal(),
        "the bundle is damaged: a reserved field of the signature block is not zero",
    ),
    defect(
        "signature-algorithm-unknown",
        MINIMAL,
        |b| b.put_u32(RECORD, 2).seal(),
        "no signature of a known algorithm",
    ),
    defect(
        "signature-reserved",
        MINIMAL,
        |b| b.put_u32(RECORD + 4, 1).seal(),
        "the bundle is damaged: a reserved field of the signature block is not zero",
    ),
    defect(
        "signature-tail-not-zero",
        MINIMAL,
        |b| b.flip(RECORD + 127).seal(),
        "the bundle is damaged: a reserved field of the signature block is not zero",
    ),
    defect(
        "signature-key-id-wrong",
        MINIMAL,
        |b| b.flip(RECORD + 8).seal(),
        "the bundle is damaged: signature 0 has the key id of another key",
    ),
    defect(
        "signature-wrong",
        MINIMAL,
        |b| b.flip(RECORD + 48).seal(),
        "the signature of key 21fe31dfa154a261 is wrong",
    ),
    defect(
        "signature-not-canonical",
        MINIMAL,
        add_the_group_order,
        "the signature of key 21fe31dfa154a261 is wrong",
    ),
    defect(
        "signature-second-wrong",
        EXTENDED,
        |b| b.flip(RECORD + 256 + 48).seal(),
        "the signature of key 39f713d0a644253f is wrong",
    ),
    defect(
        "signature-key-weak",
        MINIMAL,
        weak_key,
        "the public key is a weak one, with which anything could be signed",
    ),
    // The manifest, always signed.
    defect(
        "manifest-changed",
        MINIMAL,
        |b| b.flip(MANIFEST + 10).seal(),
        "the signature of key 21fe31dfa154a261 is wrong",
    ),
    defect(
        "manifest-not-json",
        MINIMAL,
        |b| b.with_manifest(b"\x1f\x8b\x08\0"),
        "the bundle's manifest is invalid: expected value at line 1 column 1",
    ),
    defect(
        "manifest-nested",
        MINIMAL,
        |b| b.with_manifest(&[b"{\"x\":".as_slice(), &[b'['; 4000]].concat()),
        "the bundle's manifest is invalid: EOF while parsing a list at line 1 column 4005",
    ),
    defect(
        "manifest-trailing-data",
        MINIMAL,
        |b| b.edit_manifest("\n}\n", "\n}\n{}\n"),
        "the bundle's manifest is invalid: trailing characters at line 37 column 1",
    ),
    defect(
        "manifest-field-missing",
        MINIMAL,
        |b| b.edit_manifest("\"rootDigest\"", "\"rootDijest\""),
        "the bundle's manifest is invalid: missing field `rootDigest` at line 22 column 3",
    ),
    defect(
        "manifest-field-twice",
        MINIMAL,
        |b| b.edit_manifest("\"created\": 0,", "\"created\": 0, \"created\": 0,"),
        "the bundle's manifest is invalid: duplicate field `created` at line 5 column 25",
    ),
    defect(
        "manifest-version-other",
        MINIMAL,
        |b| b.edit_manifest("\"formatVersion\": 1", "\"formatVersion\": 2"),
        "the bundle's manifest is invalid: formatVersion must be 1",
    ),
    defect(
        "manifest-requires-unknown",
        MINIMAL,
        |b| b.edit_manifest("\"created\"", "\"requires\": [\"telepathy\"], \"created\""),
        "the bundle's manifest is invalid: it requires \"telepathy\", which this polecat does not know",
    ),
    defect(
        "manifest-path-relative",
        MINIMAL,
        |b| b.edit_manifest("\"/bin/hello\"", "\"bin/hello\""),
        "the bundle's manifest is invalid: process.path must be an absolute path without `.`, `..`, empty names and NUL",
    ),
    defect(
        "manifest-path-climbs",
        MINIMAL,
        |b| b.edit_manifest("\"/bin/hello\"", "\"/bin/../../hello\""),
        "the bundle's manifest is invalid: process.path must be an absolute path without `.`, `..`, empty names and NUL",
    ),
    defect(
        "manifest-name-steers-the-terminal",
        MINIMAL,
        |b| b.edit_manifest("\"hello\"", "\"\\u001b[2J\""),
        "the bundle's manifest is invalid: name must be 1 to 255 bytes of text without control characters",
    ),
    defect(
        "manifest-without-arguments",
        MINIMAL,
        |b| b.edit_manifest("\"hello\",\n      \"--greeting=hi\"", ""),
        "the bundle's manifest is invalid: process.args must be a list of at least one word",
    ),
    defect(
        "manifest-argument-with-nul",
        MINIMAL,
        |b| b.edit_manifest("--greeting=hi", "--greeting=\\u0000"),
        "the bundle's manifest is invalid: process.args must be free of NUL",
    ),
    defect(
        "manifest-environment-without-name",
        MINIMAL,
        |b| b.edit_manifest("PATH=", "="),
        "the bundle's manifest is invalid: process.env must be a list of NAME=value without NUL",
    ),
    defect(
        "manifest-digest-upper-case",
        MINIMAL,
        |b| b.edit_manifest("\"rootDigest\": \"", "\"rootDigest\": \"A"),
        "the bundle's manifest is invalid: hashTree.rootDigest must be 64 lower-case hexadecimal digits",
    ),
    defect(
        "manifest-salt-odd",
        MINIMAL,
        |b| b.edit_manifest("\"salt\": \"00", "\"salt\": \"0"),
        "the bundle's manifest is invalid: hashTree.salt must be an even number of lower-case hexadecimal digits",
    ),
    defect(
        "manifest-image-elsewhere",
        MINIMAL,
        |b| b.edit_manifest("16384", "12288").edit_manifest("20480", "16384"),
        "the bundle's manifest does not fit the file: image.offset is 12288 there and 16384 in the file",
    ),
    defect(
        "manifest-image-longer",
        MINIMAL,
        |b| b.edit_manifest("\"length\": 4096", "\"length\": 8192"),
        "the bundle's manifest is invalid: hashTree.offset must be the end of the image",
    ),
    defect(
        "manifest-stub-longer",
        MINIMAL,
        |b| b.edit_manifest("\"length\": 132", "\"length\": 133"),
        "the bundle's manifest does not fit the file: stub.length is 133 there and 132 in the file",
    ),
    // Image and hash tree.
    defect(
        "image-changed",
        MINIMAL,
        |b| b.flip(IMAGE + 4095),
        "block 0 of the image is not what was signed",
    ),
    defect(
        "image-block-of-many-changed",
        EXTENDED,
        |b| {
            let at = b.section_offset(3);
            b.flip(at + 4096)
        },
        "block 1 of the image is not what was signed",
    ),
    defect(
        "hash-tree-changed",
        EXTENDED,
        |b| {
            let at = b.section_offset(4);
            b.flip(at)
        },
        "the hash tree over block 0 of the image is not what was signed (level 1)",
    ),
    defect(
        "hash-tree-padding-not-zero",
        EXTENDED,
        |b| {
            let at = b.section_offset(4);
            b.flip(at + 4095)
        },
        "the hash tree over block 0 of the image is not what was signed (level 1)",
    ),
];

/// S + L in place of S: the same signature to a verifier that does not insist on S < L (RFC 8032, section 8.4).
fn add_the_group_order(bundle: Forged) -> Forged {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let at = RECORD + 48 + 32;
    let mut carry = 0;
    let mut sum = [0; 32];
    for (index, order) in ORDER.iter().enumerate() {
        let digit = u16::from(bundle.0[at + index]) + u16::from(*order) + carry;
        [sum[index], _] = digit.to_le_bytes();
        carry = digit >> 8;
    }
    bundle.put(at, &sum).seal()
}

/// The neutral element as key and R, and 0 as S: right for every message where small orders are let through.
fn weak_key(bundle: Forged) -> Forged {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let key_id = bundle::signatures::key_id(&neutral);
    let signature = [neutral, [0; 32]].concat();
    bundle
        .put(RECORD + 8, &key_id)
        .put(RECORD + 16, &neutral)
        .put(RECORD + 48, &signature)
        .seal()
}
