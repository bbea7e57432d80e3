//! Reading at a position.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Something that can be read at any position by many threads at once: the bytes of an image.
pub trait ReadAt {
    /// Fills `buf` with the bytes from `offset` on, counted from the first byte of the image.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] when fewer bytes are there; whatever reading fails with.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buf, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..buf.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buf, offset)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buf, offset)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_inside_its_bounds_only() {
        let bytes: Arc<Vec<u8>> = Arc::new((0..10).collect());
        let read = |offset, length| {
            let mut buf = vec![0xee; length];
            bytes
                .read_exact_at(&mut buf, offset)
                .map(|()| buf)
                .map_err(|error| error.kind())
        };
        let end = Err(io::ErrorKind::UnexpectedEof);
        for (offset, length, expected) in [
            (0, 10, Ok((0..10).collect())),
            (7, 3, Ok(vec![7, 8, 9])),
            (10, 0, Ok(vec![])),
            (7, 4, end.clone()),
            (11, 0, end.clone()),
            (u64::MAX, 1, end),
        ] {
            assert_eq!(read(offset, length), expected, "{length} bytes at {offset}");
        }
    }
}
