//! Checking blocks as they are read: in any order, by several threads, with no more memory than the cache has.

mod support;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bundle::ReadAt;
use bundle::hash_tree::{TreeBuilder, Verifier, VerifyError};
use support::random::Random;

const BLOCKS: usize = 128 * 100 + 5;

/// Counts the reads of the tree.
struct Counted {
    tree: Vec<u8>,
    reads: AtomicUsize,
}

impl ReadAt for Counted {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.tree.read_exact_at(buf, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.tree.length()
    }
}

/// Data of [`BLOCKS`] blocks of which no two are equal, its tree, and a verifier for it.
fn sample() -> (Vec<u8>, Counted, Verifier) {
    let data: Vec<u8> = (0..BLOCKS as u64)
        .flat_map(|number| number.to_le_bytes().repeat(512))
        .collect();
    let mut builder = TreeBuilder::new(b"salt");
    builder.update(&data);
    let tree = builder.finish().unwrap();
    let verifier = Verifier::new(tree.root_digest, b"salt", BLOCKS as u64, 0).unwrap();
    (
        data,
        Counted {
            tree: tree.bytes,
            reads: AtomicUsize::new(0),
        },
        verifier,
    )
}

fn blocks(data: &[u8], first: usize, count: usize) -> &[u8] {
    &data[first * 4096..(first + count) * 4096]
}

#[test]
fn the_builder_takes_any_portions() {
    let data = Random::new(9).bytes(300_000);
    let tree = |portions: &mut dyn FnMut() -> usize| {
        let mut builder = TreeBuilder::new(b"");
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let (portion, behind) = rest.split_at(portions().min(rest.len()));
            builder.update(portion);
            rest = behind;
        }
        builder.finish().unwrap()
    };
    let at_once = tree(&mut || usize::MAX);
    let mut random = Random::new(10);
    for portion in [1, 4095, 4096, 4097] {
        assert!(tree(&mut || portion) == at_once, "portions of {portion}");
    }
    assert!(tree(&mut || random.below(10_000)) == at_once, "random portions");
    assert!(TreeBuilder::new(b"").finish().is_err());
}

#[test]
fn a_run_through_the_data_reads_each_tree_block_about_once() {
    let (data, file, verifier) = sample();
    for first in (0..BLOCKS).step_by(32) {
        let count = 32.min(BLOCKS - first);
        verifier
            .verify_blocks(&file, first as u64, blocks(&data, first, count))
            .unwrap();
    }
    let tree_blocks = file.tree.len() / 4096;
    let reads = file.reads.load(Ordering::Relaxed);
    // The two blocks above the lowest level share slots of the cache with others and are read again now and then.
    assert!(
        reads >= tree_blocks && reads <= tree_blocks + 4,
        "{reads} reads of {tree_blocks} blocks"
    );
}

#[test]
fn threads_share_a_verifier() {
    let (data, file, verifier) = sample();
    thread::scope(|scope| {
        for seed in 0..4 {
            let (data, file, verifier) = (&data, &file, &verifier);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..500 {
                    let first = random.below(BLOCKS);
                    let count = 1 + random.below((BLOCKS - first).min(200));
                    verifier
                        .verify_blocks(file, first as u64, blocks(data, first, count))
                        .unwrap();
                    let elsewhere = (first + 1) % (BLOCKS - count + 1);
                    if elsewhere != first {
                        let wrong = verifier.verify_blocks(file, elsewhere as u64, blocks(data, first, count));
                        assert!(
                            matches!(wrong, Err(VerifyError::Mismatch { level: 0, .. })),
                            "{wrong:?}"
                        );
                    }
                }
            });
        }
    });
}

#[test]
fn requests_that_make_no_sense() {
    let (data, file, verifier) = sample();
    let check = |first: u64, data: &[u8]| verifier.verify_blocks(&file, first, data);
    assert!(check(0, &[]).is_ok());
    assert!(matches!(
        check(0, &data[..4095]),
        Err(VerifyError::PartialBlock { length: 4095 })
    ));
    let last = BLOCKS - 1;
    let beyond = [blocks(&data, last, 1), &[0; 4096]].concat();
    assert!(check(last as u64, blocks(&data, last, 1)).is_ok());
    assert!(matches!(check(last as u64, &beyond), Err(VerifyError::OutOfRange { block }) if block == BLOCKS as u64));
    assert!(matches!(
        check(u64::MAX, blocks(&data, 0, 1)),
        Err(VerifyError::OutOfRange { .. })
    ));
    assert!(matches!(
        check(u64::MAX, blocks(&data, 0, 2)),
        Err(VerifyError::OutOfRange { .. })
    ));
}

#[test]
fn a_tree_that_ends_early_is_an_error_of_reading() {
    let (data, mut file, verifier) = sample();
    file.tree.truncate(4096 * 3);
    let checked = verifier.verify_blocks(&file, 0, blocks(&data, BLOCKS - 1, 1));
    assert!(
        matches!(checked, Err(VerifyError::Io { .. } | VerifyError::Mismatch { .. })),
        "{checked:?}"
    );
    let checked = verifier.verify_blocks(&file, BLOCKS as u64 - 1, blocks(&data, BLOCKS - 1, 1));
    assert!(matches!(checked, Err(VerifyError::Io { .. })), "{checked:?}");
}
