//! What is read, and how often: laziness and caching are counted, not timed.

use crate::craft::{self, Craft, NONE, STORED};
use crate::packers::{self, NewFile};
use squashfs::{Image, ReadAt};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is read of the bytes under it.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    inner: R,
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Calls and bytes since the last time.
    pub(crate) fn take(&self) -> (u64, u64) {
        (
            self.calls.swap(0, Ordering::Relaxed),
            self.bytes.swap(0, Ordering::Relaxed),
        )
    }
}

impl<R: ReadAt> ReadAt for Counted<R> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.inner.read_exact_at(buf, offset)
    }
}

/// An image of `dirs` directories of 500 files of a few bytes each.
fn crowd(dirs: u32) -> Vec<u8> {
    let mut files = Vec::new();
    for dir in 0..dirs {
        for file in 0..500 {
            files.push(NewFile {
                path: format!("dir{dir:03}/file{file:03}"),
                bytes: format!("{dir}/{file}").into_bytes(),
            });
        }
    }
    packers::backhand_files(&files, 128 << 10)
}

#[test]
fn an_image_costs_what_is_asked_of_it_and_not_what_it_holds() {
    let mut costs = Vec::new();
    for dirs in [2, 200] {
        let image = crowd(dirs);
        let image = Image::open(Counted::new(image)).expect("opens");
        assert_eq!(image.reader().take(), (1, 96), "opening reads the superblock");

        let path = format!("dir{:03}/file250", dirs - 1);
        let mut buffer = [0; 100];
        let mut look_up_and_read = || {
            let at = image.find(path.as_bytes()).expect("look-up").expect("is there");
            let file = image.inode(at).expect("inode");
            let length = image.read(&file, 0, &mut buffer).expect("read");
            buffer[..length].to_vec()
        };
        assert_eq!(look_up_and_read(), format!("{}/250", dirs - 1).as_bytes());
        let (calls, bytes) = image.reader().take();
        // Inodes: root, directory, file. Listings: root's, the directory's two or three blocks. Ids and fragments:
        // a list and a block each. The fragment. A metadata block takes two calls if it crosses a unit of 4096 bytes.
        assert!(calls <= 20, "{calls} calls");
        assert!(bytes <= 40_000, "{bytes} bytes");
        costs.push(calls);

        look_up_and_read();
        assert_eq!(image.reader().take(), (0, 0), "the second time everything is there");
    }
    assert!(
        costs[1] <= costs[0] + 4,
        "a hundred times the files, the same cost: {costs:?}"
    );
}

#[test]
fn listing_a_directory_in_pieces_reads_it_once() {
    let image = Image::open(Counted::new(crowd(1))).expect("opens");
    let at = image.find(b"dir000").expect("look-up").expect("is there");
    let dir = image.inode(at).expect("inode");
    let whole = image.read_dir(&dir, 0).expect("listing").count();
    assert_eq!(whole, 500);
    image.reader().take();
    let mut cookie = 0;
    let mut names = 0;
    while let Some(last) = image
        .read_dir(&dir, cookie)
        .expect("listing")
        .take(7)
        .map(|entry| entry.expect("entry"))
        .last()
    {
        cookie = last.next;
        names += 1;
    }
    assert_eq!(names, 500_usize.div_ceil(7));
    assert_eq!(image.reader().take(), (0, 0));
}

/// A file of four blocks: compressed, stored, a hole, and a short compressed one.
fn four_blocks() -> (Vec<u8>, Vec<u8>) {
    let mut craft = Craft::new();
    let blocks = [vec![1; 4096], crate::tree::bytes(1, 4096), vec![0; 4096], vec![4; 1000]];
    let (start, first) = craft.push_compressed(&blocks[0]);
    craft.push_data(&blocks[1]);
    let (_, last) = craft.push_compressed(&blocks[3]);
    let words = [first, 4096 | STORED, 0, last];
    let start = u32::try_from(start).expect("small");
    let file = craft.push_inode(
        craft::FILE,
        2,
        &craft::basic_file(start, (NONE, 0), 3 * 4096 + 1000, &words),
    );
    craft.push_root(&[(b"file", file)]);
    (craft.finish(), blocks.concat())
}

#[test]
fn blocks_are_decompressed_once_and_whole_ones_pass_by_the_cache() {
    let (bytes, content) = four_blocks();
    let image = Image::open(Counted::new(bytes)).expect("opens");
    let file = image
        .inode(image.find(b"file").expect("look-up").expect("is there"))
        .expect("inode");
    let mut buffer = vec![0; content.len()];
    let mut read = |offset: usize, length: usize| {
        let buffer = &mut buffer[..length];
        assert_eq!(image.read(&file, offset as u64, buffer).expect("read"), length);
        assert_eq!(buffer, &content[offset..offset + length]);
        image.reader().take()
    };
    read(0, 1);
    assert_eq!(read(100, 2000), (0, 0), "the rest of a block that was read in part");
    assert_eq!(read(0, 4096), (0, 0), "a whole block that is held");
    assert_eq!(read(4196, 10), (1, 10), "a part of a stored block, and no more");
    assert_eq!(read(2 * 4096 + 5, 4000), (0, 0), "a hole");
    let (calls, size) = read(3 * 4096, 1000);
    assert_eq!((calls, size > 10), (1, true), "a whole block that is not held");
    assert_eq!(read(3 * 4096, 1000), (1, size), "and was not kept");
    read(3 * 4096 + 1, 1);
    assert_eq!(read(3 * 4096, 1000), (0, 0), "now it is");
}

#[test]
fn threads_share_an_image() {
    let image = Image::open(Counted::new(crowd(4))).expect("opens");
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let image = &image;
            scope.spawn(move || {
                for step in 0..2000 {
                    let (dir, file) = (step * 7 % 4, (step * 13 + thread * 61) % 500);
                    let path = format!("dir{dir:03}/file{file:03}");
                    let at = image.find(path.as_bytes()).expect("look-up").expect("is there");
                    let inode = image.inode(at).expect("inode");
                    let bytes = crate::snapshot::read_all(image, &inode);
                    assert_eq!(bytes, format!("{dir}/{file}").as_bytes());
                }
            });
        }
    });
    let (calls, _) = image.reader().take();
    assert!(calls < 100, "{calls} calls: blocks were loaded more than once");
}

#[test]
fn look_ups_in_a_huge_directory_go_through_it_once() {
    let name = |number: u32| format!("a name of some length {number:06}");
    let mut craft = Craft::new();
    for number in 0..100_000 {
        let run = craft::run(
            name(number).as_bytes(),
            craft::reference(0),
            craft::DIRECTORY,
            craft::ROOT,
        );
        craft.directories.extend(run);
    }
    let size = u32::try_from(craft.directories.len() + 3).expect("a few MiB");
    let body = craft::extended_directory(0, size, 0, 0);
    craft.push_inode(craft::EXTENDED_DIRECTORY, craft::ROOT, &body);
    let image = Image::open(Counted::new(craft.finish())).expect("opens");
    let root = image.inode(image.root()).expect("root");
    let look_up = |number| {
        image.reader().take();
        let found = image.lookup(&root, name(number).as_bytes()).expect("look-up");
        assert_eq!(found.is_some(), number < 100_000, "{number}");
        image.reader().take().1
    };
    assert!(look_up(50_000) > u64::from(size), "the first goes through all of it");
    for number in (0..110_000).step_by(997) {
        // A 256th of the listing, and the blocks at its ends.
        assert!(look_up(number) < u64::from(size) / 256 + 3 * 8194, "{number}");
    }
}
