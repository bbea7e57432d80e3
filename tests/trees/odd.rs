//! A tree of what file systems allow and few programs expect.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{self as unix, FileExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use support::Scratch;
use support::roots::compile;

/// A block of the image, as the packer makes them by default.
const BLOCK: usize = 128 << 10;

/// A root file system with the lister in `/bin` and oddities in `/odd`. Needs root, for the owners.
pub(crate) fn make(scratch: &Scratch) -> PathBuf {
    let root = scratch.directory("odd-root");
    compile("tree.c", &scratch.directory("odd-root/bin").join("tree"));
    let odd = scratch.directory("odd-root/odd");
    names(&odd);
    sizes(&odd);
    links(&odd);
    modes_and_owners(scratch, &odd);
    times(&odd);
    many(&odd);
    root
}

fn write(path: &Path, contents: &[u8]) {
    fs::write(path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn directory(path: &Path) -> &Path {
    fs::create_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

fn names(odd: &Path) {
    let names = directory(&odd.join("names")).to_owned();
    let odd_names: [&[u8]; 12] = [
        b" ",
        b"a space",
        b"new\nline",
        b"tab\t",
        b"\x01\x02",
        b"\xff\xfe",
        "\u{fc}\u{4e16}".as_bytes(),
        b"back\\slash",
        b"*?[]{}",
        b"-rf",
        b"...",
        b"quote'\"",
    ];
    for name in odd_names {
        write(&names.join(OsStr::from_bytes(name)), name);
    }
    write(&names.join("n".repeat(255)), b"long");
    let deep = (0..60).fold(names.join("deep"), |path, level| path.join(format!("level-{level}")));
    write(&directory(&deep).join("bottom"), b"bottom");
    directory(&names.join("empty"));
}

fn sizes(odd: &Path) {
    let sizes = directory(&odd.join("sizes")).to_owned();
    for size in [0, 1, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
        let contents: Vec<u8> = (0..size)
            .map(|index| u8::try_from(index * index % 251).expect("a byte"))
            .collect();
        write(&sizes.join(format!("{size:07}")), &contents);
        write(&sizes.join(format!("{size:07}-again")), &contents);
        write(&sizes.join(format!("{size:07}-zeros")), &vec![0; size]);
    }
    let hole = File::create(sizes.join("hole")).expect("a file");
    hole.write_all_at(b"end", 5 << 20).expect("a file");
    hole.write_all_at(b"middle", 2 << 20).expect("a file");
}

fn links(odd: &Path) {
    let links = directory(&odd.join("links")).to_owned();
    write(&links.join("file"), b"linked");
    // The longest that the writer takes.
    let long = "t".repeat(255);
    let targets = [
        ("to-file", "file"),
        ("dangling", "nowhere"),
        ("loop", "loop"),
        ("absolute", "/odd/links/file"),
        ("long", &long),
    ];
    for (name, target) in targets {
        unix::symlink(target, links.join(name)).expect("a link");
    }
    unix::symlink(OsStr::from_bytes(b"\xff\n"), links.join("odd-target")).expect("a link");
    fs::hard_link(links.join("file"), links.join("second-name")).expect("a link");
}

fn modes_and_owners(scratch: &Scratch, odd: &Path) {
    let modes = directory(&odd.join("modes")).to_owned();
    for mode in [0o000, 0o400, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o7777] {
        let file = modes.join(format!("file-{mode:04o}"));
        write(&file, b"mode");
        scratch.permit(&file, mode);
        let inner = modes.join(format!("directory-{mode:04o}"));
        directory(&inner);
        scratch.permit(&inner, mode);
    }
    for id in [0, 1, 1000, 65_533, 65_534, 65_536, 0x7fff_fffe] {
        let file = odd.join(format!("owner-{id}"));
        write(&file, b"owner");
        unix::chown(&file, Some(id), Some(id / 2)).expect("another owner");
        unix::symlink("owner", odd.join(format!("link-of-{id}"))).expect("a link");
        unix::lchown(odd.join(format!("link-of-{id}")), Some(id), Some(id / 2)).expect("another owner");
    }
}

fn times(odd: &Path) {
    let times = directory(&odd.join("times")).to_owned();
    for seconds in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
        let file = times.join(format!("at-{seconds}"));
        write(&file, b"time");
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, 123_456_789);
        File::options()
            .write(true)
            .open(&file)
            .and_then(|file| file.set_modified(time))
            .expect("a time");
    }
}

/// More names than one block of a directory's listing holds.
fn many(odd: &Path) {
    let many = directory(&odd.join("many")).to_owned();
    for index in 0..3000 {
        write(
            &many.join(format!("a-file-with-a-name-of-some-length-{index:05}")),
            index.to_string().as_bytes(),
        );
    }
}
