//! Trees that are made, and links that are not followed.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("polecat-tree-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn links_are_not_followed() {
    let path = scratch("links");
    fs::create_dir(path.join("outside")).unwrap();
    fs::create_dir(path.join("inside")).unwrap();
    symlink(path.join("outside"), path.join("inside/link")).unwrap();
    symlink("../outside/file", path.join("inside/name")).unwrap();
    let mut tree = Tree::open(&path.join("inside")).unwrap();
    assert_eq!(
        tree.file(Path::new("/link/file"), b"x").unwrap_err().errno,
        Errno::ENOTDIR
    );
    assert_eq!(
        tree.directory(Path::new("/link/deep/er"), 0o755).unwrap_err().errno,
        Errno::ENOTDIR
    );
    tree.file(Path::new("/name"), b"x").unwrap();
    tree.directory(Path::new("/link"), 0o700).unwrap();
    assert!(fs::symlink_metadata(path.join("inside/name")).unwrap().is_file());
    assert!(fs::symlink_metadata(path.join("inside/link")).unwrap().is_dir());
    assert_eq!(fs::read_dir(path.join("outside")).unwrap().count(), 0);
    fs::remove_dir_all(&path).unwrap();
}

#[test]
fn directories_over_others_look_like_them() {
    let path = scratch("over");
    fs::create_dir_all(path.join("lower/etc/deep")).unwrap();
    fs::create_dir(path.join("upper")).unwrap();
    fs::set_permissions(path.join("lower/etc"), fs::Permissions::from_mode(0o2750)).unwrap();
    fs::set_permissions(path.join("lower"), fs::Permissions::from_mode(0o711)).unwrap();
    let past = TimeSpec::new(1_000_000, 5);
    for name in ["lower/etc", "lower"] {
        let name = path.join(name);
        stat::utimensat(
            nix::fcntl::AT_FDCWD,
            &name,
            &past,
            &past,
            UtimensatFlags::NoFollowSymlink,
        )
        .unwrap();
    }
    let mut tree = Tree::open_over(&path.join("upper"), &path.join("lower")).unwrap();
    tree.file(Path::new("/etc/hosts"), b"x").unwrap();
    tree.directory(Path::new("/new/er"), 0o1777).unwrap();
    tree.finish().unwrap();
    for (name, mode, time) in [("upper", 0o711, 1_000_000), ("upper/etc", 0o2750, 1_000_000)] {
        let metadata = fs::metadata(path.join(name)).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (mode, time), "{name}");
    }
    assert!(fs::metadata(path.join("upper/new/er")).unwrap().mtime() > 1_000_000);
    fs::remove_dir_all(&path).unwrap();
}

#[test]
fn a_tree_that_is_written_to_keeps_its_times() {
    let path = scratch("times");
    fs::create_dir(path.join("etc")).unwrap();
    fs::write(path.join("etc/hosts"), "old").unwrap();
    let past = TimeSpec::new(1_000_000, 5);
    for name in ["etc", "."] {
        let name = path.join(name);
        stat::utimensat(
            nix::fcntl::AT_FDCWD,
            &name,
            &past,
            &past,
            UtimensatFlags::NoFollowSymlink,
        )
        .unwrap();
    }
    let mut tree = Tree::open(&path).unwrap();
    tree.file(Path::new("/etc/hosts"), b"new").unwrap();
    tree.directory(Path::new("/proc"), 0o555).unwrap();
    tree.finish().unwrap();
    assert_eq!(fs::read_to_string(path.join("etc/hosts")).unwrap(), "new");
    for name in ["etc", "."] {
        assert_eq!(fs::metadata(path.join(name)).unwrap().mtime(), 1_000_000, "{name}");
    }
    fs::remove_dir_all(&path).unwrap();
}

#[test]
fn a_directory_that_something_was_mounted_on_is_entered_anew() {
    let path = scratch("forget");
    let mut tree = Tree::open(&path).unwrap();
    tree.file(Path::new("/dev/pts/x"), b"").unwrap();
    for (covered, kept) in [
        ("/dev/ptsx", true),
        ("/dev/pts/x", true),
        ("/dev/pts", false),
        ("/dev", false),
    ] {
        let before = tree.place(Path::new("/dev/pts/y")).unwrap().parent;
        tree.forget(Path::new(covered));
        let after = tree.place(Path::new("/dev/pts/y")).unwrap().parent;
        assert_eq!(Rc::ptr_eq(&before, &after), kept, "{covered}");
    }
    fs::remove_dir_all(&path).unwrap();
}
