//! The only slicing of fixed records: little-endian fields, one after the other.

/// Takes fields off the front of a record that was read whole.
///
/// A record's length is known before it is read, so running out of it is a mistake of this crate and not of an
/// image; the missing bytes read as zero rather than as a panic.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(record: &'a [u8]) -> Self {
        Self { rest: record }
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        debug_assert!(self.rest.len() >= N, "a record shorter than its fields");
        match self.rest.split_first_chunk() {
            Some((field, rest)) => {
                self.rest = rest;
                *field
            }
            None => [0; N],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_little_endian_and_in_order() {
        let record = [1, 2, 0xfe, 0xff, 3, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0x40];
        let mut fields = Cursor::new(&record);
        assert_eq!(fields.u16(), 0x0201);
        assert_eq!(fields.i16(), -2);
        assert_eq!(fields.u32(), 0x8000_0003);
        assert_eq!(fields.u64(), 0x4000_0000_0000_0001);
    }
}
