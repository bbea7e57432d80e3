//! Reading files in every way.

use crate::craft::{self, Craft, NONE, STORED};
use crate::requirement::met;
use crate::{packers, tree};
use squashfs::{Error, Image, Inode, ReadAt};
use std::fs::{self, File};
use std::io;
use tempfile::TempDir;

/// Numbers that look random and are the same each time.
fn numbers(seed: u64) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    })
}

fn file<R: ReadAt>(image: &Image<R>, path: &str) -> Inode {
    let at = image.find(path.as_bytes()).expect("look-up").expect("is there");
    image.inode(at).expect("inode")
}

/// A file of data, holes and a tail end: 64 KiB pieces, every third of them a hole.
fn striped() -> Vec<u8> {
    let mut content = Vec::new();
    for piece in 0..30 {
        content.extend(if piece % 3 == 1 {
            vec![0; 64 << 10]
        } else {
            tree::bytes(piece, 64 << 10)
        });
    }
    content.extend(tree::bytes(99, 3333));
    content
}

#[test]
fn any_piece_of_a_file_is_what_it_was() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir(&tree).expect("tree");
    let content = striped();
    fs::write(tree.join("striped"), &content).expect("file");
    let ways: [&[&str]; 6] = [
        &["-b", "4K"],
        &["-b", "64K", "-tailends"],
        &["-b", "64K", "-no-fragments"],
        &["-b", "1M", "-always-use-fragments"],
        &["-noD"],
        &["-noF", "-tailends"],
    ];
    for way in ways {
        packers::mksquashfs(&tree, &out, way);
        let image = Image::open(File::open(&out).expect("image")).expect("opens");
        let file = file(&image, "striped");
        let mut numbers = numbers(1);
        let mut next = |below: usize| numbers.next().map_or(0, |number| number % below);
        for round in 0..300 {
            let offset = next(content.len() + 1000);
            let length = if round % 10 == 0 {
                next(content.len() * 2)
            } else {
                next(20_000)
            };
            let mut buffer = vec![0xee; length];
            let read = image.read(&file, offset as u64, &mut buffer).expect("read");
            let expected = content.get(offset..).unwrap_or_default();
            let expected = &expected[..expected.len().min(length)];
            assert_eq!(read, expected.len(), "{way:?}: {offset}, {length}");
            assert!(buffer[..read] == *expected, "{way:?}: {offset}, {length}");
            assert!(
                buffer[read..].iter().all(|&byte| byte == 0xee),
                "{way:?}: bytes behind the end"
            );
        }
    }
}

#[test]
fn data_and_holes_are_found_as_lseek_finds_them() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir(&tree).expect("tree");
    let content = striped();
    fs::write(tree.join("striped"), &content).expect("file");
    fs::write(tree.join("hole"), vec![0; 1 << 20]).expect("file");
    fs::write(tree.join("empty"), []).expect("file");
    for way in [["-b", "4K", "-no-fragments"], ["-b", "64K", "-tailends"]] {
        packers::mksquashfs(&tree, &out, &way);
        let image = Image::open(File::open(&out).expect("image")).expect("opens");
        let size = content.len() as u64;
        let striped = file(&image, "striped");
        let piece = 64 << 10;
        for offset in (0..size + 10_000).step_by(1021) {
            let in_hole = offset / piece % 3 == 1 && offset < 30 * piece;
            let (data, hole) = match offset {
                _ if offset >= size => (None, None),
                _ if in_hole => (Some((offset / piece + 1) * piece), Some(offset)),
                _ => (
                    Some(offset),
                    Some(((offset / piece).div_ceil(3) * 3 + 1) * piece).map(|hole| hole.min(size)),
                ),
            };
            assert_eq!(
                image.seek_data(&striped, offset).expect("seek"),
                data,
                "{way:?}: {offset}"
            );
            let hole = if offset >= 30 * piece { hole.map(|_| size) } else { hole };
            assert_eq!(
                image.seek_hole(&striped, offset).expect("seek"),
                hole,
                "{way:?}: {offset}"
            );
        }
        let hole = file(&image, "hole");
        assert_eq!(image.seek_data(&hole, 0).expect("seek"), None);
        assert_eq!(image.seek_hole(&hole, 5).expect("seek"), Some(5));
        let empty = file(&image, "empty");
        assert_eq!(
            (
                image.seek_data(&empty, 0).expect("seek"),
                image.seek_hole(&empty, 0).expect("seek")
            ),
            (None, None)
        );
    }
}

/// An image of which a part lies far behind the rest.
struct Far {
    near: Vec<u8>,
    far: Vec<u8>,
    at: u64,
}

impl ReadAt for Far {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_sub(self.at) {
            Some(offset) => self.far.as_slice().read_exact_at(buf, offset),
            None => self.near.as_slice().read_exact_at(buf, offset),
        }
    }
}

#[test]
fn blocks_may_lie_beyond_4_gib() {
    let at = 0x12_3456_7890;
    let stored = tree::bytes(1, 4096);
    let compressed = packers::compress(&[7; 4096]);
    let mut craft = Craft::new();
    let words = [4096 | STORED, u32::try_from(compressed.len()).expect("small")];
    craft.push_inode(
        craft::EXTENDED_FILE,
        2,
        &craft::extended_file(at, (NONE, 0), 8192, &words),
    );
    craft.push_root(&[(b"far", craft::reference(0))]);
    let far = [stored.as_slice(), &compressed].concat();
    craft.bytes_used = Some(at + far.len() as u64);
    let image = Image::open(Far {
        near: craft.finish(),
        far,
        at,
    })
    .expect("opens");
    let content = crate::snapshot::read_all(&image, &file(&image, "far"));
    assert_eq!(content, [stored, vec![7; 4096]].concat());
}

#[test]
fn a_failing_reader_is_told_as_such() {
    let mut craft = Craft::new();
    let (start, word) = craft.push_compressed(&[1; 4096]);
    let start = u32::try_from(start).expect("small");
    let at = craft.push_inode(craft::FILE, 2, &craft::basic_file(start, (NONE, 0), 4096, &[word]));
    craft.push_root(&[(b"file", at)]);
    let whole = craft.finish();

    /// Fails for data, once it may.
    struct Failing(Vec<u8>);
    impl ReadAt for Failing {
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            if offset == 96 {
                return Err(io::Error::other("the hash tree disagrees"));
            }
            self.0.read_exact_at(buf, offset)
        }
    }
    let image = Image::open(Failing(whole)).expect("opens");
    let error = image.read(&file(&image, "file"), 0, &mut [0; 10]).expect_err("fails");
    assert!(matches!(&error, Error::Io { offset: 96, source, .. } if source.to_string() == "the hash tree disagrees"));
    assert_eq!(
        error.to_string(),
        "squashfs data block at byte 96 cannot be read: the hash tree disagrees"
    );
}
