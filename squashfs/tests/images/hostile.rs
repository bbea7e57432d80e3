//! Good images, changed here and cut there: every one gives errors or other contents, none a panic, an endless loop
//! or much memory.

use crate::packers;
use crate::requirement::{met, run_says};
use squashfs::{Image, Inode, InodeRef, Kind, ReadAt};
use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use tempfile::TempDir;

/// Reads that going through a small image may take, however it lies.
const READS: u32 = 20_000;

/// Inodes that are gone through.
const INODES: usize = 300;

/// Bytes that are read at a place of a file.
const PIECE: usize = 10_000;

/// Address space in which all hostile images are gone through, in bytes: the test program, its threads and the caches.
const MEMORY: u64 = 512 << 20;

/// Panics when it is read too often: a loop, if not an endless one.
struct Limited<'a> {
    image: &'a [u8],
    left: Cell<u32>,
}

impl ReadAt for Limited<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.left.set(self.left.get().checked_sub(1).expect("fewer reads"));
        self.image.read_exact_at(buf, offset)
    }
}

/// Goes through all that an image offers, and counts the errors.
fn go_through(image: &[u8]) -> u32 {
    let Ok(image) = Image::open(Limited {
        image,
        left: Cell::new(READS),
    }) else {
        return 1;
    };
    let mut errors = 0;
    let mut todo = vec![image.root()];
    let mut seen = 0;
    while let Some(at) = todo.pop().filter(|_| seen < INODES) {
        seen += 1;
        let Ok(inode) = image.inode(at) else {
            errors += 1;
            continue;
        };
        errors += match inode.kind {
            Kind::Directory => list(&image, &inode, &mut todo),
            Kind::File => read(&image, &inode),
            _ => u32::from(image.read_link(&inode).is_err()),
        };
    }
    errors
}

fn list(image: &Image<Limited<'_>>, dir: &Inode, todo: &mut Vec<InodeRef>) -> u32 {
    let mut errors = 0;
    for name in [&b"a"[..], b"file-3", b"zzz", b"dir/link", b"\xff"] {
        errors += u32::from(image.lookup(dir, name).is_err());
        errors += u32::from(image.find(name).is_err());
    }
    for cookie in [0, 20, 0xffff, u64::MAX] {
        let Ok(entries) = image.read_dir(dir, cookie) else {
            errors += 1;
            continue;
        };
        for entry in entries.take(INODES) {
            match entry {
                Ok(entry) => todo.push(entry.inode_ref),
                Err(_) => errors += 1,
            }
        }
    }
    errors
}

fn read(image: &Image<Limited<'_>>, file: &Inode) -> u32 {
    let mut buffer = vec![0; PIECE];
    let places = [
        0,
        1,
        4096,
        123_456,
        file.size / 2,
        file.size.saturating_sub(1),
        file.size,
        u64::MAX,
    ];
    let mut errors = 0;
    for at in places {
        match image.read(file, at, &mut buffer) {
            Ok(length) => assert!(length as u64 <= file.size.saturating_sub(at)),
            Err(_) => errors += 1,
        }
    }
    errors += u32::from(image.seek_data(file, 1).is_err());
    errors + u32::from(image.seek_hole(file, 1).is_err())
}

/// Small images with a bit of everything: one of compressed metadata, one of stored metadata, and one with a directory
/// that has an index.
fn good_images() -> Vec<Vec<u8>> {
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir_all(tree.join("dir")).expect("tree");
    for number in 0..6 {
        fs::write(
            tree.join(format!("file-{number}")),
            vec![number; usize::from(number) * 3000],
        )
        .expect("file");
    }
    fs::write(tree.join("dir/sparse"), [vec![0; 20_000], vec![1; 5000]].concat()).expect("file");
    fs::hard_link(tree.join("file-3"), tree.join("dir/hard link")).expect("hard link");
    symlink("../file-2", tree.join("dir/link")).expect("link");
    let pack = |way: &[&str]| {
        let common = ["-all-time", "0", "-mkfs-time", "0", "-mem", "64M", "-processors", "1"];
        packers::mksquashfs(&tree, &out, &[way, &common].concat());
        fs::read(&out).expect("image")
    };
    let mut images = vec![
        pack(&["-b", "4K"]),
        pack(&["-b", "4K", "-noI", "-noD", "-noF", "-tailends"]),
    ];
    for number in 0..40 {
        fs::write(tree.join(format!("{number:0250}")), []).expect("file");
    }
    images.push(pack(&["-b", "8K", "-noI"]));
    images
}

/// Whether a byte only fills a long name.
fn is_filler(image: &[u8], at: usize) -> bool {
    image[at..].starts_with(b"00")
}

/// A number of the superblock.
fn field(image: &[u8], at: usize) -> usize {
    let bytes = image[at..at + 8].try_into().expect("eight bytes");
    usize::try_from(u64::from_le_bytes(bytes)).expect("small")
}

/// Goes through an image, which must not panic.
pub(crate) fn must_not_panic(image: &[u8], what: &str) -> u32 {
    catch_unwind(AssertUnwindSafe(|| go_through(image))).unwrap_or_else(|_| panic!("panicked: {what}"))
}

#[test]
fn no_changed_byte_does_harm() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let mut refused = 0;
    for (which, good) in good_images().into_iter().enumerate() {
        assert_eq!(go_through(&good), 0, "image {which} is good");
        let (used, inodes) = (field(&good, 40), field(&good, 64));
        let mut image = good.clone();
        for at in (0..96).chain(inodes..used).filter(|&at| !is_filler(&good, at)) {
            for change in [0x01, 0xff] {
                image[at] ^= change;
                refused += u32::from(must_not_panic(&image, &format!("image {which}, byte {at} ^ {change:#x}")) > 0);
                image[at] = good[at];
            }
        }
        // Data: here and there.
        for at in (96..inodes).step_by(37) {
            image[at] ^= 0x55;
            must_not_panic(&image, &format!("image {which}, byte {at}"));
            image[at] = good[at];
        }
    }
    assert!(refused > 1000, "changes were noticed: {refused}");
}

#[test]
fn no_changed_word_does_harm() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let good = good_images().swap_remove(1);
    let (used, inodes) = (field(&good, 40), field(&good, 64));
    let mut image = good.clone();
    for at in (8..92).step_by(2).chain(inodes..used - 4) {
        for word in [0, u32::MAX, 0x7fff_ffff, 0x0100_0000] {
            image[at..at + 4].copy_from_slice(&word.to_le_bytes());
            must_not_panic(&image, &format!("word {word:#x} at {at}"));
            image[at..at + 4].copy_from_slice(&good[at..at + 4]);
        }
    }
}

#[test]
fn no_cut_does_harm() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    for good in good_images() {
        let used = field(&good, 40);
        for length in (0..used).step_by(7).chain(used - 100..used) {
            let errors = must_not_panic(&good[..length], &format!("cut at {length}"));
            assert!(errors > 0 || length + 8 >= used, "cut at {length}");
        }
    }
}

#[test]
fn hostile_images_take_little_memory() {
    // This program again, for these tests and those of lies only, in little address space.
    const INSIDE: &str = "SQUASHFS_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() || !met(&["tool:prlimit"]) {
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let limited = Command::new("prlimit")
        .arg(format!("--as={MEMORY}"))
        .arg(program)
        .args(["hostile::", "lies::", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("prlimit runs");
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stdout));
}

#[test]
fn the_judge_of_panics_judges() {
    let looping = catch_unwind(|| {
        let limited = Limited {
            image: &[0; 10],
            left: Cell::new(3),
        };
        while limited.read_exact_at(&mut [0], 0).is_ok() {}
    });
    assert!(looping.is_err());
    assert_eq!(run_says("true", &[]), "");
}
