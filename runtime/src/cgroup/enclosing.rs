//! Limits of cgroups of version 2 that the app leaves when it moves to one beside them.

use std::fs;
use std::path::Path;

use crate::options::{Limits, number};
use crate::text::parts;

/// `limits`, and those of the cgroup at `left` where they are stricter.
pub(super) fn carry(mut limits: Limits, left: &Path) -> Limits {
    limits.memory = stricter(limits.memory, read(left, "memory.max").0);
    limits.pids = stricter(limits.pids, narrow(read(left, "pids.max").0));
    if let (Some(quota), Some(period @ 1..)) = read(left, "cpu.max") {
        // No less than the kernel can give.
        let hundredths = (quota.saturating_mul(100) / period).max(1);
        limits.cpus = stricter(limits.cpus, narrow(Some(hundredths)));
    }
    limits
}

/// The first two words of a file, as far as they are numbers: `max` is none. There is no file where the cgroup does not have
/// the controller.
fn read(cgroup: &Path, file: &str) -> (Option<u64>, Option<u64>) {
    let text = fs::read(cgroup.join(file)).unwrap_or_default();
    let words = parts(text.trim_ascii_end(), b' ');
    let word = |at: usize| number(words.get(at)?);
    (word(0), word(1))
}

fn narrow(number: Option<u64>) -> Option<u32> {
    number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn stricter<T: Ord>(ours: Option<T>, theirs: Option<T>) -> Option<T> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}
