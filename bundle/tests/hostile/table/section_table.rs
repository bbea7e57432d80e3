//! The section table.

use super::{Defect, EXTENDED, IMAGE, MINIMAL, SIGNATURES, defect};
use crate::support::sample::SUPERBLOCK;

pub(super) const DEFECTS: &[Defect] = &[
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
];
