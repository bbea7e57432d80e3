//! The tree that images are made of: something of every kind.

use crate::requirement::run_says;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Entries of the directory that has many: many runs, several metadata blocks, and an index.
pub(crate) const MANY: u32 = 5000;

/// A symbolic link with a target of 4000 bytes.
pub(crate) const LONG_LINK: &[u8] = b"specials/long link";

/// Directories below each other.
const DEEP: u32 = 120;

/// Bytes that compress, if not well, and differ from file to file.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3] & 0x3f
    };
    (0..length).map(|_| next()).collect()
}

/// Makes the tree below `root`. Needs to be root, for owners and devices.
pub(crate) fn make(root: &Path) {
    files(&root.join("files"));
    many(&root.join("many"));
    deep(&root.join("deep"));
    names(&root.join("names"));
    specials(&root.join("specials"));
    fs::create_dir(root.join("empty directory")).expect("empty directory");
    owners_and_modes(root);
    times(root);
}

fn files(dir: &Path) {
    fs::create_dir(dir).expect("files");
    let sizes = [4096, 128 << 10, 1 << 20]
        .into_iter()
        .flat_map(|block: usize| [block - 1, block, block + 1]);
    for (seed, size) in [0, 1, 4095, 300_000, 3_000_000].into_iter().chain(sizes).enumerate() {
        fs::write(dir.join(format!("{size}-bytes-{seed}")), bytes(seed as u64, size)).expect("file");
    }
    // Nothing to compress: blocks that are stored as they are.
    let noise: Vec<u8> = bytes(77, 400_000)
        .chunks_exact(4)
        .map(|four| four[0] ^ four[1] << 2 ^ four[2] << 4)
        .collect();
    fs::write(dir.join("noise"), noise).expect("noise");
    fs::write(dir.join("twin-a"), bytes(5, 500_000)).expect("twin");
    fs::write(dir.join("twin-b"), bytes(5, 500_000)).expect("twin");

    let sparse = File::create(dir.join("sparse")).expect("sparse");
    sparse.write_all_at(&bytes(6, 10_000), 5 << 20).expect("an island");
    sparse.write_all_at(b"the end", (9 << 20) + 12_345).expect("a tail");
    File::create(dir.join("hole"))
        .and_then(|hole| hole.set_len(3 << 20))
        .expect("hole");
    File::create(dir.join("hole-and-a-bit"))
        .and_then(|hole| hole.set_len((3 << 20) + 1))
        .expect("hole");

    for number in 1..4 {
        fs::hard_link(dir.join("noise"), dir.join(format!("noise-link-{number}"))).expect("hard link");
    }
}

fn many(dir: &Path) {
    fs::create_dir(dir).expect("many");
    for number in 0..MANY {
        fs::write(dir.join(format!("entry {number} of many")), number.to_string()).expect("one of many");
    }
}

fn deep(dir: &Path) {
    let mut path = dir.to_path_buf();
    for level in 0..DEEP {
        fs::create_dir(&path).expect("level");
        fs::write(path.join("level"), level.to_string()).expect("level");
        path.push("d");
    }
}

fn names(dir: &Path) {
    fs::create_dir(dir).expect("names");
    let longest = [b'n'; 255];
    let names: [&[u8]; 14] = [
        b" ",
        b"new\nline",
        b"\xff\xfe not UTF-8 \x80",
        b"\x01",
        b"...",
        b".hidden",
        b"-rf",
        b"back\\slash",
        b"*?[]",
        b"a",
        b"aa",
        b"B",
        "größer".as_bytes(),
        &longest,
    ];
    for (seed, name) in names.into_iter().enumerate() {
        fs::write(dir.join(OsStr::from_bytes(name)), bytes(seed as u64 + 100, 50)).expect("name");
    }
}

fn specials(dir: &Path) {
    fs::create_dir(dir).expect("specials");
    symlink("../files/noise", dir.join("link")).expect("link");
    symlink("/no/such/place", dir.join("dangling")).expect("link");
    symlink(OsStr::from_bytes(&[b'/'; 4000]), dir.join("long link")).expect("link");
    symlink(OsStr::from_bytes(b"\xff\n"), dir.join("odd link")).expect("link");
    fs::hard_link(dir.join("link"), dir.join("second name of link")).expect("hard link");
    UnixListener::bind(dir.join("socket")).expect("socket");
    let path = |name: &str| dir.join(name).to_str().expect("a path of ours").to_owned();
    run_says("mkfifo", &[&path("fifo")]);
    run_says("mknod", &[&path("null"), "c", "1", "3"]);
    run_says("mknod", &[&path("block"), "b", "4095", "1048575"]);
    run_says("mknod", &[&path("char"), "c", "259", "70000"]);
}

fn owners_and_modes(root: &Path) {
    let mode = |path: &str, mode| fs::set_permissions(root.join(path), Permissions::from_mode(mode)).expect("mode");
    // chown(2) clears the set-id bits, so owners first.
    for (path, uid, gid) in [
        ("files", 1000, 1000),
        ("files/noise", 4_294_967_294, 0),
        ("specials/link", 7, 4_000_000_000),
        ("names/a", 70_000, 65_535),
        ("specials/fifo", 3, 4),
        ("specials/null", 0, 5),
    ] {
        lchown(root.join(path), Some(uid), Some(gid)).expect("owner");
    }
    for number in 0..MANY {
        if number % 2 == 1 {
            lchown(
                root.join(format!("many/entry {number} of many")),
                Some(10_000 + number),
                Some(number),
            )
            .expect("owner");
        }
    }
    for (path, bits) in [
        ("", 0o751),
        ("files/noise", 0o6755),
        ("files", 0o1777),
        ("many", 0o2775),
        ("names/a", 0),
        ("names/aa", 0o7777),
        ("specials/null", 0o666),
        ("empty directory", 0o700),
    ] {
        mode(path, bits);
    }
}

fn times(root: &Path) {
    for (path, seconds) in [
        ("files/noise", 0),
        ("names/a", 1),
        ("names/aa", 2_147_483_648),
        ("names/B", 4_294_967_295),
        ("many", 3_000_000_000),
        ("", 1_234_567_890),
    ] {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        let times = FileTimes::new().set_modified(time);
        File::open(root.join(path))
            .and_then(|file| file.set_times(times))
            .expect("times");
    }
    run_says(
        "touch",
        &[
            "-h",
            "-d",
            "@86400",
            root.join("specials/link").to_str().expect("a path of ours"),
        ],
    );
}
