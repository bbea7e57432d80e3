//! The ELF files of a root file system, each read once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use nix::errno::Errno;

use super::{ElfError, ElfFacts};
use crate::rootfs::{RootPath, Rootfs, RootfsError};

/// What a file turned out to be: the facts of an ELF file, or why there are none.
pub type Facts = Result<Arc<ElfFacts>, ElfError>;

/// Facts of the files of a root file system, kept by path.
#[derive(Debug)]
pub struct ElfStore<'a> {
    rootfs: &'a Rootfs,
    known: RefCell<HashMap<RootPath, Facts>>,
}

impl<'a> ElfStore<'a> {
    /// An empty store.
    pub fn new(rootfs: &'a Rootfs) -> Self {
        Self {
            rootfs,
            known: RefCell::default(),
        }
    }

    /// The root file system that the files are in.
    pub fn rootfs(&self) -> &'a Rootfs {
        self.rootfs
    }

    /// Facts of the regular file at `path`, whose links are resolved.
    ///
    /// # Errors
    /// [`RootfsError`] where the file cannot be opened or read. That it is not an ELF file is a fact, not an error.
    pub fn facts(&self, path: &RootPath) -> Result<Facts, RootfsError> {
        if let Some(known) = self.known.borrow().get(path) {
            return Ok(known.clone());
        }
        let file = self.rootfs.open_file(path)?;
        let facts = ElfFacts::read(&file).map(Arc::new);
        if let Err(ElfError::Read(errno)) = facts {
            return Err(RootfsError::Read {
                path: path.clone(),
                errno,
            });
        }
        self.known.borrow_mut().insert(path.clone(), facts.clone());
        Ok(facts)
    }

    /// Facts of the ELF files read so far, by path.
    pub(crate) fn known(&self) -> Vec<(RootPath, Arc<ElfFacts>)> {
        let known = self.known.borrow();
        let elf = known
            .iter()
            .filter_map(|(path, facts)| Some((path.clone(), Arc::clone(facts.as_ref().ok()?))));
        let mut elf: Vec<_> = elf.collect();
        elf.sort_by(|(a, _), (b, _)| a.cmp(b));
        elf
    }

    /// Number of files read so far.
    pub fn len(&self) -> usize {
        self.known.borrow().len()
    }

    /// Has nothing been read yet?
    pub fn is_empty(&self) -> bool {
        self.known.borrow().is_empty()
    }
}

/// Is a look-up that failed this way the same to a loader as one that found nothing? What the person packing may not read is not:
/// it may be there for the app.
pub(crate) fn is_absence(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG
    )
}
