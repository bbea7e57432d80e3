//! Where the image goes: buffered, and knowing its position without asking the kernel.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// Enough for several blocks, so that small writes of metadata do not become system calls.
const BUFFER: usize = 256 * 1024;

/// Buffers writes. backhand asks for the position before each block, which would empty the buffer of a plain [`BufWriter`] each time.
///
/// The first failure is kept: on its way through backhand an error may lose its errno.
pub(super) struct Output<W: Write + Seek> {
    inner: BufWriter<W>,
    position: u64,
    failure: Option<io::Error>,
}

impl<W: Write + Seek> Output<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner: BufWriter::with_capacity(BUFFER, inner),
            position: 0,
            failure: None,
        }
    }

    /// The first failure, if there was one.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn keep<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let copy = match error.raw_os_error() {
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => io::Error::from(error.kind()),
            };
            self.failure.get_or_insert(error);
            copy
        })
    }
}

impl<W: Write + Seek> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        let written = self.keep(written)?;
        self.position += u64::try_from(written).unwrap_or_default();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.keep(flushed)
    }
}

impl<W: Write + Seek> Seek for Output<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Current(0) && to != SeekFrom::Start(self.position) {
            let position = self.inner.seek(to);
            self.position = self.keep(position)?;
        }
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn position_follows_writes_and_seeks() {
        let mut output = Output::new(Cursor::new(Vec::new()));
        output.write_all(b"head").expect("memory");
        assert_eq!(output.stream_position().expect("memory"), 4);
        output.write_all(b"tail").expect("memory");
        assert_eq!(output.seek(SeekFrom::Start(2)).expect("memory"), 2);
        output.write_all(b"xx").expect("memory");
        assert_eq!(output.seek(SeekFrom::End(0)).expect("memory"), 8);
        output.flush().expect("memory");
        assert_eq!(output.inner.get_ref().get_ref(), b"hexxtail");
    }

    /// Has room for so many bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(io::Error::from_raw_os_error(28))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Full {
        fn seek(&mut self, _to: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    #[test]
    fn the_first_failure_is_kept_with_its_errno() {
        let mut output = Output::new(Full(BUFFER));
        output.write_all(&[0; BUFFER]).expect("room");
        let error = output.write_all(&[0; BUFFER]).expect_err("no room");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(output.take_failure().and_then(|error| error.raw_os_error()), Some(28));
    }
}
