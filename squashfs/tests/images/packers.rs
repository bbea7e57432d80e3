//! Making images.

use crate::requirement::run_says;
use crate::snapshot::Record;
use backhand::compression::{CompressionAction, Compressor};
use backhand::kind::Kind as BackhandKind;
use backhand::{BackhandError, FilesystemCompressor, FilesystemWriter, NodeHeader, SuperBlock};
use squashfs::Kind;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;

/// Packs `tree` with mksquashfs and zstd.
pub(crate) fn mksquashfs(tree: &Path, image: &Path, options: &[&str]) {
    let (tree, out) = (
        tree.to_str().expect("a path of ours"),
        image.to_str().expect("a path of ours"),
    );
    let common = [
        tree,
        out,
        "-comp",
        "zstd",
        "-Xcompression-level",
        "3",
        "-noappend",
        "-quiet",
        "-no-progress",
    ];
    run_says("mksquashfs", &[&common, options].concat());
}

/// zstd for backhand, as a packer gives it its own.
struct Zstd;

static ZSTD: Zstd = Zstd;

impl CompressionAction for Zstd {
    type Error = BackhandError;
    type Compressor = Compressor;
    type FilesystemCompressor = FilesystemCompressor;
    type SuperBlock = SuperBlock;

    fn decompress(&self, bytes: &[u8], out: &mut Vec<u8>, _: Compressor) -> Result<(), BackhandError> {
        zstd_safe::DCtx::create().decompress(out, bytes).expect("zstd");
        Ok(())
    }

    fn compress(&self, bytes: &[u8], _: FilesystemCompressor, _: u32) -> Result<Vec<u8>, BackhandError> {
        Ok(compress(bytes))
    }
}

/// A zstd frame of some bytes.
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    zstd_safe::compress(&mut frame, bytes, 3).expect("zstd");
    frame
}

fn writer<'a>(block_size: u32) -> FilesystemWriter<'a, 'a, 'a> {
    let mut writer = FilesystemWriter::default();
    writer.set_kind(BackhandKind::new_v4(&ZSTD));
    writer.set_compressor(FilesystemCompressor::new(Compressor::Zstd, None).expect("zstd"));
    writer.set_emit_compression_options(false);
    writer.set_block_size(block_size);
    writer
}

/// A file to be packed that is in no tree.
pub(crate) struct NewFile {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// Packs `files`, which are in order, and the directories they need with backhand.
pub(crate) fn backhand_files(files: &[NewFile], block_size: u32) -> Vec<u8> {
    let mut writer = writer(block_size);
    let header = NodeHeader::new(0o755, 0, 0, 0);
    let mut parent = None;
    for file in files {
        let dir = Path::new(&file.path).parent().expect("a path");
        if parent != Some(dir) {
            writer.push_dir_all(dir, header).expect("backhand takes it");
            parent = Some(dir);
        }
        writer
            .push_file(file.bytes.as_slice(), &file.path, header)
            .expect("backhand takes it");
    }
    let mut image = Cursor::new(Vec::new());
    writer.write(&mut image).expect("backhand writes");
    image.into_inner()
}

/// Packs the files of `snapshot`, which are below `tree`, with backhand.
pub(crate) fn backhand(tree: &Path, snapshot: &crate::snapshot::Snapshot, image: &Path, block_size: u32) {
    let mut writer = writer(block_size);
    for (path, record) in snapshot {
        if path.is_empty() {
            let mode = u16::try_from(record.permissions).expect("permissions");
            writer.set_root_mode(mode);
            continue;
        }
        push(&mut writer, tree, path, record).expect("backhand takes it");
    }
    let mut out = File::create(image).expect("image");
    let (_, length) = writer.write(&mut out).expect("backhand writes");
    out.set_len(length).expect("truncate");
}

fn push(
    writer: &mut FilesystemWriter<'_, '_, '_>,
    tree: &Path,
    path: &[u8],
    record: &Record,
) -> Result<(), BackhandError> {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let source = tree.join(path);
    let permissions = u16::try_from(record.permissions).expect("permissions");
    let mtime = u32::try_from(record.mtime).expect("time");
    let header = NodeHeader::new(permissions, record.uid, record.gid, mtime);
    let device = || u32::try_from(record.device).expect("a device number of 32 bits");
    match record.kind {
        Kind::Directory => writer.push_dir(path, header),
        Kind::File => writer.push_file_from_path(source, path, header),
        Kind::Symlink => writer.push_symlink(fs::read_link(source).expect("readlink"), path, header),
        Kind::BlockDevice => writer.push_block_device(device(), path, header),
        Kind::CharacterDevice => writer.push_char_device(device(), path, header),
        Kind::Fifo => writer.push_fifo(path, header),
        Kind::Socket => writer.push_socket(path, header),
    }
}
