//! Hands the plan to backhand, in the order in which it takes entries without moving them: sorted by path, component by component.
//! The data lies in that order too; backhand has no other.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

use backhand::compression::Compressor;
use backhand::{FilesystemCompressor, FilesystemReader, FilesystemWriter, Id, NodeHeader};

use super::compress::{Encoder, Job, Zstd, codec};
use super::error::MAX_LINK_TARGET;
use super::metadata::header;
use super::output::Output;
use super::read_ahead::{Contents, FileReader, Intake, ReadAhead, Source};
use super::{ImageError, ImageOptions, ImageStats, duplicates, startup};
use crate::plan::{Entry, Node, Plan};
use crate::rootfs::{RootPath, Rootfs, errno_of};

/// So few that their metadata costs a mount more to decompress than to read: some 30 KiB.
const FEW_ENTRIES: usize = 512;

pub(super) fn write<W: Write + Seek>(
    plan: &Plan,
    rootfs: &Rootfs,
    out: W,
    options: &ImageOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<ImageStats, ImageError> {
    let entries = in_image_order(plan);
    let startup = startup::set(plan, options.store_startup);
    let files: Vec<Source<'_>> = entries
        .iter()
        .filter_map(|(path, entry)| source(path, entry, startup.contains(path)))
        .collect();
    let store_equal_once = duplicates::can_be_told_apart(rootfs, &files, options.block_size)?;
    let store_metadata = options.store_startup > 0 && entries.len() <= FEW_ENTRIES;
    let (zstd, kind) = Zstd::kind(options.level, store_metadata)?;
    let root = root_header(&entries, options);
    let template = template(root)?;
    let length = thread::scope(|scope| {
        let jobs = start_workers(scope, options)?;
        let (reader, events, budget) = ReadAhead::new(rootfs, &files, options.block_size, options.workers, jobs);
        let intake = RefCell::new(Intake::new(&files, events, budget, zstd, progress));
        let read = || reader.run();
        let started = thread::Builder::new().spawn_scoped(scope, read);
        started.map_err(|error| ImageError::Thread(errno_of(&error)))?;

        let mut image = FilesystemWriter::from_fs_reader(&template).map_err(ImageError::Layout)?;
        image.set_kind(kind);
        image.set_compressor(codec(options.level).map_err(ImageError::Layout)?);
        image.set_block_size(options.block_size);
        image.set_time(options.epoch.unwrap_or(0));
        // The name means: there are no duplicates in the image.
        image.set_no_duplicate_files(store_equal_once);
        push_entries(&mut image, &entries, &intake, options)?;
        let written = write_image(&mut image, out);
        // What the reading side knows says more than what backhand made of it.
        let failure = intake.borrow_mut().take_failure();
        failure.map_or(written, Err)
    })?;
    let (ahead, inline) = zstd.finish();
    Ok(ImageStats {
        entries: count(entries.len()),
        files: count(files.len()),
        unpacked_size: files.iter().map(|file| file.contents.size()).sum(),
        length,
        ahead,
        inline,
    })
}

/// The entries as backhand sorts them: `/a/b` before `/a-b`, unlike bytewise.
fn in_image_order(plan: &Plan) -> Vec<(&RootPath, &Entry)> {
    let mut entries: Vec<_> = plan.entries.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.as_path().cmp(b.as_path()));
    entries
}

fn source<'a>(path: &'a RootPath, entry: &'a Entry, stored: bool) -> Option<Source<'a>> {
    let contents = match &entry.node {
        Node::File { size } => Contents::Rootfs(*size),
        Node::Synthetic { contents } => Contents::Plan(contents),
        Node::Directory | Node::Symlink { .. } => return None,
    };
    Some(Source { path, contents, stored })
}

fn root_header(entries: &[(&RootPath, &Entry)], options: &ImageOptions) -> NodeHeader {
    let root = entries.iter().find(|(path, _)| path.is_root());
    root.map_or(NodeHeader::new(0o755, 0, 0, 0), |(_, entry)| {
        header(entry, options.epoch)
    })
}

/// An image with nothing but a root directory. A writer made from it has that root, with its time and with its owner among the
/// image's owners; a writer made from nothing has neither and cannot be told.
fn template(root: NodeHeader) -> Result<FilesystemReader<'static>, ImageError> {
    let mut empty = FilesystemWriter::default();
    let stored = FilesystemCompressor::new(Compressor::Uncompressed, None).map_err(ImageError::Layout)?;
    empty.set_compressor(stored);
    let mut bytes = Cursor::new(Vec::new());
    empty.write(&mut bytes).map_err(ImageError::Layout)?;
    bytes.set_position(0);
    let mut template = FilesystemReader::from_reader(bytes).map_err(ImageError::Layout)?;
    template.root.root_mut().header = root;
    template.id_table = vec![Id::new(root.uid)];
    if root.gid != root.uid {
        template.id_table.push(Id::new(root.gid));
    }
    Ok(template)
}

/// Threads that compress what is sent to them, until the sender is dropped. None if no worker is asked for.
fn start_workers<'scope>(
    scope: &'scope Scope<'scope, '_>,
    options: &ImageOptions,
) -> Result<Option<Sender<Job>>, ImageError> {
    let (sender, receiver) = channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    let mut workers = 0;
    while workers < options.workers {
        let receiver = Arc::clone(&receiver);
        let encoder = Encoder::new(options.level)?;
        let worker = thread::Builder::new().spawn_scoped(scope, move || work(&receiver, encoder));
        // Fewer of them take longer, and without any the blocks are compressed where they are written.
        if worker.is_err() {
            break;
        }
        workers += 1;
    }
    Ok((workers > 0).then_some(sender))
}

fn work(jobs: &Mutex<Receiver<Job>>, mut encoder: Encoder) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job.run(&mut encoder),
            Err(_) => return,
        }
    }
}

fn push_entries<'r, 'a: 'r>(
    image: &mut FilesystemWriter<'_, '_, 'r>,
    entries: &[(&RootPath, &Entry)],
    intake: &'r RefCell<Intake<'a>>,
    options: &ImageOptions,
) -> Result<(), ImageError> {
    let mut number = 0;
    for (path, entry) in entries.iter().filter(|(path, _)| !path.is_root()) {
        let header = header(entry, options.epoch);
        let name = path.as_path();
        match &entry.node {
            Node::File { .. } | Node::Synthetic { .. } => {
                let reader = FileReader { intake, number };
                number += 1;
                image.push_file(reader, name, header)
            }
            Node::Directory => image.push_dir(name, header),
            Node::Symlink { target } if target.len() > MAX_LINK_TARGET => {
                return Err(ImageError::LinkTarget {
                    path: (*path).clone(),
                    length: target.len(),
                });
            }
            Node::Symlink { target } => image.push_symlink(OsStr::from_bytes(target), name, header),
        }
        .map_err(|source| ImageError::Entry {
            path: (*path).clone(),
            source,
        })?;
    }
    Ok(())
}

fn write_image<W: Write + Seek>(image: &mut FilesystemWriter<'_, '_, '_>, out: W) -> Result<u64, ImageError> {
    let mut output = Output::new(out);
    let written = output
        .seek(SeekFrom::Start(0))
        .map_err(Into::into)
        .and_then(|_| image.write(&mut output));
    match (written, output.take_failure()) {
        (_, Some(error)) => Err(ImageError::Write(error)),
        (Err(error), None) => Err(ImageError::Layout(error)),
        (Ok((_, length)), None) => Ok(length),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
