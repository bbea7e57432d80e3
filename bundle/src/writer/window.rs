//! A part of a file as a file of its own.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// The bytes of a file from an offset on; positions count from there. Nothing in front can be reached.
///
/// The position is the file's own, and at the window's beginning to start with.
#[derive(Debug)]
pub struct Window<'a, W> {
    file: &'a mut W,
    start: u64,
    /// The file is not yet where the window begins.
    fresh: bool,
}

impl<'a, W: Seek> Window<'a, W> {
    pub(super) fn new(file: &'a mut W, start: u64) -> Self {
        Window {
            file,
            start,
            fresh: true,
        }
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.fresh {
            self.file.seek(SeekFrom::Start(self.start))?;
            self.fresh = false;
        }
        Ok(())
    }

    fn negative() -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, "seek before the beginning of the image")
    }
}

impl<W: Read + Seek> Read for Window<'_, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.settle()?;
        self.file.read(buf)
    }
}

impl<W: Write + Seek> Write for Window<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.settle()?;
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<W: Seek> Seek for Window<'_, W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.settle()?;
        let from_start = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => (self.file.stream_position()? - self.start).checked_add_signed(by),
            SeekFrom::End(by) => {
                let position = self.file.stream_position()?;
                let end = self.file.seek(SeekFrom::End(0))?;
                self.file.seek(SeekFrom::Start(position))?;
                end.saturating_sub(self.start).checked_add_signed(by)
            }
        };
        let offset = from_start.ok_or_else(Self::negative)?;
        let absolute = self.start.checked_add(offset).ok_or_else(Self::negative)?;
        self.file.seek(SeekFrom::Start(absolute))?;
        Ok(offset)
    }
}
