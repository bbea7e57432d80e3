//! What is in front of the superblock, and bundles that are cut short.

use super::{Defect, IMAGE, MINIMAL, SIGNATURES, defect};
use crate::support::forge::Forged;
use crate::support::sample::{MANIFEST, SUPERBLOCK};

pub(super) const DEFECTS: &[Defect] = &[
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
];
