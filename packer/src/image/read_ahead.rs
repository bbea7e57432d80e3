//! Reads the files in the order in which the writer will take them, a few blocks in front of it, and has their blocks compressed.
//!
//! One thread ([`ReadAhead::run`]) reads and foresees what backhand will do: a file smaller than a block joins the fragment block,
//! which is compressed when the next small file would not fit; the blocks of other files are compressed one by one, the last one
//! whatever its length, and blocks of zeros not at all. Its [`Event`]s flow to [`Intake`], which the writer reads the files through.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::ImageError;
use super::budget::{Budget, Permit};
use super::compress::{Job, Promise, Zstd};
use crate::rootfs::{RootPath, Rootfs};

/// A regular file of the image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a RootPath,
    pub(super) contents: Contents<'a>,
    /// Its blocks are not compressed.
    pub(super) stored: bool,
}

/// Where a file's bytes are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Contents<'a> {
    /// In the root file system at the file's path; so many bytes when planned.
    Rootfs(u64),
    /// In the plan.
    Plan(&'a [u8]),
}

impl Contents<'_> {
    pub(super) fn size(self) -> u64 {
        match self {
            Self::Rootfs(size) => size,
            Self::Plan(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        }
    }
}

/// What the reading thread tells the writer's.
pub(super) enum Event {
    /// The writer will ask for this block.
    Promise(Promise),
    /// The next bytes of the file with that number.
    Data {
        file: usize,
        bytes: Arc<Vec<u8>>,
        permit: Permit,
    },
    /// The file with that number has no more bytes.
    End { file: usize },
    /// Nothing more can be read.
    Failed(ImageError),
}

/// The reading side.
pub(super) struct ReadAhead<'a> {
    rootfs: &'a Rootfs,
    files: &'a [Source<'a>],
    block_size: usize,
    budget: Arc<Budget>,
    events: Sender<Event>,
    jobs: Option<Sender<Job>>,
    /// The fragment block as the writer has it: the small files since the last one was compressed.
    fragments: Vec<u8>,
    /// One of them is stored, and so all of them are.
    store_fragments: bool,
}

/// Nobody takes what is read any more.
struct Closed;

/// Why reading stops.
enum Stop {
    Closed,
    Failed(ImageError),
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<ImageError> for Stop {
    fn from(error: ImageError) -> Self {
        Self::Failed(error)
    }
}

impl<'a> ReadAhead<'a> {
    /// Both sides: `jobs` is where blocks are sent to be compressed ahead; without it none is.
    pub(super) fn new(
        rootfs: &'a Rootfs,
        files: &'a [Source<'a>],
        block_size: u32,
        workers: usize,
        jobs: Option<Sender<Job>>,
    ) -> (Self, Receiver<Event>, Arc<Budget>) {
        let block_size = usize::try_from(block_size).unwrap_or(usize::MAX);
        // A block being compressed counts twice, as input and as output: three blocks for each worker, so that none waits, and the
        // two that the writer may stand at, which must always fit.
        let budget = Budget::new((3 * workers + 2) * 2 * block_size);
        let (events, intake) = channel();
        let reader = Self {
            rootfs,
            files,
            block_size,
            budget: Arc::clone(&budget),
            events,
            jobs,
            fragments: Vec::new(),
            store_fragments: false,
        };
        (reader, intake, budget)
    }

    /// Reads all files, or until nobody wants them any more.
    pub(super) fn run(mut self) {
        if let Err(Stop::Failed(error)) = self.read_all() {
            // Nobody listens when the writer has failed by itself.
            drop(self.events.send(Event::Failed(error)));
        }
    }

    fn read_all(&mut self) -> Result<(), Stop> {
        for (number, source) in self.files.iter().enumerate() {
            match source.contents {
                Contents::Plan(bytes) => self.read_file(number, bytes, source)?,
                Contents::Rootfs(_) => {
                    let file = self.rootfs.open_file(source.path).map_err(ImageError::Open)?;
                    check_size(&file, source)?;
                    self.read_file(number, &file, source)?;
                    check_size(&file, source)?;
                }
            }
            if number + 1 == self.files.len() {
                self.finish_fragments()?;
            }
            self.send(Event::End { file: number })?;
        }
        Ok(())
    }

    fn read_file(&mut self, number: usize, mut reader: impl Read, source: &Source<'_>) -> Result<(), Stop> {
        let mut left = source.contents.size();
        let small = usize::try_from(left).is_ok_and(|size| size < self.block_size);
        if small && self.fragments.len() + length(left, self.block_size) > self.block_size {
            self.finish_fragments()?;
        }
        while left > 0 {
            let length = length(left, self.block_size);
            let permit = self.budget.take(length).ok_or(Closed)?;
            let bytes = Arc::new(read_block(&mut reader, length, source)?);
            left -= u64::try_from(length).unwrap_or(left);
            if small {
                self.fragments.extend_from_slice(&bytes);
                self.store_fragments |= source.stored;
            } else if bytes.iter().any(|&byte| byte != 0) {
                self.announce(Arc::clone(&bytes), source.stored)?;
            }
            self.send(Event::Data {
                file: number,
                bytes,
                permit,
            })?;
        }
        Ok(())
    }

    fn finish_fragments(&mut self) -> Result<(), Closed> {
        if self.fragments.is_empty() {
            return Ok(());
        }
        let block = std::mem::replace(&mut self.fragments, Vec::with_capacity(self.block_size));
        let stored = std::mem::take(&mut self.store_fragments);
        self.announce(Arc::new(block), stored)
    }

    fn announce(&self, block: Arc<Vec<u8>>, stored: bool) -> Result<(), Closed> {
        let permit = self.budget.take(block.len()).ok_or(Closed)?;
        let promise = match &self.jobs {
            _ if stored => Promise::stored(block, permit),
            None => Promise::inline(block, permit),
            Some(jobs) => {
                let (job, promise) = Promise::ahead(block, permit);
                jobs.send(job).map_err(|_| Closed)?;
                promise
            }
        };
        self.send(Event::Promise(promise))
    }

    fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).map_err(|_| Closed)
    }
}

/// Length of the next block when `left` bytes are to come.
fn length(left: u64, block_size: usize) -> usize {
    usize::try_from(left).map_or(block_size, |left| left.min(block_size))
}

fn check_size(file: &File, source: &Source<'_>) -> Result<(), ImageError> {
    let found = file.metadata().map_err(|error| read_error(source, error))?.len();
    match found == source.contents.size() {
        true => Ok(()),
        false => Err(changed(source, found)),
    }
}

fn read_block(reader: &mut impl Read, length: usize, source: &Source<'_>) -> Result<Vec<u8>, ImageError> {
    let mut block = vec![0; length];
    match reader.read_exact(&mut block) {
        Ok(()) => Ok(block),
        // It was long enough a moment ago.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(source, 0)),
        Err(error) => Err(read_error(source, error)),
    }
}

fn changed(source: &Source<'_>, found: u64) -> ImageError {
    ImageError::Changed {
        path: source.path.clone(),
        planned: source.contents.size(),
        found,
    }
}

fn read_error(source: &Source<'_>, error: io::Error) -> ImageError {
    ImageError::Read {
        path: source.path.clone(),
        source: error,
    }
}

/// The writer's side: gives the files' bytes in their order. Nothing is read any more once it is dropped.
pub(super) struct Intake<'a> {
    files: &'a [Source<'a>],
    events: Receiver<Event>,
    budget: Arc<Budget>,
    zstd: &'static Zstd,
    progress: &'a mut dyn FnMut(u64),
    current: Option<Chunk>,
    ended: Option<usize>,
    failure: Option<ImageError>,
}

/// Bytes of a file, taken up to `taken`.
struct Chunk {
    bytes: Arc<Vec<u8>>,
    taken: usize,
    _permit: Permit,
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        self.budget.close();
    }
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        files: &'a [Source<'a>],
        events: Receiver<Event>,
        budget: Arc<Budget>,
        zstd: &'static Zstd,
        progress: &'a mut dyn FnMut(u64),
    ) -> Self {
        Self {
            files,
            events,
            budget,
            zstd,
            progress,
            current: None,
            ended: None,
            failure: None,
        }
    }

    /// Why reading failed, if it did.
    pub(super) fn take_failure(&mut self) -> Option<ImageError> {
        self.failure.take()
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ended != Some(number) {
            if let Some(chunk) = &mut self.current {
                let rest = &chunk.bytes[chunk.taken..];
                let taken = rest.len().min(buffer.len());
                buffer[..taken].copy_from_slice(&rest[..taken]);
                chunk.taken += taken;
                if chunk.taken == chunk.bytes.len() {
                    self.current = None;
                }
                (self.progress)(u64::try_from(taken).unwrap_or_default());
                return Ok(taken);
            }
            self.next_event(number)?;
        }
        Ok(0)
    }

    fn next_event(&mut self, number: usize) -> io::Result<()> {
        match self.events.recv() {
            Ok(Event::Promise(promise)) => self.zstd.expect(promise),
            Ok(Event::Data { file, bytes, permit }) if file == number => {
                self.current = Some(Chunk {
                    bytes,
                    taken: 0,
                    _permit: permit,
                });
            }
            Ok(Event::End { file }) if file == number => self.ended = Some(file),
            Ok(Event::Failed(error)) => return Err(self.fail(error)),
            Ok(Event::Data { .. } | Event::End { .. }) | Err(_) => {
                let path = self.files[number].path.clone();
                return Err(self.fail(ImageError::OutOfOrder { path }));
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: ImageError) -> io::Error {
        let text = io::Error::other(error.to_string());
        self.failure.get_or_insert(error);
        text
    }
}

/// One file, as the writer reads it.
pub(super) struct FileReader<'r, 'a> {
    pub(super) intake: &'r RefCell<Intake<'a>>,
    pub(super) number: usize,
}

impl Read for FileReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.intake.borrow_mut().read(self.number, buffer)
    }
}
