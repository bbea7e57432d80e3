//! One byte changed, in every block of image and hash tree.

use std::fs;
use std::path::Path;

use runtime::image::fuse::ServeError;
use runtime::image::unpack::{UnpackError, unpack};
use runtime::image::{CheckError, MountError, OwnerMap, kernel_loop};
use squashfs::ReadAt;

use crate::mounts::{Outside, apart};
use crate::support::bundles::{self, Packed};
use crate::support::needs::skip;
use crate::support::snapshot::{Snapshot, take};
use crate::support::source::noise;
use crate::trees::assert_no_loop_device;

/// A bundle with two levels of hash blocks: more than 128 blocks of data.
fn packed(directory: &Path) -> (Packed, Snapshot) {
    let source = directory.join("source");
    fs::create_dir(&source).unwrap();
    for (name, length) in [("first", 400_000), ("second", 200_000), ("third", 3000)] {
        fs::write(source.join(name), noise(length, length as u64)).unwrap();
    }
    let packed = bundles::pack(&source, directory, &[]);
    assert!(packed.image_blocks > 128 && packed.tree_blocks == 3, "{packed:?}");
    (packed, take(&source))
}

/// The data block that is named first when block `block`, counted through image and tree, is not what was signed.
fn first_beneath(packed: &Packed, block: u64) -> (u64, usize) {
    match block.checked_sub(packed.image_blocks) {
        None => (block, 0),
        // The root's level, then two hash blocks over 128 data blocks each.
        Some(0) => (0, 2),
        Some(number) => ((number - 1) * 128, 1),
    }
}

#[test]
fn a_whole_check_names_the_block() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = packed(directory.path());
    for block in 0..packed.image_blocks + packed.tree_blocks {
        packed.flip(packed.offset_in(block));
        let image = packed.verified().image();
        let error = image.check_all(|_| ()).unwrap_err();
        let (block, level) = first_beneath(&packed, block);
        let expected = CheckError::Damaged {
            block,
            level,
            offset: packed.image_offset + block * 4096,
        };
        assert_eq!(error, expected);
        assert_eq!(image.failure(), Some(&expected));
        packed.flip(packed.offset_in(first_flipped(&packed, block, level)));
    }
    let mut told = Vec::new();
    packed.verified().image().check_all(|done| told.push(done)).unwrap();
    assert_eq!(told.last(), Some(&(packed.image_blocks * 4096)));
}

/// An image that is worth several threads: of many wrong blocks the first is named, whoever finds it.
#[test]
fn a_large_check_names_the_first_block() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("large"), noise(8 << 20, 5)).unwrap();
    let packed = bundles::pack(&source, directory.path(), &[]);
    let mut told = Vec::new();
    packed.verified().image().check_all(|done| told.push(done)).unwrap();
    assert!(told.is_sorted() && told.len() > 1, "{told:?}");
    assert_eq!(told.last(), Some(&(packed.image_blocks * 4096)));
    for first in [0, 63, 64, 700, packed.image_blocks - 1] {
        for block in (first..packed.image_blocks).step_by(50) {
            packed.flip(packed.offset_in(block));
        }
        let error = packed.verified().image().check_all(|_| ()).unwrap_err();
        assert!(
            matches!(error, CheckError::Damaged { block, level: 0, .. } if block == first),
            "{first}: {error}"
        );
        for block in (first..packed.image_blocks).step_by(50) {
            packed.flip(packed.offset_in(block));
        }
    }
}

/// The inverse of [`first_beneath`].
fn first_flipped(packed: &Packed, block: u64, level: usize) -> u64 {
    match level {
        0 => block,
        1 => packed.image_blocks + 1 + block / 128,
        _ => packed.image_blocks,
    }
}

/// What was right when it was read first may be wrong the second time.
#[test]
fn a_block_is_checked_whenever_it_is_read() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = packed(directory.path());
    let image = packed.verified().image();
    let mut before = vec![0; 10_000];
    image.read_exact_at(&mut before, 5000).unwrap();
    packed.flip(packed.offset_in(2));
    let mut after = vec![1; 10_000];
    let error = image.read_exact_at(&mut after, 5000).unwrap_err();
    let check = error.get_ref().unwrap().downcast_ref::<CheckError>().unwrap();
    assert!(
        matches!(check, CheckError::Damaged { block: 2, level: 0, .. }),
        "{check}"
    );
    // Not a byte of the block that failed, nor of those read along with it.
    assert!(after.iter().zip(&before).enumerate().all(|(at, (after, before))| {
        let block = (5000 + at) / 4096;
        if block == 1 {
            after == before
        } else {
            *after == 0 || *after == 1
        }
    }));
    packed.flip(packed.offset_in(2));
    image.read_exact_at(&mut after, 5000).unwrap();
    assert_eq!(after, before);
}

#[test]
fn reads_of_every_length_and_place_are_those_of_the_file() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = packed(directory.path());
    let image = packed.verified().image();
    let bytes = fs::read(&packed.path).unwrap();
    let start = usize::try_from(packed.image_offset).unwrap();
    for offset in [0, 1, 4095, 4096, 4097, 8191, 100_000] {
        for length in [0, 1, 2, 4094, 4095, 4096, 4097, 8192, 8193, 12_289] {
            let mut buffer = vec![0xaa; length];
            image.read_exact_at(&mut buffer, offset as u64).unwrap();
            assert_eq!(buffer, bytes[start + offset..][..length], "{length} bytes at {offset}");
        }
    }
    for (offset, length) in [(image.length(), 1), (image.length() - 1, 2), (u64::MAX, 1)] {
        let error = image.read_exact_at(&mut vec![0; length], offset).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
    image.read_exact_at(&mut [], image.length()).unwrap();
}

#[test]
fn a_file_cut_short_underneath_is_truncated() {
    if skip(&["tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = packed(directory.path());
    let image = packed.verified().image();
    let file = fs::File::options().write(true).open(&packed.path).unwrap();
    file.set_len(packed.image_offset + 4096).unwrap();
    let error = image.check_all(|_| ()).unwrap_err();
    assert!(
        matches!(error, CheckError::Truncated { .. }) && error.is_tampering(),
        "{error}"
    );
}

#[test]
fn nothing_is_mounted_by_the_kernel() {
    if skip(&["root", "loop", "tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = packed(directory.path());
    let target = directory.path().join("target");
    fs::create_dir(&target).unwrap();
    packed.flip(packed.offset_in(packed.image_blocks - 1));
    let error = apart(|| kernel_loop::mount(&packed.verified().image(), Path::new("/dev"), &target).unwrap_err());
    assert!(
        matches!(error, MountError::Unverified(CheckError::Damaged { .. })),
        "{error}"
    );
    assert_no_loop_device(&packed.path);
}

/// A failed mount lets go of the loop device that it had.
#[test]
fn no_loop_device_stays_when_the_mount_fails() {
    if skip(&["root", "loop", "tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = packed(directory.path());
    let missing = directory.path().join("missing");
    let error = apart(|| kernel_loop::mount(&packed.verified().image(), Path::new("/dev"), &missing).unwrap_err());
    assert!(
        matches!(
            error,
            MountError::Mount {
                errno: nix::errno::Errno::ENOENT,
                ..
            }
        ),
        "{error}"
    );
    assert_no_loop_device(&packed.path);
    let error = apart(|| kernel_loop::mount(&packed.verified().image(), directory.path(), &missing).unwrap_err());
    assert!(matches!(error, MountError::Open { .. }), "{error}");
}

/// Each read through FUSE gives the bytes that were signed or EIO; a failure is told once.
#[test]
fn fuse_gives_what_was_signed_or_an_error() {
    if skip(&["root", "fuse", "tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, expected) = packed(directory.path());
    let target = directory.path().join("target");
    fs::create_dir(&target).unwrap();
    let outside = Outside::new();
    // Where the superblock itself cannot be vouched for, there is nothing to be served.
    let refusals = [libc::EIO, libc::ENOTCONN].map(|errno| format!("errno {:?}", Some(errno)));
    let mut failed = 0;
    for block in 1..packed.image_blocks + packed.tree_blocks {
        let image = packed.verified().image();
        apart(|| {
            let served = outside.serve(image.clone(), &target, OwnerMap::AsStored);
            packed.flip(packed.offset_in(block));
            let found = take(&target);
            packed.flip(packed.offset_in(block));
            let ended = served.end();
            if found == expected {
                assert!(
                    ended.result.is_ok() && ended.reports.is_empty(),
                    "block {block}: {ended:?}"
                );
                return;
            }
            failed += 1;
            for (path, line) in &found {
                let signed = expected.get(path) == Some(line);
                let refused = refusals.iter().any(|refusal| line.ends_with(refusal));
                assert!(
                    signed || refused || !expected.contains_key(path),
                    "block {block}: {line}"
                );
            }
            assert_eq!(ended.reports.len(), 1, "block {block}");
            assert_eq!(image.failure(), ended.reports.first());
            assert!(
                matches!(ended.result, Err(ServeError::Unverified(_))),
                "block {block}: {:?}",
                ended.result
            );
        });
    }
    // All but tables that nobody asked for.
    assert!(
        failed + 3 >= packed.image_blocks + packed.tree_blocks,
        "{failed} of {packed:?}"
    );
}

#[test]
fn unpacking_stops() {
    if skip(&["root", "tool:mksquashfs"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (packed, expected) = packed(directory.path());
    let mut failed = 0;
    for block in 0..packed.image_blocks + packed.tree_blocks {
        let target = directory.path().join(format!("target-{block}"));
        packed.flip(packed.offset_in(block));
        let result = unpack(&packed.verified().image(), &target, OwnerMap::AsStored);
        packed.flip(packed.offset_in(block));
        match result {
            Ok(()) => assert_eq!(take(&target), expected, "block {block}"),
            Err(UnpackError::Unverified(CheckError::Damaged { .. })) => failed += 1,
            Err(error) => panic!("block {block}: {error}"),
        }
        if target.exists() {
            fs::remove_dir_all(target).unwrap();
        }
    }
    assert!(
        failed + 3 >= packed.image_blocks + packed.tree_blocks,
        "{failed} of {packed:?}"
    );
}
