//! One byte damaged.

use support::format::BLOCK;
use support::{Place, quick};

use crate::{RAN, Victim, places};

/// Every byte, or a sample.
fn step() -> usize {
    if quick() { 29 } else { 1 }
}

#[test]
fn every_byte_of_the_superblock() {
    let Some(victim) = Victim::new() else { return };
    for offset in victim.layout.superblock.clone().step_by(step()) {
        victim.flip(offset);
        let _refusal = victim.refused(&format!("byte {offset} of the superblock"));
        victim.mend(offset);
    }
}

#[test]
fn every_byte_of_the_manifest() {
    let Some(victim) = Victim::new() else { return };
    for offset in victim.layout.manifest.clone().step_by(step()) {
        victim.flip(offset);
        let _refusal = victim.refused(&format!("byte {offset} of the manifest"));
        victim.mend(offset);
    }
}

#[test]
fn every_byte_of_the_signatures() {
    let Some(victim) = Victim::new() else { return };
    for offset in victim.layout.signatures.clone().step_by(step()) {
        victim.flip(offset);
        let _refusal = victim.refused(&format!("byte {offset} of the signatures"));
        victim.mend(offset);
    }
}

#[test]
fn polecat_verify_sees_damage_in_the_head() {
    let Some(victim) = Victim::new() else { return };
    let head = victim.layout.superblock.start..victim.layout.image.start;
    for offset in head.step_by(if quick() { 199 } else { 13 }) {
        let parts = [
            &victim.layout.superblock,
            &victim.layout.manifest,
            &victim.layout.signatures,
        ];
        if !parts.iter().any(|part| part.contains(&offset)) {
            // Padding.
            continue;
        }
        victim.flip(offset);
        let ended = victim.verify().exits(3);
        crate::assert_names(&ended, &victim.path, &format!("byte {offset}"));
        victim.mend(offset);
    }
    let _whole = victim.verify().success();
}

#[test]
fn polecat_verify_sees_one_byte_in_any_block_of_image_and_tree() {
    let Some(victim) = Victim::new() else { return };
    for (part, range) in [("image", &victim.layout.image), ("hash tree", &victim.layout.tree)] {
        for (number, block) in range.clone().step_by(BLOCK).enumerate() {
            // Another place in each block, first and last byte among them.
            let offset = block + (number * 1365) % BLOCK;
            victim.flip(offset);
            let ended = victim.verify().exits(3);
            crate::assert_names(&ended, &victim.path, &format!("byte {offset} in the {part}"));
            victim.mend(offset);
        }
    }
    let _whole = victim.verify().success();
}

#[test]
fn a_start_that_reads_all_sees_one_byte_in_any_block() {
    let Some(victim) = Victim::new() else { return };
    // The kernel mounts only what was read through; unpacking reads whatever it unpacks.
    if support::requirement::skip(Place::RootLoop.needs()) {
        return;
    }
    for range in [&victim.layout.image, &victim.layout.tree] {
        for (number, block) in range.clone().step_by(BLOCK).enumerate() {
            let offset = block + (number * 2731) % BLOCK;
            victim.flip(offset);
            let _refusal = victim.refused_in(Place::RootLoop, &format!("byte {offset}"));
            victim.mend(offset);
        }
    }
}

#[test]
fn a_lazy_start_runs_what_was_signed_or_nothing() {
    let Some(victim) = Victim::new() else { return };
    for place in places() {
        let mut refused = 0;
        for range in [&victim.layout.image, &victim.layout.tree] {
            for (number, block) in range.clone().step_by(BLOCK).enumerate() {
                let offset = block + (number * 511) % BLOCK;
                victim.flip(offset);
                let ended = victim.start(place);
                victim.mend(offset);
                // A block that the program does not need may be bad: then it runs, and as it should.
                if ended.code() == Some(1) && ended.out() == format!("{RAN}\n") {
                    continue;
                }
                assert_eq!(ended.out(), "", "{place}: byte {offset}: {ended}");
                assert_eq!(ended.code(), Some(crate::UNVERIFIED), "{place}: byte {offset}: {ended}");
                crate::assert_told(&ended, &format!("{place}: byte {offset}"));
                refused += 1;
            }
        }
        assert!(refused > 0, "{place}: no damage was seen at all");
    }
}

#[test]
fn a_damaged_stub_is_not_vouched_for() {
    let Some(victim) = Victim::new() else { return };
    let stub = victim.layout.stub.clone();
    for offset in stub.step_by(if quick() { 65_537 } else { 8191 }).skip(1) {
        victim.flip(offset);
        let ended = victim.verify().exits(3);
        crate::assert_names(&ended, &victim.path, &format!("byte {offset} of the stub"));
        victim.mend(offset);
    }
}
