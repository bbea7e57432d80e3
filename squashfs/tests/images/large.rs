//! Files larger than 4 GiB, and lists of blocks that are long.

use crate::craft::{self, Craft, NONE};
use crate::requirement::met;
use crate::{packers, tree};
use squashfs::Image;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use tempfile::TempDir;

#[test]
fn more_than_four_gib_are_read_at_any_place_in_any_order() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir(&tree).expect("tree");
    let mut options = File::options();
    let large = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(tree.join("large"))
        .expect("file");
    let size = (4 << 30) + (100 << 20) + 77_777;
    large.set_len(size).expect("length");
    // Islands on both sides of 4 GiB, of the first and of the last byte.
    let islands = [
        0,
        10 << 20,
        777_777_777,
        (4 << 30) - 5000,
        (4 << 30) + (50 << 20),
        size - 10_000,
    ];
    for (seed, &at) in islands.iter().enumerate() {
        large
            .write_all_at(&tree::bytes(seed as u64, 10_000), at)
            .expect("island");
    }
    packers::mksquashfs(&tree, &out, &[]);
    let image = Image::open(File::open(&out).expect("image")).expect("opens");
    let file = image
        .inode(image.find(b"large").expect("look-up").expect("is there"))
        .expect("inode");
    assert_eq!(file.size, size);
    for order in [[5, 0, 4, 1, 3, 2], [0, 1, 2, 3, 4, 5], [2, 2, 5, 5, 0, 3]] {
        for seed in order {
            let mut found = vec![0xee; 20_000];
            let from = islands[seed].saturating_sub(5000);
            let read = image.read(&file, from, &mut found).expect("read");
            let mut expected = vec![0; read];
            large.read_exact_at(&mut expected, from).expect("the source");
            assert!(found[..read] == expected, "island {seed}");
            assert!(read == found.len() || from + read as u64 == size);
        }
    }
    let mut at = 0;
    for island in islands {
        at = image.seek_data(&file, at).expect("seek").expect("data");
        assert!(at <= island && island - at < 128 << 10, "{at} for {island}");
        at = image.seek_hole(&file, at).expect("seek").expect("a hole or the end");
        assert!(at >= island + 10_000 && at - island < 256 << 10, "{at} for {island}");
    }
    assert_eq!(at, size);
}

/// Blocks of the file with a long list, more than are passed over without a waypoint 128 times.
const BLOCKS: u32 = 600_000;

/// Every so many blocks one holds data.
const APART: u32 = 1000;

#[test]
fn a_list_of_blocks_longer_than_its_waypoints_is_read_in_any_order() {
    let mut craft = Craft::new();
    let mut words = Vec::new();
    for block in 0..BLOCKS {
        words.push(match block % APART {
            0 => craft.push_compressed(&block.to_le_bytes().repeat(1024)).1,
            _ => 0,
        });
    }
    let size = u64::from(BLOCKS) * 4096;
    craft.push_inode(
        craft::EXTENDED_FILE,
        2,
        &craft::extended_file(96, (NONE, 0), size, &words),
    );
    craft.push_root(&[(b"long", craft::reference(0))]);
    let image = Image::open(craft.finish()).expect("opens");
    let file = image.inode(craft::reference(0)).expect("inode");
    let mut block = 0;
    let mut buffer = [0xee; 4096];
    for _ in 0..2000 {
        block = (block + 377_777) % BLOCKS;
        let wanted = if block % 7 == 0 { block } else { block / APART * APART };
        let read = image.read(&file, u64::from(wanted) * 4096, &mut buffer).expect("read");
        assert_eq!(read, buffer.len());
        let word = if wanted % APART == 0 { wanted } else { 0 };
        assert_eq!(buffer.as_slice(), word.to_le_bytes().repeat(1024), "block {wanted}");
    }
    let last = u64::from(BLOCKS - APART) * 4096;
    assert_eq!(image.seek_data(&file, last - 1).expect("seek"), Some(last));
    assert_eq!(image.seek_data(&file, last + 4096).expect("seek"), None);
}
