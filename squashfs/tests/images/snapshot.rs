//! What a tree looks like, from a mounted file system or from an image, to be compared.

use squashfs::{Image, Inode, Kind, ReadAt};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Everything about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) permissions: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    /// Bytes; of a directory whatever the file system says.
    pub(crate) size: u64,
    /// Names of it.
    pub(crate) links: u64,
    pub(crate) device: u64,
    /// Inode number.
    pub(crate) number: u64,
    /// Hash of the bytes of a file, or of the target of a link.
    pub(crate) content: u64,
    /// Blocks of 512 bytes.
    pub(crate) blocks: u64,
}

/// A tree, by path; the root's is empty.
pub(crate) type Snapshot = BTreeMap<Vec<u8>, Record>;

/// Says where two snapshots differ, in few words, and panics if they do.
pub(crate) fn assert_same(found: &Snapshot, expected: &Snapshot, what: &str) {
    let lost = expected.keys().filter(|path| !found.contains_key(*path));
    let extra = found.keys().filter(|path| !expected.contains_key(*path));
    let name = |path: &Vec<u8>| String::from_utf8_lossy(path).into_owned();
    let lost: Vec<_> = lost.take(10).map(name).collect();
    let extra: Vec<_> = extra.take(10).map(name).collect();
    assert!(
        lost.is_empty() && extra.is_empty(),
        "{what}: lost {lost:?}, too many {extra:?}"
    );
    for (path, record) in found {
        assert_eq!(Some(record), expected.get(path), "{what}: {}", name(path));
    }
}

/// A snapshot with each record changed, to leave out what cannot be compared.
pub(crate) fn without(snapshot: &Snapshot, forget: impl Fn(&[u8], &mut Record)) -> Snapshot {
    let mut snapshot = snapshot.clone();
    for (path, record) in &mut snapshot {
        forget(path, record);
    }
    snapshot
}

/// The tree below a directory of a mounted file system.
pub(crate) fn of_directory(root: &Path) -> Snapshot {
    let mut snapshot = Snapshot::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path).expect("lstat");
        if metadata.is_dir() {
            todo.extend(
                fs::read_dir(&path)
                    .expect("opendir")
                    .map(|entry| entry.expect("readdir").path()),
            );
        }
        let below = path
            .strip_prefix(root)
            .expect("below the root")
            .as_os_str()
            .as_bytes()
            .to_vec();
        snapshot.insert(below, of_file(&path, &metadata));
    }
    snapshot
}

fn of_file(path: &Path, metadata: &Metadata) -> Record {
    let kind = metadata.file_type();
    let (kind, content) = match () {
        () if kind.is_dir() => (Kind::Directory, 0),
        () if kind.is_file() => (Kind::File, hash(&fs::read(path).expect("read"))),
        () if kind.is_symlink() => (
            Kind::Symlink,
            hash(fs::read_link(path).expect("readlink").as_os_str().as_bytes()),
        ),
        () if kind.is_block_device() => (Kind::BlockDevice, 0),
        () if kind.is_char_device() => (Kind::CharacterDevice, 0),
        () if kind.is_fifo() => (Kind::Fifo, 0),
        () => (Kind::Socket, 0),
    };
    Record {
        kind,
        permissions: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: metadata.mtime(),
        size: metadata.size(),
        links: metadata.nlink(),
        device: metadata.rdev(),
        number: metadata.ino(),
        content,
        blocks: metadata.blocks(),
    }
}

/// The tree of an image. Also holds listings against inodes and look-ups.
pub(crate) fn of_image<R: ReadAt>(image: &Image<R>) -> Snapshot {
    let mut snapshot = Snapshot::new();
    let mut todo = vec![(Vec::new(), image.root())];
    while let Some((path, at)) = todo.pop() {
        let inode = image.inode(at).expect("inode");
        if inode.kind == Kind::Directory {
            for entry in image.read_dir(&inode, 0).expect("directory") {
                let entry = entry.expect("entry");
                let child = image.inode(entry.inode_ref).expect("inode");
                assert_eq!(
                    (child.kind, child.number),
                    (entry.kind, entry.inode_number),
                    "{:?}",
                    entry.name
                );
                assert!(
                    child.kind != Kind::Directory || child.parent == inode.number,
                    "{:?}",
                    entry.name
                );
                assert_eq!(
                    image.lookup(&inode, &entry.name).expect("look-up"),
                    Some(entry.inode_ref),
                    "{:?}",
                    entry.name
                );
                let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
                todo.push(([&path, separator, &entry.name].concat(), entry.inode_ref));
            }
        }
        snapshot.insert(path, of_inode(image, &inode));
    }
    snapshot
}

fn of_inode<R: ReadAt>(image: &Image<R>, inode: &Inode) -> Record {
    let content = match inode.kind {
        Kind::File => hash(&read_all(image, inode)),
        Kind::Symlink => {
            let target = image.read_link(inode).expect("target");
            assert_eq!(target.len() as u64, inode.size);
            hash(&target)
        }
        _ => 0,
    };
    let (major, minor) = inode.device();
    Record {
        kind: inode.kind,
        permissions: u32::from(inode.permissions),
        uid: inode.uid,
        gid: inode.gid,
        mtime: i64::from(inode.mtime),
        size: inode.size,
        links: u64::from(inode.nlink),
        // glibc's makedev.
        device: u64::from(major & 0xfff) << 8 | u64::from(minor & 0xff) | u64::from(minor & !0xff) << 12,
        number: u64::from(inode.number),
        content,
        blocks: inode.blocks,
    }
}

/// The bytes of a file, read in pieces that are no multiple of a block.
pub(crate) fn read_all<R: ReadAt>(image: &Image<R>, file: &Inode) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = vec![0xaa; 1_500_007];
    loop {
        let length = image.read(file, all.len() as u64, &mut piece).expect("read");
        if length == 0 {
            return all;
        }
        all.extend_from_slice(&piece[..length]);
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
