//! Image and hash tree.

use super::{Defect, EXTENDED, IMAGE, MINIMAL, defect};

pub(super) const DEFECTS: &[Defect] = &[
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
