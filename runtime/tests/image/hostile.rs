//! Images that were signed and are not sound: whoever signs may be careless, or not to be trusted.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use runtime::image::unpack::{UnpackError, unpack};
use runtime::image::{OwnerMap, VerifiedImage};

use crate::mounts::{Outside, apart};
use crate::support::bundles::{seal, squashfs};
use crate::support::needs::skip;

/// A tree whose listings can be rewritten: `link` leads out of it, and the directories beside it have files.
fn make_source(source: &Path, outside: &Path) {
    fs::create_dir_all(source.join("lin0")).unwrap();
    fs::create_dir_all(source.join("linl/nested")).unwrap();
    symlink(outside, source.join("link")).unwrap();
    for file in ["lin0/planted", "linl/planted", "linl/nested/planted", "zz"] {
        fs::write(source.join(file), "planted").unwrap();
    }
}

/// The image of `source`, stored, with `change` made to its bytes and signed all the same.
fn hostile(directory: &Path, change: impl FnOnce(&mut [u8])) -> VerifiedImage {
    let image = directory.join("image");
    squashfs(&directory.join("source"), &image, &["-noI", "-noD", "-noF"]);
    let mut bytes = fs::read(&image).unwrap();
    change(&mut bytes);
    fs::write(&image, bytes).unwrap();
    seal(&image, &directory.join("hostile.run")).verified().image()
}

/// Where the entry `name` of a listing is: behind its offset, number, type and the length of its name less one.
fn entry(bytes: &[u8], name: &[u8]) -> usize {
    let length = u16::try_from(name.len() - 1).unwrap().to_le_bytes();
    let pattern = [&length, name].concat();
    let found: Vec<usize> = (0..bytes.len() - pattern.len())
        .filter(|&at| bytes[at..].starts_with(&pattern))
        .collect();
    assert_eq!(found.len(), 1, "{name:?}");
    found[0] - 6
}

fn rename(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = entry(bytes, from) + 8;
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// Makes the entry `name` the root directory.
fn lead_back_to_the_root(bytes: &mut [u8], name: &[u8]) {
    let root = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
    assert_eq!(root >> 16, 0, "one metadata block");
    let at = entry(bytes, name);
    bytes[at..at + 2].copy_from_slice(&u16::try_from(root).unwrap().to_le_bytes());
}

struct Stage {
    directory: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stage = Self { directory };
        fs::create_dir(stage.path("outside")).unwrap();
        make_source(&stage.path("source"), &stage.path("outside"));
        fs::create_dir(stage.path("target")).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn unpack(&self, change: impl FnOnce(&mut [u8])) -> Result<(), UnpackError> {
        let image = hostile(self.directory.path(), change);
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        unpack(&image, &self.path("target"), OwnerMap::Caller { uid, gid })
    }

    /// Everything that lies where nothing should.
    fn assert_nothing_escaped(&self) {
        assert_eq!(fs::read_dir(self.path("outside")).unwrap().count(), 0);
        let mut names: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["hostile.run", "image", "outside", "source", "target"]);
    }
}

#[test]
fn names_cannot_leave_the_target() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let cases: [(&[u8], &[u8]); 6] = [
        // A directory in the place of the link that was just unpacked, behind it and before it.
        (b"linl", b"link"),
        (b"lin0", b"link"),
        (b"zz", b".."),
        (b"linl", b"li/l"),
        (b"linl", b"/tmp"),
        (b"linl", b"li\0l"),
    ];
    for (from, to) in cases {
        let stage = Stage::new();
        let error = stage.unpack(|bytes| rename(bytes, from, to)).unwrap_err();
        let sound = matches!(error, UnpackError::Duplicate { .. } | UnpackError::Image { .. });
        assert!(
            sound,
            "{:?} for {:?}: {error}",
            OsStr::from_bytes(to),
            OsStr::from_bytes(from)
        );
        assert!(error.hint().is_some());
        stage.assert_nothing_escaped();
    }
    // And the same tree as it was.
    let stage = Stage::new();
    stage.unpack(|_| ()).unwrap();
    assert_eq!(fs::read(stage.path("target/linl/nested/planted")).unwrap(), b"planted");
    stage.assert_nothing_escaped();
}

#[test]
fn a_directory_in_itself_is_refused() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let stage = Stage::new();
    let error = stage
        .unpack(|bytes| lead_back_to_the_root(bytes, b"nested"))
        .unwrap_err();
    assert!(
        matches!(&error, UnpackError::Cycle { path } if path == Path::new("/linl/nested")),
        "{error}"
    );
    stage.assert_nothing_escaped();
}

#[test]
fn fuse_shows_no_directory_in_itself() {
    if skip(&["root", "fuse", "tool:mksquashfs"]) {
        return;
    }
    let stage = Stage::new();
    let image = hostile(stage.directory.path(), |bytes| lead_back_to_the_root(bytes, b"nested"));
    let outside = Outside::new();
    apart(|| {
        let target = stage.path("target");
        let served = outside.serve(image, &target, OwnerMap::AsStored);
        let error = fs::read_dir(target.join("linl/nested")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        assert_eq!(fs::read(target.join("linl/planted")).unwrap(), b"planted");
        let ended = served.end();
        assert!(ended.result.is_ok() && ended.reports.is_empty(), "{ended:?}");
    });
}

/// Every field of the metadata in turn: an error or a tree, and a server that is still there.
#[test]
fn wrong_metadata_ends_no_server() {
    if skip(&["root", "fuse", "tool:mksquashfs"]) {
        return;
    }
    let stage = Stage::new();
    let outside = Outside::new();
    let target = stage.path("target");
    let length = fs::metadata({
        squashfs(&stage.path("source"), &stage.path("image"), &["-noI", "-noD", "-noF"]);
        stage.path("image")
    })
    .unwrap()
    .len();
    for at in (96..usize::try_from(length).unwrap().min(900)).step_by(5) {
        let image = hostile(stage.directory.path(), |bytes| bytes[at] = !bytes[at]);
        apart(|| {
            let served = outside.serve(image, &target, OwnerMap::AsStored);
            crate::support::snapshot::take_at_most(&target, 2000);
            assert!(served.is_there(), "byte {at}");
            let ended = served.end();
            assert!(ended.result.is_ok() && ended.reports.is_empty(), "byte {at}: {ended:?}");
        });
    }
}
