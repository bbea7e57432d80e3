//! Checking a whole image, on several processors where there are some: the time to hash it is the time before the
//! kernel may mount it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bundle::layout::BLOCK_SIZE;

use super::{CheckError, VerifiedImage};
use crate::host;

/// How much is read and hashed at once, bytes: a multiple of a block, small enough to stay in a processor's cache.
const CHUNK_LENGTH: u64 = 256 << 10;

/// Bytes that a thread must find to do, or its start costs more than it saves.
const WORTH_A_THREAD: u64 = 1 << 20;

/// Most threads: memory is not much faster than four processors with SHA instructions.
const MOST_THREADS: u64 = 4;

/// The chunks of an image, taken in their order by whoever is free.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    image: &'a VerifiedImage,
    /// Where the next chunk begins, bytes.
    next: AtomicU64,
    /// Bytes that are done.
    done: AtomicU64,
    /// The failure with the lowest offset, and that offset.
    failed: Mutex<Option<(u64, CheckError)>>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(image: &'a VerifiedImage) -> Self {
        Self {
            image,
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: Mutex::new(None),
        }
    }

    /// Checks everything; `progress` is told on this thread. The first block that fails is the same with any number of
    /// threads: when one fails, all before it are done or being done, and are waited for.
    pub(super) fn run(self, progress: &mut dyn FnMut(u64)) -> Result<(), CheckError> {
        let threads = threads(self.image.length(), host::processors);
        thread::scope(|scope| {
            for _ in 1..threads {
                // Where the system has no more threads, those that are there do the work.
                if thread::Builder::new()
                    .stack_size(super::STACK)
                    .spawn_scoped(scope, || self.work(&mut |_| ()))
                    .is_err()
                {
                    break;
                }
            }
            self.work(progress);
        });
        match self.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => {
                progress(self.image.length());
                Ok(())
            }
        }
    }

    fn work(&self, progress: &mut dyn FnMut(u64)) {
        let length = self.image.length();
        // At most 256 KiB, so it fits.
        let mut buffer = vec![0; usize::try_from(CHUNK_LENGTH.min(length)).unwrap_or_default()];
        loop {
            let start = self.next.fetch_add(CHUNK_LENGTH, Ordering::Relaxed);
            let left = usize::try_from(length.saturating_sub(start)).unwrap_or(usize::MAX);
            let wanted = left.min(buffer.len());
            let chunk = buffer.get_mut(..wanted).unwrap_or_default();
            if chunk.is_empty() {
                return;
            }
            if let Err(error) = self.image.check_blocks(chunk, start / BLOCK_SIZE) {
                return self.fail(start, error);
            }
            let done = self.done.fetch_add(chunk.len() as u64, Ordering::Relaxed) + chunk.len() as u64;
            if done < length {
                progress(done);
            }
        }
    }

    fn fail(&self, start: u64, error: CheckError) {
        // Nobody begins another chunk.
        self.next.store(self.image.length(), Ordering::Relaxed);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.as_ref().is_none_or(|(before, _)| start < *before) {
            *failed = Some((start, error));
        }
    }
}

/// How many threads check `length` bytes, this one among them.
fn threads(length: u64, processors: impl Fn() -> usize) -> u64 {
    match length / WORTH_A_THREAD {
        0 | 1 => 1,
        wanted => wanted.clamp(
            1,
            processors().try_into().unwrap_or(MOST_THREADS).clamp(1, MOST_THREADS),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_worth_their_start() {
        let cases = [
            (4096, 8, 1),
            (2 << 20, 8, 2),
            (2 << 20, 1, 1),
            (200 << 20, 2, 2),
            (200 << 20, 64, 4),
            (200 << 20, 0, 1),
        ];
        for (length, processors, expected) in cases {
            assert_eq!(
                threads(length, || processors),
                expected,
                "{length} bytes, {processors} processors"
            );
        }
    }
}
