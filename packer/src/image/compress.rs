//! zstd behind backhand's [`CompressionAction`]: hands over blocks that worker threads have finished, compresses the others itself.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backhand::compression::{CompressionAction, CompressionOptions, Compressor};
use backhand::kind::Kind;
use backhand::{BackhandError, FilesystemCompressor, Flags, SuperBlock};
use zstd_safe::{CCtx, CParameter, DCtx};

use super::ImageError;
use super::budget::Permit;

/// Blocks that are compressed ahead and not yet asked for: the one whose bytes are being read and a fragment block beside it. What
/// is older was passed over by the writer.
const PROMISES: usize = 2;

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

/// A block that will be asked for, and where its frame will come from.
pub(super) struct Promise {
    block: Arc<Vec<u8>>,
    frame: Receiver<Result<Vec<u8>, ImageError>>,
    _permit: Permit,
}

/// Both ends of a block that is compressed ahead.
pub(super) fn promise(block: Arc<Vec<u8>>, permit: Permit) -> (Job, Promise) {
    let (done, frame) = sync_channel(1);
    let job = Job {
        block: Arc::clone(&block),
        done,
    };
    let promise = Promise {
        block,
        frame,
        _permit: permit,
    };
    (job, promise)
}

/// What backhand calls for every block.
pub(super) struct Zstd {
    level: i32,
    state: Mutex<State>,
}

struct State {
    promises: VecDeque<Promise>,
    encoder: Encoder,
    ahead: u64,
    inline: u64,
}

impl Zstd {
    pub(super) fn new(level: i32) -> Result<Self, ImageError> {
        Ok(Self {
            level,
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
    pub(super) fn kind(level: i32) -> Result<(&'static Self, Kind), ImageError> {
        let zstd: &'static Self = Box::leak(Box::new(Self::new(level)?));
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
        if let Some(promise) = state.promises.pop_front().filter(|promise| *promise.block == block) {
            state.ahead += 1;
            drop(state);
            return promise
                .frame
                .recv()
                .unwrap_or(Err(ImageError::Compress("a worker has ended")));
        }
        state.inline += 1;
        state.encoder.encode(block)
    }

    // A worker never takes this lock; if the writer panicked the image is given up.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// An uncompressed metadata block that holds the level, as mksquashfs writes it.
    fn compression_options(
        &self,
        superblock: &mut SuperBlock,
        _kind: &Kind,
        _: FilesystemCompressor,
    ) -> Result<Option<Vec<u8>>, BackhandError> {
        const UNCOMPRESSED: u16 = 1 << 15;
        let level = self.level.to_le_bytes();
        superblock.flags |= Flags::CompressorOptionsArePresent as u16;
        let header = UNCOMPRESSED | 4;
        Ok(Some([header.to_le_bytes().as_slice(), &level].concat()))
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
        let zstd = Zstd::new(3).expect("zstd");
        let budget = Budget::new(4);
        let mut encoder = Encoder::new(3).expect("zstd");
        let mut announce = |byte| {
            let (job, promise) = promise(block(byte), budget.take(1).expect("open"));
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
        let zstd = Zstd::new(3).expect("zstd");
        let budget = Budget::new(PROMISES + 1);
        for byte in 0..20 {
            let (_, promise) = promise(block(byte), budget.take(1).expect("open"));
            zstd.expect(promise);
        }
        assert!(zstd.block(&block(18)).is_err(), "its worker has ended");
        assert_eq!(zstd.finish().0, 1);
        assert!(budget.take(PROMISES + 1).is_some());
    }
}
