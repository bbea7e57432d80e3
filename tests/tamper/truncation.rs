//! Files that are shorter than they should be, and longer.

use std::process::Command;

use support::format::BLOCK;
use support::{exec, quick};

use crate::{RAN, Victim, easiest_place};

#[test]
fn every_length_of_the_head() {
    let Some(victim) = Victim::new() else { return };
    let head = victim.layout.superblock.start..victim.layout.image.start;
    // Downwards: the file only ever loses bytes.
    for length in head.rev().step_by(if quick() { 61 } else { 1 }) {
        victim.set_length(length);
        let said = victim.refused(&format!("{length} bytes")).err();
        assert!(
            said.contains("truncated") || said.contains("not a"),
            "{length} bytes: {said}"
        );
    }
}

#[test]
fn lengths_of_image_and_tree() {
    let Some(victim) = Victim::new() else { return };
    let body = victim.layout.image.start..victim.layout.bytes.len();
    let near_a_block = |length: usize| matches!(length % BLOCK, 0 | 1 | 4095);
    let step = if quick() { 1021 } else { 37 };
    for length in body.rev().filter(|length| near_a_block(*length) || length % step == 0) {
        victim.set_length(length);
        let said = victim.refused(&format!("{length} bytes")).err();
        assert!(said.contains("truncated"), "{length} bytes: {said}");
    }
}

#[test]
fn polecat_verify_tells_a_truncated_bundle() {
    let Some(victim) = Victim::new() else { return };
    let total = victim.layout.bytes.len();
    let head = victim.layout.superblock.start..victim.layout.image.start;
    for length in (0..total)
        .rev()
        .step_by(if quick() { 40_961 } else { 4093 })
        .chain([3, 2, 1, 0])
    {
        victim.set_length(length.min(total));
        let ended = victim.verify().exits(3);
        crate::assert_names(&ended, &victim.path, &format!("{length} bytes"));
        if length >= head.end {
            assert!(ended.err().contains("truncated"), "{length} bytes: {ended}");
        }
    }
}

#[test]
fn bytes_behind_the_end_change_nothing() {
    let Some(victim) = Victim::new() else { return };
    for extra in [&b"\n"[..], &[0; BLOCK], b"\x89POLECAT\r\n\x1a\n\0\0\0\0"] {
        victim.replace(&[&victim.layout.bytes, extra].concat());
        assert_eq!(victim.start(easiest_place()).exits(1).out(), format!("{RAN}\n"));
        let _whole = victim.verify().success();
    }
}

#[test]
fn a_stub_alone_says_that_its_bundle_is_missing() {
    let Some(victim) = Victim::new() else { return };
    victim.set_length(victim.layout.stub.end);
    let said = victim.refused("the stub alone").err();
    assert!(said.contains("truncated") || said.contains("not a"), "{said}");
}

#[test]
fn a_transfer_in_text_mode_is_seen() {
    let Some(victim) = Victim::new() else { return };
    let head = victim.layout.superblock.start;
    let converted = [
        &victim.layout.bytes[..head],
        &victim.layout.bytes[head..].replace(b"\r\n", b"\n"),
    ]
    .concat();
    victim.replace(&converted);
    let _refusal = victim.refused("line ends converted");
    // The shell runs what the kernel refuses: it must not come that far either.
    let ended = exec::run(Command::new("sh").arg("-c").arg("\"$1\"").arg("sh").arg(&victim.path));
    assert_ne!(ended.code(), Some(0), "{ended}");
}

/// As for text.
trait Replace {
    fn replace(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replace for [u8] {
    fn replace(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(self.len());
        let mut rest = self;
        while let Some((first, behind)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(from) {
                replaced.extend(to);
                rest = after;
            } else {
                replaced.push(*first);
                rest = behind;
            }
        }
        replaced
    }
}
