//! Signatures.

use super::{Defect, EXTENDED, MINIMAL, RECORD, SIGNATURES, defect};
use crate::support::forge::Forged;

pub(super) const DEFECTS: &[Defect] = &[
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
