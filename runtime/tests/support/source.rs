//! A tree with everything that an image can hold.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

/// A file of `length` bytes that compress badly, different for each `seed`.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// Fills `root` with every kind of entry but devices. As root with several owners.
pub(crate) fn fill(root: &Path) {
    for (index, length) in [0, 1, 100, 4095, 4096, 4097, 131_072, 131_073, 700_000]
        .into_iter()
        .enumerate()
    {
        fs::write(root.join(format!("noise-{length}")), noise(length, index as u64 + 1)).unwrap();
        fs::write(
            root.join(format!("text-{length}")),
            b"compress me ".repeat(length / 12 + 1),
        )
        .unwrap();
    }
    sparse(&root.join("sparse"));
    names(&root.join("names"));
    links(&root.join("links"));
    modes(&root.join("modes"));
    many(&root.join("many"));
    fs::create_dir_all(root.join("deep").join("d/".repeat(60))).unwrap();
    nix::unistd::mkfifo(&root.join("pipe"), Mode::from_bits_truncate(0o640)).unwrap();
    drop(UnixListener::bind(root.join("socket")).unwrap());
    times(root);
}

fn sparse(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(b"begin").unwrap();
    file.seek(SeekFrom::Start(3_000_000)).unwrap();
    file.write_all(&noise(200_000, 99)).unwrap();
    file.set_len(9_000_000).unwrap();
    File::create(path.with_file_name("hole"))
        .unwrap()
        .set_len(5_000_001)
        .unwrap();
}

fn names(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let long = "n".repeat(255);
    for name in [
        "two\nlines".as_bytes(),
        b"\xff\xfe not UTF-8",
        "größer".as_bytes(),
        b"...",
        b" ",
        long.as_bytes(),
    ] {
        fs::write(directory.join(OsStr::from_bytes(name)), name).unwrap();
    }
}

fn links(directory: &Path) {
    fs::create_dir_all(directory.join("below")).unwrap();
    fs::write(directory.join("first"), "shared").unwrap();
    fs::hard_link(directory.join("first"), directory.join("below/second")).unwrap();
    fs::hard_link(directory.join("first"), directory.join("third")).unwrap();
    symlink("first", directory.join("relative")).unwrap();
    symlink("/etc/passwd", directory.join("absolute")).unwrap();
    symlink("../../../../..", directory.join("up")).unwrap();
    symlink("nowhere", directory.join("dangling")).unwrap();
    symlink("x/".repeat(2000), directory.join("long")).unwrap();
}

fn modes(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let owners = if nix::unistd::geteuid().is_root() {
        vec![(0, 0), (1000, 100), (0, 42), (70_000, 70_001)]
    } else {
        vec![]
    };
    for (index, mode) in [0o644, 0o000, 0o4755, 0o2711, 0o7777, 0o600, 0o555]
        .into_iter()
        .enumerate()
    {
        let path = directory.join(format!("{mode:04o}"));
        fs::write(&path, "x").unwrap();
        own(&path, &owners, index);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    for (index, mode) in [0o755, 0o1777, 0o2775, 0o700, 0o500].into_iter().enumerate() {
        let path = directory.join(format!("directory-{mode:04o}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        own(&path, &owners, index);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    symlink("0644", directory.join("owned link")).unwrap();
    own(&directory.join("owned link"), &owners, 1);
}

fn own(path: &Path, owners: &[(u32, u32)], index: usize) {
    if let Some((uid, gid)) = owners.get(index % owners.len().max(1)) {
        lchown(path, Some(*uid), Some(*gid)).unwrap();
    }
}

fn many(directory: &Path) {
    fs::create_dir(directory).unwrap();
    for number in 0..1500 {
        fs::write(
            directory.join(format!("{number:04} {}", "-".repeat(number % 90))),
            number.to_string(),
        )
        .unwrap();
    }
}

/// Times from 1970 to 2106, directories last.
fn times(directory: &Path) {
    let mut entries: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for (index, path) in entries.iter().enumerate() {
        if path.is_dir() && !path.is_symlink() {
            times(path);
        }
        let seconds = [0, 1, 1_700_000_000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff][index % 6];
        let time = TimeSpec::new(seconds, 0);
        utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink).unwrap();
    }
}
