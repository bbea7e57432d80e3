//! The defects: how each is made, and what is said about it.

mod front;
mod image;
mod manifest;
mod section_table;
mod signatures;
mod superblock;

use crate::support::forge::Forged;

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
pub(crate) const DEFECTS: [&[Defect]; 6] = [
    front::DEFECTS,
    superblock::DEFECTS,
    section_table::DEFECTS,
    signatures::DEFECTS,
    manifest::DEFECTS,
    image::DEFECTS,
];
