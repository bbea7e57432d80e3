//! Images that lie: every one gives errors or other contents, none a panic, an endless loop or much memory.

use crate::craft::{self, Craft, NONE, STORED};
use crate::packers;
use crate::requirement::{met, run_says};
use squashfs::{Error, Image, Inode, InodeRef, Kind, Part, ReadAt};
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
fn must_not_panic(image: &[u8], what: &str) -> u32 {
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
    // This program again, for the other tests of this file only, in little address space.
    const INSIDE: &str = "SQUASHFS_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() || !met(&["tool:prlimit"]) {
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let limited = Command::new("prlimit")
        .arg(format!("--as={MEMORY}"))
        .arg(program)
        .args(["hostile::", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("prlimit runs");
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stdout));
}

/// The error of reading the file of a crafted image.
fn file_error(craft: &mut Craft, kind: u16, body: &[u8]) -> Option<(Part, &'static str)> {
    // The file comes last, behind the root's 32 bytes: nothing follows its list of blocks.
    craft.push_root(&[(b"file", craft::reference(32))]);
    let at = craft.push_inode(kind, 2, body);
    let bytes = craft.finish();
    assert!(must_not_panic(&bytes, "crafted") > 0);
    let image = Image::open(bytes).expect("opens");
    let read = image.inode(at).and_then(|file| {
        let from = file.size.saturating_sub(10);
        image
            .read(&file, 0, &mut [0; 5000])
            .and(image.read(&file, from, &mut [0; 10]))
    });
    damage(read)
}

fn damage<T>(result: Result<T, Error>) -> Option<(Part, &'static str)> {
    match result {
        Ok(_) => None,
        Err(Error::Damaged { part, what, .. }) => Some((part, what)),
        Err(other) => panic!("not damaged: {other}"),
    }
}

#[test]
fn files_that_lie_are_told_so() {
    let frame = packers::compress(&[1; 4096]);
    let word = u32::try_from(frame.len()).expect("small");
    let short = packers::compress(&[1; 100]);
    let short_word = u32::try_from(short.len()).expect("small");
    let bomb = packers::compress(&vec![0; 1 << 20]);
    let bomb_word = u32::try_from(bomb.len()).expect("small");
    let basic = |fragment, size, words: &[u32]| (craft::FILE, craft::basic_file(96, fragment, size, words));
    let extended = |start, fragment, size, words: &[u32]| {
        (craft::EXTENDED_FILE, craft::extended_file(start, fragment, size, words))
    };
    let none = (NONE, 0);
    let size = "impossible size of a block";
    let length = "data block of another length than the file needs";
    let table = [
        (
            "a word with unknown flags",
            &frame,
            basic(none, 4096, &[word | 1 << 25]),
            (Part::Data, size),
        ),
        (
            "a stored block of no bytes",
            &frame,
            basic(none, 4096, &[STORED]),
            (Part::Data, size),
        ),
        (
            "a block larger than a block",
            &frame,
            basic(none, 4096, &[4097]),
            (Part::Data, size),
        ),
        (
            "a block behind the end",
            &frame,
            basic(none, 4096, &[4096]),
            (Part::Data, "block outside the image"),
        ),
        (
            "a block before the start",
            &frame,
            extended(0, none, 4096, &[word]),
            (Part::Data, "block outside the image"),
        ),
        (
            "a block at the end of numbers",
            &frame,
            extended(u64::MAX - 9, none, 4096, &[word]),
            (Part::Data, "block outside the image"),
        ),
        (
            "sizes that add up too far",
            &frame,
            extended(u64::MAX - 9, none, 8192, &[0, word]),
            (Part::Data, "block outside the image"),
        ),
        (
            "a block that is too long",
            &frame,
            basic(none, 100, &[word]),
            (Part::Data, "block does not decompress"),
        ),
        (
            "a block that is too short",
            &short,
            basic(none, 4096, &[short_word]),
            (Part::Data, length),
        ),
        (
            "a stored block of the wrong length",
            &frame,
            basic(none, 100, &[word | STORED]),
            (Part::Data, length),
        ),
        (
            "a bomb",
            &bomb,
            basic(none, 4096, &[bomb_word]),
            (Part::Data, "block does not decompress"),
        ),
        (
            "what is no zstd",
            &frame,
            extended(97, none, 4096, &[word - 1]),
            (Part::Data, "block does not decompress"),
        ),
        (
            "a fragment that is not there",
            &frame,
            basic((1, 0), 100, &[]),
            (Part::FragmentTable, "index outside the table"),
        ),
        (
            "a tail end outside its block",
            &frame,
            basic((0, 4000), 100, &[]),
            (Part::InodeTable, "tail end outside its fragment"),
        ),
        (
            "a tail end outside the bytes",
            &frame,
            basic((2, 4000), 96, &[]),
            (Part::FragmentTable, "index outside the table"),
        ),
        (
            "more than there can be",
            &frame,
            extended(96, none, 1 << 62, &[]),
            (Part::InodeTable, "file larger than the inode table can describe"),
        ),
        (
            "more than there may be",
            &frame,
            extended(96, none, u64::MAX, &[]),
            (Part::InodeTable, "impossible size of a file"),
        ),
        (
            "more than there is",
            &frame,
            extended(96, none, 1 << 24, &[]),
            (Part::InodeTable, "reference to a metadata block outside the table"),
        ),
    ];
    for (what, data, (kind, body), expected) in table {
        let mut craft = Craft::new();
        craft.push_data(data);
        craft.fragments.push((96, word));
        assert_eq!(file_error(&mut craft, kind, &body), Some(expected), "{what}");
    }
}

#[test]
fn fragments_that_lie_are_told_so() {
    let tail = "tail end outside its fragment";
    let table = [
        ("a hole", (96, 0), "impossible size of a block"),
        ("too large", (96, 4097), "impossible size of a block"),
        ("outside", (1 << 40, 100), "block outside the image"),
        ("at the end of numbers", (u64::MAX, 100), "block outside the image"),
        ("stored and short", (96, STORED | 50), tail),
        (
            "compressed and short",
            (196, u32::try_from(packers::compress(&[1; 50]).len()).expect("small")),
            tail,
        ),
        ("nothing that decompresses", (96, 100), "block does not decompress"),
    ];
    for (what, entry, expected) in table {
        let mut craft = Craft::new();
        craft.push_data(&[9; 100]);
        craft.push_compressed(&[1; 50]);
        craft.fragments.push(entry);
        let found = file_error(&mut craft, craft::FILE, &craft::basic_file(96, (0, 0), 60, &[]));
        assert_eq!(found, Some((Part::Fragment, expected)), "{what}");
    }
}

#[test]
fn directories_that_lie_are_told_so() {
    let at = InodeRef(0);
    let long = [b'n'; 257];
    let name = "impossible name of a directory entry";
    let order = "directory entries out of order";
    let table: [(&[&[u8]], Option<&str>); 9] = [
        (&[b"a", b"b"], None),
        (&[b"."], Some(name)),
        (&[b".."], Some(name)),
        (&[b"a/b"], Some(name)),
        (&[b"a", b"../../etc/passwd"], Some(name)),
        (&[b"a\0b"], Some(name)),
        (&[&long], Some(name)),
        (&[b"a", b"a"], Some(order)),
        (&[b"b", b"a"], Some(order)),
    ];
    for (names, expected) in table {
        let mut craft = Craft::new();
        let entries: Vec<_> = names.iter().map(|name| (*name, at)).collect();
        craft.push_root(&entries);
        let bytes = craft.finish();
        must_not_panic(&bytes, "crafted");
        let image = Image::open(bytes).expect("opens");
        let root = image.inode(image.root()).expect("root");
        let last = image.read_dir(&root, 0).expect("listing").last().expect("an entry");
        assert_eq!(damage(last).map(|(_, what)| what), expected, "{names:?}");
    }
}

/// A root that is an extended directory with one entry, and whatever is said of it and behind it.
fn extended_root(size: u32, index_count: u16, index: &[u8]) -> Vec<u8> {
    let mut craft = Craft::new();
    craft.directories = craft::listing(&[(b"name", InodeRef(0))]);
    let body = craft::extended_directory(0, size, 0, index_count);
    craft.push_inode(craft::EXTENDED_DIRECTORY, 1, &[&body, index].concat());
    craft.finish()
}

#[test]
fn listings_and_indexes_that_lie_end() {
    let right = 12 + 8 + 4 + 3;
    let index = |passed: u32, block: u32, length: u32, name: &[u8]| {
        [&[passed, block, length].map(u32::to_le_bytes).concat(), name].concat()
    };
    let outside = "reference to a metadata block outside the table";
    let table = [
        ("a right one", extended_root(right, 0, &[]), Ok(true)),
        (
            "a right index",
            extended_root(right, 1, &index(0, 0, 3, b"name")),
            Ok(true),
        ),
        ("no listing", extended_root(3, 0, &[]), Ok(false)),
        ("less than no listing", extended_root(0, 0, &[]), Ok(false)),
        (
            "a byte too few",
            extended_root(right - 1, 0, &[]),
            Err("directory entry behind the end of its listing"),
        ),
        ("4 GiB of listing", extended_root(u32::MAX, 0, &[]), Err(outside)),
        (
            "an index that is not there",
            extended_root(right, u16::MAX, &[]),
            Err(outside),
        ),
        (
            "an index to elsewhere",
            extended_root(right, 1, &index(0, 1 << 30, 3, b"aaaa")),
            Err(outside),
        ),
        (
            "an index into the entry",
            extended_root(right, 1, &index(12, 0, 3, b"aaaa")),
            Err("directory entry behind the end of its listing"),
        ),
        (
            "an index behind the listing",
            extended_root(right, 1, &index(u32::MAX, 0, 3, b"aaaa")),
            Err("reference behind the end of a metadata block"),
        ),
        (
            "a long name in the index",
            extended_root(right, 1, &index(0, 0, u32::MAX, b"aaaa")),
            Err("impossible name in a directory index"),
        ),
        (
            "no name in the index",
            extended_root(right, 1, &index(0, 0, 0, b"\0")),
            Err("impossible name in a directory index"),
        ),
    ];
    for (what, bytes, expected) in table {
        must_not_panic(&bytes, what);
        let image = Image::open(bytes).expect("opens");
        let root = image.inode(image.root()).expect("root");
        let found = image
            .lookup(&root, b"name-that-is-behind")
            .and(image.lookup(&root, b"name"));
        let found = found
            .map(|found| found.is_some())
            .map_err(|error| damage::<()>(Err(error)).expect("damage").1);
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn inodes_that_lie_are_told_so() {
    let target = "impossible length of a symbolic link";
    let outside = "reference to a metadata block outside the table";
    let table = [
        ("no type", 0, 2, vec![], "no such inode type"),
        ("an unknown type", 15, 2, vec![], "no such inode type"),
        ("number zero", craft::FILE, 0, vec![], "inode number zero"),
        ("an empty target", craft::SYMLINK, 2, craft::symlink(0, b""), target),
        (
            "a long target",
            craft::SYMLINK,
            2,
            craft::symlink(4097, &[b'x'; 4097]),
            target,
        ),
        (
            "a longer one",
            craft::SYMLINK,
            2,
            craft::symlink(u32::MAX, b"x"),
            target,
        ),
        (
            "one that is cut",
            craft::SYMLINK,
            2,
            craft::symlink(500, b"cut"),
            outside,
        ),
        (
            "NUL in it",
            craft::SYMLINK,
            2,
            craft::symlink(3, b"a\0b"),
            "NUL in the target of a symbolic link",
        ),
    ];
    for (what, kind, number, body, expected) in table {
        let mut craft = Craft::new();
        craft.push_root(&[]);
        let at = craft.push_inode(kind, number, &body);
        let image = Image::open(craft.finish()).expect("opens");
        let found = image.inode(at).and_then(|inode| image.read_link(&inode));
        assert_eq!(damage(found), Some((Part::InodeTable, expected)), "{what}");
    }
}

#[test]
fn references_may_be_any_number() {
    let mut craft = Craft::new();
    craft.push_root(&[]);
    let image = Image::open(craft.finish()).expect("opens");
    for at in (0..64).map(|bit| 1 << bit).chain([u64::MAX, 0xffff, 31, 32, 33]) {
        assert!(damage(image.inode(InodeRef(at))).is_some(), "{at:#x}");
    }
}

#[test]
fn owners_that_are_not_there_are_told_so() {
    let mut craft = Craft::new();
    craft.push_root(&[]);
    craft.inodes[4] = 1;
    let image = Image::open(craft.finish()).expect("opens");
    assert_eq!(
        damage(image.inode(image.root())),
        Some((Part::IdTable, "index outside the table"))
    );
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
