//! The image: right under unsquashfs and the kernel, the same bytes every time and with any number of workers.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use polecat::image::{self, ImageError, ImageOptions, ImageStats};
use polecat::plan::{Entry, Node, Plan, ReasonKind};
use polecat::rootfs::{RootPath, Rootfs};
use tempfile::TempDir;

use common::{chmod, describe, noise, plan_of, put, skip, skip_without_root, skip_without_tool, succeed};

const BLOCK: usize = 8192;

const OPTIONS: ImageOptions = ImageOptions {
    level: 3,
    block_size: 8192,
    epoch: None,
    store_startup: 0,
    workers: 3,
};

fn write(plan: &Plan, options: &ImageOptions) -> Result<(Vec<u8>, ImageStats), ImageError> {
    let rootfs = Rootfs::open(&plan.rootfs).expect("a directory");
    let mut out = Cursor::new(Vec::new());
    let stats = image::write(plan, &rootfs, &mut out, options, &mut |_| ())?;
    let mut bytes = out.into_inner();
    bytes.truncate(usize::try_from(stats.length).expect("small"));
    Ok((bytes, stats))
}

/// A tree with what is special to squashfs, to backhand and to file systems.
fn tree() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let root = directory.path();
    for size in [0, 1, 4095, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 77] {
        put(root, format!("sizes/{size}"), &noise(size as u64, size));
    }
    for number in 0..300_u16 {
        put(
            root,
            format!("many/{number:03}"),
            &noise(u64::from(number), usize::from(number) * 7 % 900),
        );
    }
    put(root, "holes/all", &vec![0; 4 * BLOCK]);
    put(root, "holes/end", &[noise(1, BLOCK), vec![0; BLOCK + 5]].concat());
    put(
        root,
        "holes/middle",
        &[noise(2, BLOCK), vec![0; 2 * BLOCK], noise(3, 9)].concat(),
    );
    put(root, "order/a/b", b"component-wise before a-b");
    put(root, "order/a-b", b"bytewise before a/b");
    put(root, "order/a.b/c", b"x");
    put(root, "odd/new\nline", b"1");
    put(root, "odd/ space \t", b"2");
    put(root, "odd/-rf", b"3");
    put(
        root,
        Path::new("odd").join(OsStr::from_bytes(b"\xff\xfe latin \xe9")),
        b"4",
    );
    put(root, format!("odd/{}", "n".repeat(255)), b"5");
    put(root, format!("{}/leaf", "deep/".repeat(60)), b"6");
    symlink("../sizes/1", root.join("odd/relative")).expect("a link");
    symlink("/nowhere/at all", root.join("odd/dangling")).expect("a link");
    symlink(OsStr::from_bytes(b"\xff"), root.join("odd/bytes")).expect("a link");
    symlink("x".repeat(255), root.join("odd/long")).expect("a link");
    fs::create_dir(root.join("empty")).expect("a directory");
    put(root, "mode/setuid", b"s");
    chmod(&root.join("mode/setuid"), 0o4755);
    put(root, "mode/none", b"n");
    fs::create_dir(root.join("mode/sticky")).expect("a directory");
    chmod(&root.join("mode/sticky"), 0o1777);
    // The last file of the image, and longer than all the metadata behind the data: a duplicate leaves its bytes behind the image.
    let last = noise(99, 40 * BLOCK);
    put(root, "duplicates/first", &last);
    put(root, "zz-last", &last);
    own(root);
    directory
}

/// Owners and times that a file system cannot give by itself.
fn own(root: &Path) {
    if common::is_root() {
        chmod(&root.join("mode/none"), 0);
        for (name, uid, gid) in [("sizes/1", 1000, 100), ("empty", 4_000_000_000, 7), ("", 12, 34)] {
            std::os::unix::fs::lchown(root.join(name), Some(uid), Some(gid)).expect("root");
        }
        chmod(&root.join("mode/setuid"), 0o4755);
    }
    for (name, time) in [
        ("sizes/1", 1),
        ("many", 1_000_000_000),
        ("odd/relative", 4_294_967_295),
        ("", 86_400),
    ] {
        set_time(&root.join(name), time);
    }
}

fn set_time(path: &Path, seconds: i64) {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::{TimeSpec, TimeValLike};
    let time = TimeSpec::seconds(seconds);
    let directory = nix::fcntl::AT_FDCWD;
    utimensat(directory, path, &time, &time, UtimensatFlags::NoFollowSymlink).expect("own file");
}

#[test]
fn parallel_and_serial_images_are_identical() {
    let tree = tree();
    let plan = started(plan_of(tree.path()), &["sizes", "many/10", "odd"]);
    for (level, block_size, store_startup) in [
        (3, 4096, u64::MAX),
        (3, 8192, 0),
        (19, 8192, 50_000),
        (3, 131_072, 0),
        (1, 1_048_576, 0),
    ] {
        let options = |workers| ImageOptions {
            level,
            block_size,
            store_startup,
            workers,
            ..OPTIONS
        };
        let (serial, serial_stats) = write(&plan, &options(0)).expect("an image");
        assert_eq!(serial_stats.ahead, 0);
        for workers in [1, 2, 7] {
            let (parallel, stats) = write(&plan, &options(workers)).expect("an image");
            assert!(
                parallel == serial,
                "{workers} workers, level {level}, blocks of {block_size}"
            );
            assert_eq!(stats.ahead + stats.inline, serial_stats.inline);
            assert!(stats.ahead > 0);
        }
    }
}

/// The same plan, in which what begins with one of `prefixes` is loaded by the command.
fn started(mut plan: Plan, prefixes: &[&str]) -> Plan {
    for (path, entry) in &mut plan.entries {
        let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
        if prefixes.iter().any(|prefix| path.starts_with(&format!("/{prefix}"))) {
            entry.reason.kind = ReasonKind::Command;
        }
    }
    plan
}

#[test]
fn what_every_start_reads_is_stored_as_it_is() {
    let directory = TempDir::new().expect("a directory");
    let text = |word: &str, size: usize| word.bytes().cycle().take(size).collect::<Vec<u8>>();
    let files = [
        ("bin/program", text("program ", 3 * BLOCK + 5)),
        ("lib/small", text("small ", BLOCK / 4)),
        ("share/neighbour", text("neighbour ", BLOCK / 4)),
        ("share/other", text("other ", 2 * BLOCK)),
    ];
    for (path, contents) in &files {
        put(directory.path(), path, contents);
    }
    let plan = started(plan_of(directory.path()), &["bin/program", "lib/small"]);
    let holds = |image: &[u8], contents: &[u8]| image.windows(contents.len()).any(|window| window == contents);
    for (store_startup, expected) in [
        (0, [false, false, false, false]),
        // The smaller one fits. A fragment block is stored as a whole.
        (10_000, [false, true, true, false]),
        (u64::MAX, [true, true, true, false]),
    ] {
        for workers in [0, 2] {
            let options = ImageOptions {
                store_startup,
                workers,
                ..OPTIONS
            };
            let (image, _) = write(&plan, &options).expect("an image");
            let stored = files.each_ref().map(|(_, contents)| holds(&image, contents));
            assert_eq!(stored, expected, "{store_startup}");
        }
    }
}

#[test]
fn every_data_block_is_foreseen() {
    // What is compressed inline is the metadata alone: its blocks are counted by an image that has the same entries and no data.
    let tree = tree();
    let plan = plan_of(tree.path());
    let mut hollow = plan.clone();
    for entry in hollow.entries.values_mut() {
        if let Node::File { size } = &mut entry.node {
            // Inodes keep their length: the list of block sizes is as long as before, and all of them are holes.
            let zeros = vec![0; usize::try_from(*size).expect("small")];
            let whole = zeros.len() >= BLOCK;
            entry.node = Node::Synthetic {
                contents: if whole { zeros } else { Vec::new() },
            };
        }
    }
    let (_, stats) = write(&plan, &OPTIONS).expect("an image");
    let (_, metadata) = write(&hollow, &OPTIONS).expect("an image");
    assert_eq!(metadata.ahead, 0);
    // Inodes of holes are longer than those of data (the extended form), and there is the empty last fragment block.
    assert!(stats.inline <= metadata.inline, "{stats:?} {metadata:?}");
    assert!(stats.ahead > 100, "{stats:?}");
}

#[test]
fn two_images_of_one_tree_are_identical() {
    let tree = tree();
    let (first, stats) = write(&plan_of(tree.path()), &OPTIONS).expect("an image");
    let (second, _) = write(&plan_of(tree.path()), &OPTIONS).expect("an image");
    assert!(first == second);
    assert_eq!(stats.length % 4096, 0);
    assert_eq!(stats.length, first.len() as u64);
}

#[test]
fn a_copy_of_the_tree_gives_the_same_image() {
    let tree = tree();
    let copy = TempDir::new().expect("a directory");
    succeed(Command::new("cp").arg("-a").arg("-T").arg(tree.path()).arg(copy.path()));
    let (first, _) = write(&plan_of(tree.path()), &OPTIONS).expect("an image");
    let (second, _) = write(&plan_of(copy.path()), &OPTIONS).expect("an image");
    assert!(first == second);
}

#[test]
fn unsquashfs_gives_the_tree_back() {
    if skip_without_tool("unsquashfs") || skip_without_root() {
        return;
    }
    let tree = tree();
    let out = TempDir::new().expect("a directory");
    for block_size in [4096, 8192, 131_072] {
        let (bytes, _) = write(&plan_of(tree.path()), &ImageOptions { block_size, ..OPTIONS }).expect("an image");
        let file = out.path().join("image");
        fs::write(&file, &bytes).expect("room");
        let unpacked = out.path().join(format!("unpacked-{block_size}"));
        succeed(
            Command::new("unsquashfs")
                .arg("-no-progress")
                .arg("-d")
                .arg(&unpacked)
                .arg(&file),
        );
        assert_eq!(describe(&unpacked), describe(tree.path()), "blocks of {block_size}");
    }
}

#[test]
fn the_kernel_mounts_the_tree() {
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let there = filesystems.contains("squashfs") && Path::new("/dev/loop-control").exists();
    if skip_without_root() || skip("loop", there) {
        return;
    }
    let tree = tree();
    let out = TempDir::new().expect("a directory");
    let (bytes, _) = write(&plan_of(tree.path()), &OPTIONS).expect("an image");
    let file = out.path().join("image");
    fs::write(&file, &bytes).expect("room");
    let target = out.path().join("mounted");
    fs::create_dir(&target).expect("a directory");
    succeed(
        Command::new("mount")
            .args(["-t", "squashfs", "-o", "ro,loop"])
            .arg(&file)
            .arg(&target),
    );
    let mounted = std::panic::catch_unwind(|| describe(&target));
    succeed(Command::new("umount").arg(&target));
    assert_eq!(mounted.expect("readable"), describe(tree.path()));
}

#[test]
fn a_duplicate_at_the_end_leaves_nothing_in_the_image() {
    let tree = tree();
    let rootfs = Rootfs::open(tree.path()).expect("a directory");
    let mut out = Cursor::new(Vec::new());
    let stats = image::write(&plan_of(tree.path()), &rootfs, &mut out, &OPTIONS, &mut |_| ()).expect("an image");
    assert!(
        out.get_ref().len() as u64 > stats.length,
        "the tree has no such duplicate"
    );
}

#[test]
fn times_are_clamped_to_the_epoch() {
    let tree = tree();
    let epoch = 500_000;
    let options = ImageOptions {
        epoch: Some(epoch),
        ..OPTIONS
    };
    let (bytes, _) = write(&plan_of(tree.path()), &options).expect("an image");
    assert_eq!(bytes[8..12], epoch.to_le_bytes(), "time of the image");
    if skip_without_tool("unsquashfs") || skip_without_root() {
        return;
    }
    let out = TempDir::new().expect("a directory");
    fs::write(out.path().join("image"), &bytes).expect("room");
    let unpacked = out.path().join("unpacked");
    succeed(
        Command::new("unsquashfs")
            .arg("-no-progress")
            .arg("-d")
            .arg(&unpacked)
            .arg(out.path().join("image")),
    );
    for (name, expected) in [
        ("sizes/1", 1),
        ("", 86_400),
        ("many", 500_000),
        ("odd/relative", 500_000),
    ] {
        let metadata = fs::symlink_metadata(unpacked.join(name)).expect("unpacked");
        assert_eq!(metadata.mtime(), expected, "{name}");
    }
}

#[test]
fn synthetic_entries_come_from_the_plan() {
    if skip_without_tool("unsquashfs") {
        return;
    }
    let tree = TempDir::new().expect("a directory");
    let mut plan = plan_of(tree.path());
    for (path, node) in [
        ("/etc", Node::Directory),
        (
            "/etc/passwd",
            Node::Synthetic {
                contents: b"root:x:0:0::/:/bin/sh\n".to_vec(),
            },
        ),
    ] {
        let entry = Entry {
            node,
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            reason: common::reason(),
        };
        plan.entries.insert(RootPath::new(path), entry);
    }
    let (bytes, stats) = write(&plan, &OPTIONS).expect("an image");
    assert_eq!((stats.entries, stats.files, stats.unpacked_size), (3, 1, 22));
    let out = TempDir::new().expect("a directory");
    fs::write(out.path().join("image"), &bytes).expect("room");
    let cat = succeed(
        Command::new("unsquashfs")
            .arg("-cat")
            .arg(out.path().join("image"))
            .arg("etc/passwd"),
    );
    assert_eq!(cat.stdout, b"root:x:0:0::/:/bin/sh\n");
}

#[test]
fn an_empty_root_is_an_image() {
    if skip_without_tool("unsquashfs") {
        return;
    }
    let tree = TempDir::new().expect("a directory");
    let out = TempDir::new().expect("a directory");
    let (bytes, stats) = write(&plan_of(tree.path()), &OPTIONS).expect("an image");
    assert_eq!((stats.entries, stats.files, stats.unpacked_size), (1, 0, 0));
    fs::write(out.path().join("image"), &bytes).expect("room");
    succeed(Command::new("unsquashfs").arg("-ll").arg(out.path().join("image")));
}

#[test]
fn a_changed_file_is_an_error() {
    for (change, found) in [(&b"grown longer than planned"[..], 25), (b"", 0)] {
        let tree = TempDir::new().expect("a directory");
        put(tree.path(), "a", &noise(1, 3 * BLOCK));
        put(tree.path(), "b", b"as planned");
        let plan = plan_of(tree.path());
        put(tree.path(), "b", change);
        let error = write(&plan, &OPTIONS).expect_err("changed");
        assert!(
            matches!(&error, ImageError::Changed { path, planned: 10, found: now } if path.as_bytes() == b"/b" && *now == found),
            "{error}"
        );
    }
}

#[test]
fn a_link_that_backhand_cannot_write_is_an_error() {
    let tree = TempDir::new().expect("a directory");
    symlink("x".repeat(256), tree.path().join("long")).expect("a link");
    let error = write(&plan_of(tree.path()), &OPTIONS).expect_err("too long");
    assert!(matches!(error, ImageError::LinkTarget { length: 256, .. }), "{error}");
}

#[test]
fn a_file_that_is_gone_is_an_error() {
    let tree = TempDir::new().expect("a directory");
    put(tree.path(), "a", &noise(1, 30 * BLOCK));
    put(tree.path(), "b", b"as planned");
    let plan = plan_of(tree.path());
    fs::remove_file(tree.path().join("b")).expect("there");
    let error = write(&plan, &OPTIONS).expect_err("gone");
    assert!(matches!(error, ImageError::Open(_)), "{error}");
    assert_eq!(error.to_string(), "/b: No such file or directory");
}

/// A disk with room for so many bytes.
struct Disk {
    position: u64,
    room: u64,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.position + bytes.len() as u64;
        if end > self.room {
            return Err(io::Error::from_raw_os_error(nix::libc::ENOSPC));
        }
        self.position = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(position) => self.position = position,
            SeekFrom::Current(0) => {}
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(self.position)
    }
}

#[test]
fn a_full_disk_is_told_wherever_it_is_met() {
    let tree = tree();
    let plan = plan_of(tree.path());
    let rootfs = Rootfs::open(&plan.rootfs).expect("a directory");
    let whole = write(&plan, &OPTIONS).expect("an image").1.length;
    for room in [0, 1000, whole / 2, whole - 9000, whole - 1] {
        let disk = Disk { position: 0, room };
        let error = image::write(&plan, &rootfs, disk, &OPTIONS, &mut |_| ()).expect_err("full");
        assert!(
            matches!(&error, ImageError::Write(error) if error.raw_os_error() == Some(nix::libc::ENOSPC)),
            "{room} of {whole}: {error}"
        );
    }
}

#[test]
fn progress_is_told_of_every_byte() {
    let tree = tree();
    let plan = plan_of(tree.path());
    let rootfs = Rootfs::open(&plan.rootfs).expect("a directory");
    let mut told = 0;
    let stats = image::write(&plan, &rootfs, Cursor::new(Vec::new()), &OPTIONS, &mut |bytes| {
        told += bytes
    });
    assert_eq!(told, stats.expect("an image").unpacked_size);
}
