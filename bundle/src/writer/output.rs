//! What a bundle is written into.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};

/// A file that can be written, read back and cut.
pub trait Output: Read + Write + Seek {
    /// Sets the length in bytes: cuts what is behind, or adds zeros.
    ///
    /// # Errors
    /// What the system says.
    fn set_length(&mut self, length: u64) -> io::Result<()>;
}

impl Output for File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Output for &File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Output for Cursor<Vec<u8>> {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.get_mut().resize(length, 0);
        Ok(())
    }
}

impl<T: Output + ?Sized> Output for &mut T {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        (**self).set_length(length)
    }
}
