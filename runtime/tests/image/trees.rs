//! The three trees are the tree that was packed.

use std::fs;
use std::path::Path;
use std::sync::Barrier;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use runtime::image::unpack::{UnpackError, unpack};
use runtime::image::{OwnerMap, kernel_loop};

use crate::mounts::{Outside, apart};
use crate::support::bundles::{self, Packed};
use crate::support::needs::skip;
use crate::support::snapshot::{Snapshot, assert_same, hard_links, take};
use crate::support::source;

const PACKED_WITH: [&[&str]; 3] = [&[], &["-b", "4096", "-no-fragments"], &["-noI", "-noD", "-noF"]];

/// A source tree, its bundle, and an empty directory.
struct Case {
    directory: tempfile::TempDir,
    packed: Packed,
    expected: Snapshot,
}

impl Case {
    fn new(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        fs::create_dir(&source).unwrap();
        source::fill(&source);
        fs::create_dir(directory.path().join("target")).unwrap();
        let packed = bundles::pack(&source, directory.path(), options);
        let expected = take(&source);
        Self {
            directory,
            packed,
            expected,
        }
    }

    fn source(&self) -> std::path::PathBuf {
        self.directory.path().join("source")
    }

    fn target(&self) -> std::path::PathBuf {
        self.directory.path().join("target")
    }
}

#[test]
fn kernel_mount_is_the_source() {
    if skip(&["root", "loop", "tool:mksquashfs"]) {
        return;
    }
    for options in PACKED_WITH {
        let case = Case::new(options);
        apart(|| {
            kernel_loop::mount(&case.packed.verified().image(), Path::new("/dev"), &case.target()).unwrap();
            assert_same(&format!("kernel, {options:?}"), &take(&case.target()), &case.expected);
            assert_eq!(hard_links(&case.target()), hard_links(&case.source()));
            let error = fs::write(case.target().join("new"), "").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EROFS));
        });
        assert_no_loop_device(&case.packed.path);
    }
}

#[test]
fn fuse_mount_is_the_source() {
    if skip(&["root", "fuse", "tool:mksquashfs"]) {
        return;
    }
    for options in PACKED_WITH {
        let case = Case::new(options);
        let outside = Outside::new();
        apart(|| {
            let target = case.target();
            let served = outside.serve(case.packed.verified().image(), &target, OwnerMap::AsStored);
            assert_same(&format!("FUSE, {options:?}"), &take(&target), &case.expected);
            assert_same(&format!("FUSE again, {options:?}"), &take(&target), &case.expected);
            assert_eq!(hard_links(&target), hard_links(&case.source()));
            let error = fs::write(target.join("new"), "").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EROFS));
            for name in ["absent", "absent", &"n".repeat(256)] {
                let error = fs::symlink_metadata(target.join(name)).unwrap_err();
                let expected = if name.len() > 255 {
                    [libc::ENAMETOOLONG, libc::ENOENT]
                } else {
                    [libc::ENOENT; 2]
                };
                assert!(expected.contains(&error.raw_os_error().unwrap()), "{name}: {error}");
            }
            let ended = served.end();
            assert!(ended.result.is_ok() && ended.reports.is_empty(), "{ended:?}");
        });
    }
}

/// Enough reads at once for the server to call its workers.
#[test]
fn many_readers_get_what_each_asked_for() {
    if skip(&["root", "fuse", "tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("source")).unwrap();
    fs::create_dir(path.join("target")).unwrap();
    let names: Vec<String> = (0..24).map(|number| format!("file-{number}")).collect();
    for (seed, name) in names.iter().enumerate() {
        fs::write(path.join("source").join(name), source::noise(900_000, seed as u64 + 1)).unwrap();
    }
    let packed = bundles::pack(&path.join("source"), path, &[]);
    let outside = Outside::new();
    apart(|| {
        let target = path.join("target");
        let served = outside.serve(packed.verified().image(), &target, OwnerMap::AsStored);
        std::thread::scope(|scope| {
            for part in names.chunks(3) {
                let target = &target;
                scope.spawn(move || {
                    for name in part {
                        assert!(
                            fs::read(target.join(name)).unwrap() == fs::read(path.join("source").join(name)).unwrap()
                        );
                    }
                });
            }
        });
        let ended = served.end();
        assert!(ended.result.is_ok() && ended.reports.is_empty(), "{ended:?}");
    });
}

#[test]
fn unpacked_tree_is_the_source() {
    if skip(&["root", "tool:mksquashfs"]) {
        return;
    }
    for options in PACKED_WITH {
        let case = Case::new(options);
        unpack(&case.packed.verified().image(), &case.target(), OwnerMap::AsStored).unwrap();
        assert_same(&format!("unpacked, {options:?}"), &take(&case.target()), &case.expected);
        assert_eq!(hard_links(&case.target()), hard_links(&case.source()));
        let hole = fs::metadata(case.target().join("hole")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::blocks(&hole), 0, "holes stay holes");
    }
}

#[test]
fn unpacking_wants_an_empty_directory() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "new").unwrap();
    let packed = bundles::pack(&source, directory.path(), &[]);
    let image = packed.verified().image();
    let owner = OwnerMap::Caller {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    };

    let full = directory.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("file"), "old").unwrap();
    assert!(matches!(
        unpack(&image, &full, owner),
        Err(UnpackError::TargetNotEmpty { .. })
    ));
    assert_eq!(fs::read(full.join("file")).unwrap(), b"old");

    let missing = directory.path().join("missing");
    unpack(&image, &missing, owner).unwrap();
    assert_eq!(fs::read(missing.join("file")).unwrap(), b"new");

    let parentless = directory.path().join("none/missing");
    assert!(matches!(
        unpack(&image, &parentless, owner),
        Err(UnpackError::Target { .. })
    ));
    assert!(matches!(
        unpack(&image, &full.join("file"), owner),
        Err(UnpackError::Target { .. })
    ));
}

#[test]
fn a_full_disk_is_said() {
    if skip(&["root", "tool:mksquashfs"]) {
        return;
    }
    let case = Case::new(&[]);
    apart(|| {
        let target = case.target();
        let flags = MsFlags::empty();
        mount(Some("tmpfs"), &target, Some("tmpfs"), flags, Some("size=256k")).unwrap();
        let error = unpack(&case.packed.verified().image(), &target, OwnerMap::AsStored).unwrap_err();
        assert!(error.to_string().ends_with(": No space left on device"), "{error}");
        assert!(error.hint().unwrap().contains("make room"), "{error:?}");
    });
}

#[test]
fn devices_are_not_unpacked() {
    if skip(&["root", "tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    let packed = bundles::pack(&source, directory.path(), &["-p", "null c 666 0 0 1 3"]);
    let error = unpack(
        &packed.verified().image(),
        &directory.path().join("target"),
        OwnerMap::AsStored,
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "unpack /null: devices are refused");
}

/// Deeper than a process may have descriptors, and than a path may be long.
#[test]
fn depth_costs_no_descriptors() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::create_dir_all(source.join("d/".repeat(1900))).unwrap();
    let packed = bundles::pack(&source, directory.path(), &[]);
    let target = directory.path().join("target");
    let owner = OwnerMap::Caller {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    };
    unpack(&packed.verified().image(), &target, owner).unwrap();
    assert!(target.join("d/".repeat(1900)).is_dir());
}

/// A `/dev` made by hand has a few nodes, and the kernel's free device may not be among them.
#[test]
fn loop_nodes_that_are_there_are_used() {
    if skip(&["root", "loop", "tool:mksquashfs"]) {
        return;
    }
    let case = Case::new(&[]);
    apart(|| {
        // Nodes work only where the file system is not mounted nodev, as /tmp may be.
        let dev = case.directory.path().join("dev");
        fs::create_dir(&dev).unwrap();
        mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        let node = |name: &str, kind, major, minor| {
            mknod(
                &dev.join(name),
                kind,
                Mode::S_IRUSR | Mode::S_IWUSR,
                makedev(major, minor),
            )
            .unwrap();
        };
        node("loop-control", SFlag::S_IFCHR, 10, 237);
        let image = case.packed.verified().image();
        let error = kernel_loop::mount(&image, &dev, &case.target()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("open ") && text.ends_with(": No such file or directory"),
            "{text}"
        );
        assert!(error.hint().unwrap().contains("devtmpfs"), "{error:?}");

        // The kernel names the lowest one that is free.
        for minor in 3..8 {
            node(&format!("loop{minor}"), SFlag::S_IFBLK, 7, minor);
        }
        kernel_loop::mount(&image, &dev, &case.target()).unwrap();
        assert_eq!(fs::read(case.target().join("links/first")).unwrap(), b"shared");
    });
    assert_no_loop_device(&case.packed.path);
}

#[test]
fn fifty_loop_mounts_at_once() {
    if skip(&["root", "loop", "tool:mksquashfs"]) {
        return;
    }
    const STARTS: usize = 50;
    let case = Case::new(&[]);
    let (mounted, leave) = (Barrier::new(STARTS + 1), Barrier::new(STARTS + 1));
    std::thread::scope(|scope| {
        let start = || {
            apart(|| {
                let target = case.target();
                let result = kernel_loop::mount(&case.packed.verified().image(), Path::new("/dev"), &target);
                let read = fs::read(target.join("links/first"));
                mounted.wait();
                leave.wait();
                result.unwrap();
                assert_eq!(read.unwrap(), b"shared");
            });
        };
        let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
        mounted.wait();
        let held = loop_devices_of(&case.packed.path).len();
        leave.wait();
        for start in starts {
            start.join().unwrap();
        }
        assert_eq!(held, STARTS);
    });
    assert_no_loop_device(&case.packed.path);
}

/// The loop devices that show `file`.
fn loop_devices_of(file: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().map(|entry| entry.unwrap().path());
    let shows = |device: &Path| fs::read_to_string(device.join("loop/backing_file")).unwrap_or_default();
    let file = file.to_str().unwrap();
    devices
        .filter(|device| shows(device).trim_end() == file)
        .map(|device| device.display().to_string())
        .collect()
}

/// The kernel lets go of a namespace's mounts a moment after its last thread has ended.
pub(crate) fn assert_no_loop_device(file: &Path) {
    for _ in 0..200 {
        if loop_devices_of(file).is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("left behind: {:?}", loop_devices_of(file));
}
