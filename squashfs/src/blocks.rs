//! The list of a file's data blocks: one word a block, behind the inode.

use crate::Image;
use crate::cache::lock;
use crate::data::Extent;
use crate::error::{Error, Part};
use crate::fragment::Fragment;
use crate::metadata::{Position, Stream};
use crate::read_at::ReadAt;
use std::sync::Mutex;

/// Bytes of a word of the list.
pub(crate) const WORD_SIZE: usize = 4;

/// Words that are read at once when blocks are passed over.
const WORDS_AT_ONCE: usize = 64;

/// Blocks that are passed over without a waypoint to shorten it, and so the least distance between two: a metadata
/// block full of words, which is a quarter of a gibibyte of file in blocks of the usual size.
const LEAST_STRIDE: u64 = 2048;

/// Waypoints of one file at most; the stride grows with the file.
const WAYPOINTS: u64 = 128;

/// Large files whose waypoints are kept.
const FILES: usize = 8;

/// Where a file's data is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileBlocks {
    /// Where the list begins.
    pub(crate) list: Position,
    /// How many words it has.
    pub(crate) count: u64,
    /// Where the first block begins in the image.
    pub(crate) start: u64,
    /// Where the tail end is, if it is not a block.
    pub(crate) fragment: Option<Fragment>,
}

/// A place in the list that can be gone on from.
#[derive(Debug, Clone, Copy)]
struct Waypoint {
    at: Position,
    start: u64,
}

/// Places in the lists of large files. A block's place in the image is the sum of all sizes before it; without
/// waypoints every read of a large file would add them up from the first.
#[derive(Debug)]
pub(crate) struct Waypoints {
    files: Mutex<Vec<FileWaypoints>>,
}

#[derive(Debug)]
struct FileWaypoints {
    /// Names the file.
    list: Position,
    /// The place of block `(i + 1) * stride`.
    places: Vec<Waypoint>,
}

impl Waypoints {
    pub(crate) const fn new() -> Self {
        Self {
            files: Mutex::new(Vec::new()),
        }
    }

    /// The last place known at or before waypoint number `wanted`, with its number; 0 is the start of the list.
    fn nearest(&self, blocks: &FileBlocks, wanted: u64) -> (u64, Waypoint) {
        let first = (
            0,
            Waypoint {
                at: blocks.list,
                start: blocks.start,
            },
        );
        if wanted == 0 {
            return first;
        }
        let files = lock(&self.files);
        let Some(file) = files.iter().find(|file| file.list == blocks.list) else {
            return first;
        };
        let number = file.places.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
        match number.checked_sub(1).and_then(|last| file.places.get(last)) {
            Some(place) => (number as u64, *place),
            None => first,
        }
    }

    /// Keeps waypoint `number` (from 1) of a file if it is the next one. The file used longest ago gives way.
    fn keep(&self, blocks: &FileBlocks, number: u64, place: Waypoint) {
        let mut files = lock(&self.files);
        let mut file = match files.iter().position(|file| file.list == blocks.list) {
            Some(at) => files.remove(at),
            None => FileWaypoints {
                list: blocks.list,
                places: Vec::new(),
            },
        };
        if file.places.len() as u64 + 1 == number && number <= WAYPOINTS {
            file.places.push(place);
        }
        if files.len() == FILES {
            files.remove(0);
        }
        files.push(file);
    }
}

/// Reads the list from some block on.
#[derive(Debug)]
pub(crate) struct BlockList<'a, R> {
    image: &'a Image<R>,
    stream: Stream<'a, R>,
    /// Where the next block begins in the image.
    start: u64,
}

impl<'a, R: ReadAt> BlockList<'a, R> {
    /// The list of a file from block `index` on; `index` is at most the number of blocks.
    pub(crate) fn seek(image: &'a Image<R>, blocks: &FileBlocks, index: u64) -> Result<Self, Box<Error>> {
        let stride = blocks.count.div_ceil(WAYPOINTS).max(LEAST_STRIDE);
        let (mut number, place) = image.waypoints.nearest(blocks, index / stride);
        let stream = Stream::open(image, image.inode_region(), place.at)?;
        let mut list = Self {
            image,
            stream,
            start: place.start,
        };
        let mut at = number * stride;
        while index - at >= stride {
            list.pass(stride)?;
            at += stride;
            number += 1;
            image.waypoints.keep(
                blocks,
                number,
                Waypoint {
                    at: list.stream.position(),
                    start: list.start,
                },
            );
        }
        list.pass(index - at)?;
        Ok(list)
    }

    /// Where the next block is; `None` for a hole.
    pub(crate) fn next(&mut self) -> Result<Option<Extent>, Box<Error>> {
        let mut word = [0; WORD_SIZE];
        self.stream.read(&mut word)?;
        match u32::from_le_bytes(word) {
            0 => Ok(None),
            word => {
                let extent = Extent::decode(Part::Data, self.start, word, &self.image.superblock)?;
                self.start = extent.end();
                Ok(Some(extent))
            }
        }
    }

    /// Passes over `count` blocks.
    fn pass(&mut self, count: u64) -> Result<(), Box<Error>> {
        let mut rest = count;
        while rest > 0 {
            let now = usize::try_from(rest).unwrap_or(usize::MAX).min(WORDS_AT_ONCE);
            let mut buffer = [0; WORD_SIZE * WORDS_AT_ONCE];
            let words = buffer.get_mut(..now * WORD_SIZE).unwrap_or_default();
            self.stream.read(words)?;
            let (words, _) = words.as_chunks();
            // 64 sizes of at most 2^24 do not overflow; next() judges each block it comes to.
            let passed: u64 = words
                .iter()
                .map(|word| u64::from(Extent::size_on_disk(u32::from_le_bytes(*word))))
                .sum();
            self.start = self.start.saturating_add(passed);
            rest -= now as u64;
        }
        Ok(())
    }
}
