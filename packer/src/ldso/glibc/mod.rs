//! The loader of the GNU C library: `_dl_map_object` (`elf/dl-load.c`), `_dl_map_object_deps` (`elf/dl-deps.c`), preloading and
//! auditing as in `elf/rtld.c`.

mod run;
mod search;

use std::cell::RefCell;
use std::collections::HashMap;

use nix::errno::Errno;

use super::builtin::GlibcBuild;
use super::cache::Cache;
use super::hwcaps::{self, Processor};
use super::search_path::preload_names;
use super::{Cause, Loader, Main, Process};
use crate::elf::{ElfStore, Target};
use crate::rootfs::{Kind, Last, RootPath, Rootfs, RootfsError};
use run::{Namespace, PROGRAM, Run};

/// Most bytes of a cache or a preload list.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// A glibc loader with the files it reads.
#[derive(Debug)]
pub(super) struct Glibc {
    build: GlibcBuild,
    known: bool,
    cache: Option<Cache>,
    preload: Vec<Vec<u8>>,
    /// Directories that were searched: none where there is no such directory.
    directories: RefCell<HashMap<Vec<u8>, Option<Directory>>>,
}

/// A directory of a search path.
#[derive(Debug, Clone, Copy)]
struct Directory {
    /// Has a subdirectory for particular processors.
    for_processors: bool,
}

impl Glibc {
    pub(super) fn new(rootfs: &Rootfs, build: GlibcBuild, known: bool, target: Target) -> Result<Self, RootfsError> {
        let cache = read_if_there(rootfs, &build.cache)?.and_then(|bytes| Cache::parse(&bytes, target.encoding));
        let preload = read_if_there(rootfs, &build.preload)?
            .map(|bytes| preload_names(&bytes))
            .unwrap_or_default();
        Ok(Self {
            build,
            known,
            cache,
            preload,
            directories: RefCell::default(),
        })
    }

    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    pub(super) fn levels(&self) -> usize {
        self.build.hwcaps.len()
    }

    pub(super) fn files(&self) -> Vec<Vec<u8>> {
        let files = [&self.build.cache, &self.build.preload];
        files.into_iter().filter(|path| !path.is_empty()).cloned().collect()
    }

    pub(super) fn alternatives(&self, name: &[u8], target: Target) -> Vec<Vec<u8>> {
        let cached = self
            .cache
            .iter()
            .filter(|cache| cache.depends_on_processor(name, target));
        cached
            .flat_map(|cache| cache.alternatives(name, target))
            .map(<[u8]>::to_vec)
            .collect()
    }

    pub(super) fn load(
        &self,
        loader: &Loader,
        store: &ElfStore<'_>,
        main: &Main,
        processor: &Processor,
    ) -> Result<Process, RootfsError> {
        let mut run = Run::new(self, loader, store, processor);
        let mut base = Namespace::default();
        run.add_program(&mut base, main);
        let mut list = vec![PROGRAM];
        for name in &self.preload {
            list.extend(run.request(&mut base, name, PROGRAM, Cause::Preload, true)?);
        }
        run.map_dependencies(&mut base, list)?;
        for names in [&main.facts.audit, &main.facts.depaudit].into_iter().flatten() {
            for name in names.split(|&byte| byte == b':').filter(|name| !name.is_empty()) {
                let mut namespace = Namespace::default();
                let library = run.request(&mut namespace, name, PROGRAM, Cause::Audit, true)?;
                run.map_dependencies(&mut namespace, library.into_iter().collect())?;
            }
        }
        Ok(run.process)
    }

    pub(super) fn open_library(
        &self,
        loader: &Loader,
        store: &ElfStore<'_>,
        process: Option<&Process>,
        path: &[u8],
        processor: &Processor,
    ) -> Result<Process, RootfsError> {
        let mut run = Run::new(self, loader, store, processor);
        let mut namespace = Namespace::default();
        match process {
            Some(process) => run.resume(&mut namespace, process),
            None => run.add_loader(&mut namespace),
        }
        let by = if process.is_some() { PROGRAM } else { 0 };
        let library = run.request(&mut namespace, path, by, Cause::Opened, false)?;
        run.map_dependencies(&mut namespace, library.into_iter().collect())?;
        Ok(run.process)
    }

    /// What is known of the directory `path` (with its slash, empty for the working directory); asked once.
    fn directory(&self, store: &ElfStore<'_>, path: &[u8], target: Target) -> Result<Option<Directory>, RootfsError> {
        if let Some(&known) = self.directories.borrow().get(path) {
            return Ok(known);
        }
        let rootfs = store.rootfs();
        let place = if path.is_empty() { b"/" } else { path };
        let directory = match resolve_if_there(rootfs, place) {
            Ok(Some(real)) => Some(Directory {
                for_processors: self.has_marker(rootfs, &real, target)?,
            }),
            Ok(None) => None,
            Err(error) if error.errno() == Errno::EACCES => Some(Directory { for_processors: false }),
            Err(error) => return Err(error),
        };
        self.directories.borrow_mut().insert(path.to_vec(), directory);
        Ok(directory)
    }

    fn has_marker(&self, rootfs: &Rootfs, directory: &RootPath, target: Target) -> Result<bool, RootfsError> {
        for name in hwcaps::markers(target, self.build.legacy_hwcaps) {
            if resolve_if_there(rootfs, directory.join(name).as_bytes())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The directory at `path`, if there is one.
fn resolve_if_there(rootfs: &Rootfs, path: &[u8]) -> Result<Option<RootPath>, RootfsError> {
    match rootfs.resolve(path, Last::Follow) {
        Ok(place) => Ok((place.metadata.kind == Kind::Directory).then_some(place.path)),
        Err(error) if crate::elf::is_absence(error.errno()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Contents of the file at `path`; none where there is no regular file.
pub(super) fn read_if_there(rootfs: &Rootfs, path: &[u8]) -> Result<Option<Vec<u8>>, RootfsError> {
    if path.is_empty() {
        return Ok(None);
    }
    match rootfs.read_file(&RootPath::new(path), MAX_FILE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if crate::elf::is_absence(error.errno()) => Ok(None),
        Err(RootfsError::Lookup {
            errno: Errno::EISDIR | Errno::ENXIO,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}
