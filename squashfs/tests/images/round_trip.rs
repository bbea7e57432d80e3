//! A tree of everything, packed in every way, is what it was.

use crate::requirement::{met, run_says};
use crate::snapshot::{self, Record, Snapshot, assert_same, without};
use crate::{craft, packers, tree};
use squashfs::{Image, Kind};
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A tree, and room for images of it.
struct Source {
    room: TempDir,
    snapshot: Snapshot,
}

impl Source {
    fn make() -> Self {
        let room = TempDir::with_prefix("sq").expect("temporary directory");
        fs::create_dir(room.path().join("tree")).expect("tree");
        tree::make(&room.path().join("tree"));
        let snapshot = snapshot::of_directory(&room.path().join("tree"));
        Self { room, snapshot }
    }

    fn tree(&self) -> PathBuf {
        self.room.path().join("tree")
    }

    fn image(&self) -> PathBuf {
        self.room.path().join("image")
    }
}

/// An image mounted by the kernel for as long as this lives.
struct Mounted {
    point: TempDir,
}

impl Mounted {
    fn mount(image: &Path) -> Self {
        let point = TempDir::new().expect("mount point");
        let path = |path: &Path| path.to_str().expect("a path of ours").to_owned();
        run_says(
            "mount",
            &["-t", "squashfs", "-o", "loop,ro", &path(image), &path(point.path())],
        );
        Self { point }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.point.path()).status();
        // A test that has failed already is not made to abort the others.
        assert!(
            std::thread::panicking() || unmounted.is_ok_and(|status| status.success()),
            "umount"
        );
    }
}

/// Inode numbers as the first path that has them, and nothing that file systems are free to choose.
fn comparable(snapshot: &Snapshot) -> Snapshot {
    let mut first = HashMap::new();
    let names: HashMap<Vec<u8>, u64> = snapshot
        .iter()
        .zip(0..)
        .map(|((path, record), place)| (path.clone(), *first.entry(record.number).or_insert(place)))
        .collect();
    without(snapshot, |path, record| {
        record.number = names[path];
        record.blocks = 0;
        if record.kind == Kind::Directory {
            (record.size, record.links) = (0, 0);
        }
    })
}

/// What backhand does not keep: hard links, and the root's owner and time.
fn as_backhand_packs(path: &[u8], record: &mut Record) {
    (record.number, record.links) = (0, 0);
    if path.is_empty() {
        (record.uid, record.gid, record.mtime) = (0, 0, 0);
    }
}

fn open(path: &Path) -> Image<File> {
    Image::open(File::open(path).expect("image")).expect("squashfs")
}

#[test]
fn mksquashfs_in_every_way() {
    if !met(&["root", "tool:mksquashfs", "loop"]) {
        return;
    }
    let source = Source::make();
    let expected = comparable(&source.snapshot);
    let ways: [&[&str]; 10] = [
        &[],
        &["-b", "4K"],
        &["-b", "1M"],
        &["-no-fragments"],
        &["-b", "4K", "-no-fragments"],
        &["-tailends"],
        &["-noI", "-noD", "-noF"],
        &["-noI"],
        &["-b", "1M", "-noD", "-noF"],
        &[
            "-no-exports",
            "-no-sparse",
            "-no-duplicates",
            "-no-hardlinks",
            "-Xcompression-level",
            "1",
        ],
    ];
    for way in ways {
        packers::mksquashfs(&source.tree(), &source.image(), way);
        let image = open(&source.image());
        let found = snapshot::of_image(&image);
        let what = way.join(" ");
        if way.contains(&"-no-hardlinks") {
            let links = |_: &[u8], record: &mut Record| (record.number, record.links) = (0, 0);
            assert_same(&without(&comparable(&found), links), &without(&expected, links), &what);
        } else {
            assert_same(&comparable(&found), &expected, &what);
        }
        let mounted = Mounted::mount(&source.image());
        assert_same(
            &found,
            &snapshot::of_directory(mounted.point.path()),
            &format!("{what}, as the kernel sees it"),
        );
    }
}

#[test]
fn backhand_with_every_block_size() {
    if !met(&["root", "loop", "tool:unsquashfs"]) {
        return;
    }
    let mut source = Source::make();
    // backhand writes no target of 256 bytes or more. It writes no directory indexes either, so the kernel takes long
    // over directories of thousands: several runs and metadata blocks are enough here.
    source.snapshot.remove(tree::LONG_LINK);
    let mut kept = 0..700;
    source
        .snapshot
        .retain(|path, _| !path.starts_with(b"many/") || kept.next().is_some());
    let expected = without(&comparable(&source.snapshot), as_backhand_packs);
    for block_size in [4096, 128 << 10, 1 << 20] {
        packers::backhand(&source.tree(), &source.snapshot, &source.image(), block_size);
        let found = snapshot::of_image(&open(&source.image()));
        assert_same(
            &without(&comparable(&found), as_backhand_packs),
            &expected,
            &format!("blocks of {block_size}"),
        );

        let mounted = Mounted::mount(&source.image());
        assert_same(
            &found,
            &snapshot::of_directory(mounted.point.path()),
            &format!("blocks of {block_size}, kernel"),
        );

        let out = source.room.path().join("out");
        let path = |path: &Path| path.to_str().expect("a path of ours").to_owned();
        run_says(
            "unsquashfs",
            &["-quiet", "-no-progress", "-dest", &path(&out), &path(&source.image())],
        );
        let unpacked = without(&comparable(&snapshot::of_directory(&out)), as_backhand_packs);
        let found = without(&comparable(&found), as_backhand_packs);
        assert_same(&unpacked, &found, &format!("blocks of {block_size}, unsquashfs"));
        fs::remove_dir_all(&out).expect("remove");
    }
}

/// What follows the common fields of an inode of each type, 1 to 14, the extended ones with an index of extended
/// attributes that says there are none.
fn bodies() -> [Vec<u8>; 14] {
    let extended = |body: &[u8]| [body, &craft::NONE.to_le_bytes()].concat();
    let device = |rdev: u32| [3, rdev].map(u32::to_le_bytes).concat();
    let other = 5_u32.to_le_bytes();
    let none = (craft::NONE, 0);
    [
        craft::basic_directory(0, 3, 0),
        craft::basic_file(96, none, 3, &[3 | craft::STORED]),
        craft::symlink(6, b"target"),
        device(0x1234_5678),
        device(0x0000_0103),
        other.to_vec(),
        other.to_vec(),
        craft::extended_directory(0, 3, 0, 0),
        craft::extended_file(96, none, 3, &[3 | craft::STORED]),
        extended(&craft::symlink(11, b"long target")),
        extended(&device(0xffff_ffff)),
        extended(&device(0x0010_0000)),
        extended(&other),
        extended(&other),
    ]
}

#[test]
fn every_type_of_inode() {
    if !met(&["root", "loop"]) {
        return;
    }
    let mut craft = craft::Craft::new();
    craft.ids = vec![0, 1000, 4_000_000_000];
    craft.push_data(b"abc");
    let mut listing = Vec::new();
    for (kind, body) in (1_u16..).zip(bodies()) {
        let start = craft.inodes.len();
        let number = u32::from(kind) + 1;
        let at = craft.push_inode(kind, number, &body);
        let time = 4_000_000_000 + u32::from(kind);
        craft.inodes[start + 2..start + 4].copy_from_slice(&(0o4711 + kind).to_le_bytes());
        craft.inodes[start + 4..start + 6].copy_from_slice(&(kind % 3).to_le_bytes());
        craft.inodes[start + 6..start + 8].copy_from_slice(&((kind + 1) % 3).to_le_bytes());
        craft.inodes[start + 8..start + 12].copy_from_slice(&time.to_le_bytes());
        let basic = if kind > 7 { kind - 7 } else { kind };
        listing.extend(craft::run(format!("type {kind:02}").as_bytes(), at, basic, number));
    }
    craft.push_root_listing(listing);
    let mut bytes = craft.finish();
    let room = TempDir::new().expect("temporary directory");
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    fs::write(room.path().join("image"), bytes).expect("image");
    let found = snapshot::of_image(&open(&room.path().join("image")));
    assert_eq!(found.len(), 15);
    let mounted = Mounted::mount(&room.path().join("image"));
    assert_same(
        &found,
        &snapshot::of_directory(mounted.point.path()),
        "as the kernel sees it",
    );
}
