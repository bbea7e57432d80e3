//! zstd, with contexts and buffers that are used again.

use crate::cache::lock;
use crate::error::Error;
use std::fmt;
use std::sync::Mutex;
use zstd_safe::{DCtx, WriteBuf};

/// How many idle decompressors are kept: one for each thread that is likely to read at once. Each holds about 100 KiB
/// of context and an input buffer of one block at most.
const KEPT: usize = 4;

/// Decompressors that wait for work.
#[derive(Debug)]
pub(crate) struct Decompressors {
    idle: Mutex<Vec<Decompressor>>,
}

impl Decompressors {
    pub(crate) const fn new() -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Lends a decompressor to `work`.
    pub(crate) fn lend<T>(
        &self,
        work: impl FnOnce(&mut Decompressor) -> Result<T, Box<Error>>,
    ) -> Result<T, Box<Error>> {
        let mut decompressor = self.take()?;
        let result = work(&mut decompressor);
        self.keep(decompressor);
        result
    }

    fn take(&self) -> Result<Decompressor, Box<Error>> {
        let idle = lock(&self.idle).pop();
        match idle {
            Some(decompressor) => Ok(decompressor),
            None => Ok(Decompressor {
                context: DCtx::try_create().ok_or(Error::NoMemory)?,
                input: Vec::new(),
            }),
        }
    }

    fn keep(&self, decompressor: Decompressor) {
        let mut idle = lock(&self.idle);
        if idle.len() < KEPT {
            idle.push(decompressor);
        }
    }
}

/// A zstd context and the buffer its input is read into.
pub(crate) struct Decompressor {
    context: DCtx<'static>,
    input: Vec<u8>,
}

impl Decompressor {
    /// The first `length` bytes of the input buffer, which grows with what is asked for: at most a block.
    pub(crate) fn input(&mut self, length: usize) -> &mut [u8] {
        if self.input.len() < length {
            self.input.resize(length, 0);
        }
        self.input.get_mut(..length).unwrap_or_default()
    }

    /// Decompresses the given range of the input buffer to the front of `output`, never past its end, and says how
    /// many bytes that gave. `None` when the input is no zstd, or more than fits.
    pub(crate) fn decompress<T: WriteBuf + ?Sized>(
        &mut self,
        input: std::ops::Range<usize>,
        output: &mut T,
    ) -> Option<usize> {
        self.context.decompress(output, self.input.get(input)?).ok()
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("input", &self.input.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decompresses `frame` to at most `room` bytes, through a vector and through a slice, which must agree.
    fn decompress(decompressors: &Decompressors, frame: &[u8], room: usize) -> Option<Vec<u8>> {
        let both = decompressors.lend(|decompressor| {
            decompressor.input(frame.len()).copy_from_slice(frame);
            let mut vector = Vec::with_capacity(room);
            let grown = decompressor.decompress(0..frame.len(), &mut vector);
            let mut slice = vec![0xee; room];
            let filled = decompressor.decompress(0..frame.len(), slice.as_mut_slice());
            assert_eq!(grown, filled);
            assert_eq!(grown.unwrap_or(0), vector.len());
            assert_eq!(slice[..vector.len()], vector[..]);
            Ok(grown.map(|_| vector))
        });
        both.expect("memory")
    }

    #[test]
    fn output_never_outgrows_its_room_and_contexts_outlive_failures() {
        let decompressors = Decompressors::new();
        let bytes = vec![7; 10_000];
        let mut frame = vec![0; zstd_safe::compress_bound(bytes.len())];
        let length = zstd_safe::compress(frame.as_mut_slice(), &bytes, 3).expect("zstd");
        frame.truncate(length);
        for (frame, room, expected) in [
            (&frame[..], 10_000, Some(10_000)),
            (&frame[..], 9999, None),
            (&frame[..], 20_000, Some(10_000)),
            (&frame[..length - 1], 10_000, None),
            (&frame[1..], 10_000, None),
            (&[], 10, Some(0)),
            (&frame[..], 10_000, Some(10_000)),
        ] {
            assert_eq!(
                decompress(&decompressors, frame, room),
                expected.map(|length| vec![7; length])
            );
        }
        assert_eq!(lock(&decompressors.idle).len(), 1, "one context did it all");
    }
}
