//! zstd behind backhand's [`CompressionAction`]: hands over blocks that worker threads have finished, compresses the others itself,
//! and has those stored as they are that every start reads.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backhand::compression::{CompressionAction, CompressionOptions, Compressor};
use backhand::kind::Kind;
use backhand::{BackhandError, FilesystemCompressor, SuperBlock};
use zstd_safe::{CCtx, CParameter, DCtx};

use super::ImageError;
use super::budget::Permit;

/// Blocks that are announced and not yet asked for: the one whose bytes are being read and a fragment block beside it. What
/// is older was passed over by the writer.
const PROMISES: usize = 2;

/// Longest block of metadata, uncompressed.
const METADATA_BLOCK: usize = 8192;

/// One zstd context, used again for block after block.
pub(super) struct Encoder(CCtx<'static>);

impl Encoder {
    pub(super) fn new(level: i32) -> Result<Self, ImageError> {
        let mut context = CCtx::try_create().ok_or(ImageError::Compress("no memory"))?;
        context
            .set_parameter(CParameter::CompressionLevel(level))
            .map_err(reason)?;
        Ok(Self(context))
    }

    /// One frame that holds `block`. Its window is no larger than the block, as the kernel wants it.
    pub(super) fn encode(&mut self, block: &[u8]) -> Result<Vec<u8>, ImageError> {
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(block.len()));
        self.0.compress2(&mut frame, block).map_err(reason)?;
        frame.shrink_to_fit();
        Ok(frame)
    }
}

fn reason(code: zstd_safe::ErrorCode) -> ImageError {
    ImageError::Compress(zstd_safe::get_error_name(code))
}

/// A block for the workers.
pub(super) struct Job {
    block: Arc<Vec<u8>>,
    done: SyncSender<Result<Vec<u8>, ImageError>>,
}

impl Job {
    /// Compresses the block and delivers it.
    pub(super) fn run(self, encoder: &mut Encoder) {
        let frame = encoder.encode(&self.block);
        // Nobody takes it when the writer has failed or has passed the block over.
        drop(self.done.send(frame));
    }
}

/// A block of data that will be asked for, and what becomes of it.
pub(super) struct Promise {
    block: Arc<Vec<u8>>,
    outcome: Outcome,
    _permit: Permit,
}

enum Outcome {
    /// A worker compresses it.
    Ahead(Receiver<Result<Vec<u8>, ImageError>>),
    /// It is compressed when it is asked for.
    Inline,
    /// It is not compressed.
    Stored,
}

impl Promise {
    /// Both ends of a block that is compressed ahead.
    pub(super) fn ahead(block: Arc<Vec<u8>>, permit: Permit) -> (Job, Self) {
        let (done, frame) = sync_channel(1);
        let job = Job {
            block: Arc::clone(&block),
            done,
        };
        (job, Self::new(block, Outcome::Ahead(frame), permit))
    }

    /// A block that nobody compresses ahead.
    pub(super) fn inline(block: Arc<Vec<u8>>, permit: Permit) -> Self {
        Self::new(block, Outcome::Inline, permit)
    }

    /// A block that is stored as it is.
    pub(super) fn stored(block: Arc<Vec<u8>>, permit: Permit) -> Self {
        Self::new(block, Outcome::Stored, permit)
    }

    fn new(block: Arc<Vec<u8>>, outcome: Outcome, permit: Permit) -> Self {
        Self {
            block,
            outcome,
            _permit: permit,
        }
    }
}

/// What backhand calls for every block.
pub(super) struct Zstd {
    /// What no promise was made for is metadata; it is stored as it is.
    store_metadata: bool,
    state: Mutex<State>,
}

struct State {
    promises: VecDeque<Promise>,
    encoder: Encoder,
    ahead: u64,
    inline: u64,
}

impl Zstd {
    pub(super) fn new(level: i32, store_metadata: bool) -> Result<Self, ImageError> {
        Ok(Self {
            store_metadata,
            state: Mutex::new(State {
                promises: VecDeque::new(),
                encoder: Encoder::new(level)?,
                ahead: 0,
                inline: 0,
            }),
        })
    }

    /// The kind of squashfs that is compressed by this: version 4.0, little endian. backhand keeps the compressor for the rest of
    /// the process, so one is given up for each image.
    pub(super) fn kind(level: i32, store_metadata: bool) -> Result<(&'static Self, Kind), ImageError> {
        let zstd: &'static Self = Box::leak(Box::new(Self::new(level, store_metadata)?));
        Ok((zstd, Kind::new_v4(zstd)))
    }

    /// Announces a block that will be asked for next, but for those announced before.
    pub(super) fn expect(&self, promise: Promise) {
        let mut state = self.lock();
        state.promises.push_back(promise);
        while state.promises.len() > PROMISES {
            state.promises.pop_front();
        }
    }

    /// Blocks compressed ahead and inline so far; forgets what is still promised.
    pub(super) fn finish(&self) -> (u64, u64) {
        let mut state = self.lock();
        state.promises.clear();
        (state.ahead, state.inline)
    }

    fn block(&self, block: &[u8]) -> Result<Vec<u8>, ImageError> {
        let mut state = self.lock();
        // A promise for other bytes is of no use: the order was foreseen wrongly. It costs time, never a wrong image.
        let promise = state.promises.pop_front().filter(|promise| *promise.block == block);
        match promise.map(|promise| promise.outcome) {
            Some(Outcome::Ahead(frame)) => {
                state.ahead += 1;
                drop(state);
                frame.recv().unwrap_or(Err(ImageError::Compress("a worker has ended")))
            }
            Some(Outcome::Stored) => Ok(longer_than(block)),
            None if self.store_metadata && block.len() <= METADATA_BLOCK => Ok(longer_than(block)),
            Some(Outcome::Inline) | None => {
                state.inline += 1;
                state.encoder.encode(block)
            }
        }
    }

    // A worker never takes this lock; if the writer panicked the image is given up.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// backhand stores a block as it is when compression has made it longer.
fn longer_than(block: &[u8]) -> Vec<u8> {
    vec![0; block.len() + 1]
}

impl CompressionAction for Zstd {
    type Error = BackhandError;
    type Compressor = Compressor;
    type FilesystemCompressor = FilesystemCompressor;
    type SuperBlock = SuperBlock;

    fn decompress(&self, bytes: &[u8], out: &mut Vec<u8>, _compressor: Compressor) -> Result<(), BackhandError> {
        let mut context = DCtx::try_create()
            .ok_or(io::ErrorKind::OutOfMemory)
            .map_err(io::Error::from)?;
        let decompressed = context.decompress(out, bytes);
        decompressed.map_err(|code| io::Error::other(reason(code)))?;
        Ok(())
    }

    fn compress(&self, bytes: &[u8], _: FilesystemCompressor, _block_size: u32) -> Result<Vec<u8>, BackhandError> {
        Ok(self.block(bytes).map_err(io::Error::other)?)
    }

    /// None: the level is of no use to a reader, and the kernel would read it at every mount.
    fn compression_options(
        &self,
        _: &mut SuperBlock,
        _: &Kind,
        _: FilesystemCompressor,
    ) -> Result<Option<Vec<u8>>, BackhandError> {
        Ok(None)
    }
}

/// The codec and its level, as the superblock and the options behind it say them.
pub(super) fn codec(level: i32) -> Result<FilesystemCompressor, BackhandError> {
    let options = backhand::compression::Zstd {
        compression_level: level.unsigned_abs(),
    };
    FilesystemCompressor::new(Compressor::Zstd, Some(CompressionOptions::Zstd(options)))
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    fn block(byte: u8) -> Arc<Vec<u8>> {
        Arc::new(vec![byte; 5000])
    }

    #[test]
    fn promised_blocks_are_handed_over_and_others_compressed_inline() {
        let zstd = Zstd::new(3, false).expect("zstd");
        let budget = Budget::new(4);
        let mut encoder = Encoder::new(3).expect("zstd");
        let mut announce = |byte| {
            let (job, promise) = Promise::ahead(block(byte), budget.take(1).expect("open"));
            zstd.expect(promise);
            job.run(&mut encoder);
        };
        announce(1);
        announce(2);
        let frames = [1, 9, 3].map(|byte| zstd.block(&block(byte)).expect("zstd"));
        assert_eq!(zstd.finish(), (1, 2), "9 was not announced and takes 2's place");
        let mut fresh = Encoder::new(3).expect("zstd");
        assert_eq!(frames, [1, 9, 3].map(|byte| fresh.encode(&block(byte)).expect("zstd")));
    }

    #[test]
    fn what_the_writer_passes_over_gives_its_bytes_back() {
        let zstd = Zstd::new(3, false).expect("zstd");
        let budget = Budget::new(PROMISES + 1);
        for byte in 0..20 {
            let (_, promise) = Promise::ahead(block(byte), budget.take(1).expect("open"));
            zstd.expect(promise);
        }
        assert!(zstd.block(&block(18)).is_err(), "its worker has ended");
        assert_eq!(zstd.finish().0, 1);
        assert!(budget.take(PROMISES + 1).is_some());
    }

    #[test]
    fn stored_blocks_get_longer_and_so_does_metadata_if_asked() {
        let budget = Budget::new(4);
        let permit = || budget.take(1).expect("open");
        let length = |zstd: &Zstd, byte| zstd.block(&block(byte)).expect("zstd").len();
        for store_metadata in [true, false] {
            let zstd = Zstd::new(3, store_metadata).expect("zstd");
            assert_eq!(length(&zstd, 1) > 5000, store_metadata);
            zstd.expect(Promise::stored(block(2), permit()));
            assert_eq!(length(&zstd, 2), 5001);
            zstd.expect(Promise::inline(block(3), permit()));
            assert!(length(&zstd, 3) < 5000);
        }
    }
}
