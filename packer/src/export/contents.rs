//! The bytes of a file of the plan: as many as were planned, or an error.

use std::fs::File;
use std::io::{self, Read};

use crate::image::ImageError;
use crate::rootfs::{RootPath, Rootfs};

/// A regular file's contents.
pub(super) struct Contents<'a> {
    path: &'a RootPath,
    source: Source<'a>,
    planned: u64,
    read: u64,
    progress: &'a mut dyn FnMut(u64),
    failure: Option<ImageError>,
}

enum Source<'a> {
    Rootfs(File),
    Plan(&'a [u8]),
}

impl<'a> Contents<'a> {
    /// Of the file at `path` of the root file system, of `planned` bytes.
    pub(super) fn of_rootfs(
        rootfs: &Rootfs,
        path: &'a RootPath,
        planned: u64,
        progress: &'a mut dyn FnMut(u64),
    ) -> Result<Self, ImageError> {
        let file = rootfs.open_file(path).map_err(ImageError::Open)?;
        Ok(Self::new(path, Source::Rootfs(file), planned, progress))
    }

    /// Of a file that the plan brings.
    pub(super) fn of_plan(path: &'a RootPath, bytes: &'a [u8], progress: &'a mut dyn FnMut(u64)) -> Self {
        Self::new(path, Source::Plan(bytes), bytes.len() as u64, progress)
    }

    fn new(path: &'a RootPath, source: Source<'a>, planned: u64, progress: &'a mut dyn FnMut(u64)) -> Self {
        Self {
            path,
            source,
            planned,
            read: 0,
            progress,
            failure: None,
        }
    }

    /// Copies all of it with `copy`, and tells what failed: reading says more than what the copier makes of it.
    pub(super) fn copy<T>(&mut self, copy: impl FnOnce(&mut Self) -> io::Result<T>) -> Result<T, ImageError> {
        let copied = copy(self);
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => copied.map_err(ImageError::Write),
        }
    }

    fn fail(&mut self, failure: ImageError) -> io::Error {
        self.failure = Some(failure);
        io::Error::from(io::ErrorKind::InvalidData)
    }

    fn changed(&mut self) -> io::Error {
        let found = match &self.source {
            Source::Rootfs(file) => file.metadata().map_or(self.read, |metadata| metadata.len()),
            Source::Plan(_) => self.read,
        };
        let (path, planned) = (self.path.clone(), self.planned);
        self.fail(ImageError::Changed { path, planned, found })
    }
}

impl Read for Contents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.source {
            Source::Rootfs(file) => file.read(buffer),
            Source::Plan(bytes) => bytes.read(buffer),
        };
        let count = match read {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(source) => {
                let path = self.path.clone();
                return Err(self.fail(ImageError::Read { path, source }));
            }
        };
        self.read += count as u64;
        let is_end = count == 0 && !buffer.is_empty();
        if self.read > self.planned || (is_end && self.read < self.planned) {
            return Err(self.changed());
        }
        (self.progress)(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_is_told_of() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("file"), b"0123456789").expect("room");
        let rootfs = Rootfs::open(root.path()).expect("a root");
        let path = RootPath::new("/file");
        for (planned, whole) in [(10, true), (9, false), (11, false), (0, false)] {
            let mut told = 0;
            let mut progress = |bytes| told += bytes;
            let mut contents = Contents::of_rootfs(&rootfs, &path, planned, &mut progress).expect("there");
            let mut bytes = Vec::new();
            let copied = contents.copy(|contents| contents.read_to_end(&mut bytes));
            match copied {
                Ok(count) => assert!(whole && count == 10 && told == 10),
                Err(ImageError::Changed {
                    planned: was, found, ..
                }) => {
                    assert!(!whole && was == planned && found == 10);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let gone = RootPath::new("/gone");
        let mut progress = |_| ();
        let missing = Contents::of_rootfs(&rootfs, &gone, 1, &mut progress);
        assert!(matches!(missing, Err(ImageError::Open(_))));
    }
}
