use super::*;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn who_may_put_something_else_in_our_place() {
    for (mode, owner, safe) in [
        (0o755, 7, true),
        (0o755, 0, true),
        (0o1777, 0, true),
        (0o775, 7, false),
        (0o755, 8, false),
        (0o777, 7, false),
        (0o777, 0, false),
        (0o1775, 7, true),
    ] {
        assert_eq!(is_safe(mode, owner, 7), safe, "{mode:o} {owner}");
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_above_is_judged_too() {
    let scratch = tempfile::tempdir().unwrap();
    let base = scratch.path().join("open/base");
    fs::create_dir_all(&base).unwrap();
    set_mode(&base, 0o755);
    for (mode, safe) in [(0o755, true), (0o775, false), (0o757, false), (0o1777, true)] {
        set_mode(base.parent().unwrap(), mode);
        let opened = OwnDirectory::open(&base, true);
        assert_eq!(opened.is_ok(), safe, "{mode:o}: {opened:?}");
        assert!(
            matches!(opened, Ok(_) | Err(OwnDirectoryError::Foreign(_))),
            "{opened:?}"
        );
    }
}

#[test]
fn bits_that_are_handed_down_do_no_harm() {
    let scratch = tempfile::tempdir().unwrap();
    set_mode(scratch.path(), 0o2755);
    let place = OwnDirectory::open(scratch.path(), true).unwrap();
    place.sweep().unwrap();
    assert!(!place.path.exists());
}

#[test]
fn the_last_one_removes_a_cache_that_was_made_and_no_other() {
    let scratch = tempfile::tempdir().unwrap();
    let cache = scratch.path().join(".cache");
    for made in [true, false] {
        if !made {
            fs::create_dir(&cache).unwrap();
        }
        let [first, second] = [true, true].map(|make| OwnDirectory::open(&cache, make).unwrap());
        let [one, other] = [&first, &second].map(|place| place.enter().unwrap());
        assert_ne!(one.name, other.name);
        for (place, entry) in [(first, one), (second, other)] {
            assert!(cache.exists());
            place.leave(&entry).unwrap();
            place.sweep().unwrap();
        }
        assert_eq!(cache.exists(), !made);
    }
    assert!(OwnDirectory::open(&scratch.path().join("missing"), true).is_err());
    assert!(!scratch.path().join("missing").exists());
}

#[test]
fn what_nobody_locks_is_swept_and_what_fails_is_told_last() {
    let scratch = tempfile::tempdir().unwrap();
    let place = OwnDirectory::open(scratch.path(), true).unwrap();
    let entry = place.enter().unwrap();
    for name in ["left", "left.notify", "left.lock", "other.lock/x", entry.name.as_str()] {
        fs::create_dir_all(place.path.join(name)).unwrap();
    }
    fs::remove_dir(place.path.join("left.lock")).unwrap();
    fs::write(place.path.join("left.lock"), "").unwrap();
    // No lock at all.
    assert!(place.sweep().is_err());
    let left = |name: &str| place.path.join(name).exists();
    assert!(!["left", "left.notify", "left.lock"].into_iter().any(left));
    assert!(left(&entry.name));
}

#[test]
fn paths_that_would_be_parted() {
    let scratch = tempfile::tempdir().unwrap();
    let [odd, link] = ["a:b", "link"].map(|name| scratch.path().join(name));
    fs::create_dir(&odd).unwrap();
    std::os::unix::fs::symlink(&odd, &link).unwrap();
    for base in [odd, link] {
        let opened = OwnDirectory::open(&base, true);
        let refused = opened.unwrap_err();
        assert_eq!(refused.errno(), Some(Errno::EINVAL), "{refused}");
    }
}
