//! Files larger than 4 GiB, and lists of blocks that are long.

use crate::requirement::met;
use crate::{packers, tree};
use squashfs::Image;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use tempfile::TempDir;

#[test]
fn five_gib_are_read_at_any_place_in_any_order() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir(&tree).expect("tree");
    let mut options = File::options();
    let large = options.read(true).write(true).create_new(true).open(tree.join("large")).expect("file");
    let size = (5 << 30) + 77_777;
    large.set_len(size).expect("length");
    // Islands on both sides of 4 GiB, of the first and of the last byte.
    let islands = [
        0,
        1 << 20,
        777_777_777,
        (4 << 30) - 5000,
        (4 << 30) + (1 << 28),
        size - 10_000,
    ];
    for (seed, &at) in islands.iter().enumerate() {
        large
            .write_all_at(&tree::bytes(seed as u64, 10_000), at)
            .expect("island");
    }
    for block in ["4K", "128K"] {
        packers::mksquashfs(&tree, &out, &["-b", block]);
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
                assert!(found[..read] == expected, "blocks of {block}, island {seed}");
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
}
