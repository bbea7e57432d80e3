//! The superblock.

use super::{Defect, MINIMAL, defect};
use crate::support::sample::SUPERBLOCK;

pub(super) const DEFECTS: &[Defect] = &[
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
];
