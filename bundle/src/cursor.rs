//! The only slicing of untrusted bytes in this crate: a read position that never passes the end.

use crate::layout::BLOCK_LENGTH;

/// Byte order of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    /// Least significant byte first: everything in the format but, on some machines, the stub's ELF header.
    Little,
    /// Most significant byte first.
    Big,
}

/// Bytes not yet read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    endian: Endian,
}

impl<'a> Cursor<'a> {
    /// All of `bytes`, little endian.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor {
            rest: bytes,
            endian: Endian::Little,
        }
    }

    /// `bytes` from `offset` on; none when it lies behind the end.
    pub(crate) fn at(bytes: &'a [u8], offset: usize, endian: Endian) -> Option<Self> {
        Some(Cursor {
            rest: bytes.get(offset..)?,
            endian,
        })
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next `N` bytes by value.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let bytes = self.array()?;
        Some(match self.endian {
            Endian::Little => u16::from_le_bytes(bytes),
            Endian::Big => u16::from_be_bytes(bytes),
        })
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let bytes = self.array()?;
        Some(match self.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let bytes = self.array()?;
        Some(match self.endian {
            Endian::Little => u64::from_le_bytes(bytes),
            Endian::Big => u64::from_be_bytes(bytes),
        })
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Position of the first byte that is not zero.
pub(crate) fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte != 0)
}

/// The bytes of a file from `start` on, addressed by their offset in the file.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Extent {
    /// The bytes from file offset `from` to `to`; none unless all of them are here.
    pub(crate) fn range(&self, from: u64, to: u64) -> Option<&[u8]> {
        let from = usize::try_from(from.checked_sub(self.start)?).ok()?;
        let to = usize::try_from(to.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..to)
    }

    /// The block at file offset `from`.
    pub(crate) fn block(&self, from: u64) -> Option<&[u8; BLOCK_LENGTH]> {
        self.range(from, from.checked_add(crate::layout::BLOCK_SIZE)?)?
            .first_chunk()
    }

    /// File offset behind the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
