//! The dynamic loaders, emulated: which files a program's loader will map, in which order, found where.
//!
//! No code of the root file system is run, so this works for every architecture. The rules are those of the sources: glibc's
//! `elf/dl-load.c`, `dl-deps.c`, `dl-cache.c` and `rtld.c`, musl's `ldso/dynlink.c`; the modules `glibc` and `musl` name the functions.
//! The environment is taken to be empty: no LD_LIBRARY_PATH, no LD_PRELOAD.

mod builtin;
mod cache;
mod candidate;
mod conf;
mod glibc;
mod hwcaps;
mod musl;
mod search_path;
mod tokens;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::elf::{ElfError, ElfFacts, ElfStore, Target};
use crate::rootfs::{Last, RootPath, Rootfs, RootfsError};

pub use builtin::{Build, GlibcBuild, MuslBuild};
pub use candidate::Refusal;
pub use conf::{ConfiguredDirectories, configured_directories};
use glibc::Glibc;
pub use hwcaps::Processor;
use musl::Musl;

/// Most bytes of a loader that are searched for what it was built with; the largest have a few MiB with their symbols.
const MAX_LOADER: u64 = 64 * 1024 * 1024;

/// A dynamic loader of the root file system.
#[derive(Debug)]
pub struct Loader {
    /// As PT_INTERP names it.
    pub interpreter: Vec<u8>,
    /// Where that leads.
    pub path: RootPath,
    /// What it loads.
    pub target: Target,
    facts: Arc<ElfFacts>,
    identity: (u64, u64),
    family: Family,
}

/// Which rules a loader follows.
#[derive(Debug)]
enum Family {
    Glibc(Box<Glibc>),
    Musl(Musl),
}

/// Why a loader cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoaderError {
    /// There is nothing at the interpreter's path, or no regular file.
    Missing,
    /// It is not a sound ELF file.
    Elf(ElfError),
    /// It, or a file it reads, cannot be looked up or read.
    Rootfs(RootfsError),
}

impl Loader {
    /// The loader that `interpreter`, a PT_INTERP, leads to.
    ///
    /// # Errors
    /// [`LoaderError`].
    pub fn open(store: &ElfStore<'_>, interpreter: &[u8]) -> Result<Self, LoaderError> {
        let rootfs = store.rootfs();
        let place = match rootfs.resolve(interpreter, Last::Follow) {
            Ok(place) if place.metadata.kind == crate::rootfs::Kind::File => place,
            Ok(_) => return Err(LoaderError::Missing),
            Err(error) if crate::elf::is_absence(error.errno()) => return Err(LoaderError::Missing),
            Err(error) => return Err(LoaderError::Rootfs(error)),
        };
        let facts = store
            .facts(&place.path)
            .map_err(LoaderError::Rootfs)?
            .map_err(LoaderError::Elf)?;
        let bytes = rootfs.read_file(&place.path, MAX_LOADER).map_err(LoaderError::Rootfs)?;
        let family =
            Family::new(rootfs, interpreter, &place.path, &bytes, facts.target).map_err(LoaderError::Rootfs)?;
        let (path, identity) = (place.path, place.metadata.identity);
        Ok(Self {
            interpreter: interpreter.to_vec(),
            path,
            target: facts.target,
            facts,
            identity,
            family,
        })
    }

    /// Is it a loader whose rules are known here? Others are taken to follow glibc's.
    pub fn is_known(&self) -> bool {
        match &self.family {
            Family::Glibc(glibc) => glibc.is_known(),
            Family::Musl(_) => true,
        }
    }

    /// Is it musl's?
    pub fn is_musl(&self) -> bool {
        matches!(self.family, Family::Musl(_))
    }

    /// The processors that may make a difference to it, the most capable first.
    pub fn processors(&self) -> Vec<Processor> {
        match &self.family {
            Family::Glibc(glibc) => hwcaps::processors(self.target, glibc.levels()),
            Family::Musl(_) => hwcaps::processors(self.target, 0).into_iter().take(1).collect(),
        }
    }

    /// Files that it reads at every start: cache, preload list, path file. They need not exist.
    pub fn files(&self) -> Vec<Vec<u8>> {
        match &self.family {
            Family::Glibc(glibc) => glibc.files(),
            Family::Musl(musl) => musl.files(),
        }
    }

    /// Loads `main` on `processor` with all it depends on.
    ///
    /// # Errors
    /// A file on the way that cannot be read. What the loader would not find or refuse is in the process's faults.
    pub fn load(&self, store: &ElfStore<'_>, main: &Main, processor: &Processor) -> Result<Process, RootfsError> {
        match &self.family {
            Family::Glibc(glibc) => glibc.load(self, store, main, processor),
            Family::Musl(musl) => musl.load(self, store, main),
        }
    }

    /// Loads the library at `path` as `dlopen` does when the program of `process` calls it; without a process, as it would be in
    /// the process of any program that brings no search paths of its own. The process it returns has the objects of the one given
    /// before the new ones, but only the new faults and aliases.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn open_library(
        &self,
        store: &ElfStore<'_>,
        process: Option<&Process>,
        path: &[u8],
        processor: &Processor,
    ) -> Result<Process, RootfsError> {
        match &self.family {
            Family::Glibc(glibc) => glibc.open_library(self, store, process, path, processor),
            Family::Musl(musl) => musl.open_library(self, store, process, path),
        }
    }

    /// Paths that another processor's loader, or one of an older scheme, may take for the library `name`.
    pub fn alternatives(&self, name: &[u8]) -> Vec<Vec<u8>> {
        match &self.family {
            Family::Glibc(glibc) => glibc.alternatives(name, self.target),
            Family::Musl(_) => Vec::new(),
        }
    }
}

impl Family {
    fn new(
        rootfs: &Rootfs,
        interpreter: &[u8],
        path: &RootPath,
        bytes: &[u8],
        target: Target,
    ) -> Result<Self, RootfsError> {
        Ok(match Build::recognise(bytes, path) {
            Some(Build::Musl(build)) => Self::Musl(Musl::new(rootfs, interpreter, build)?),
            Some(Build::Glibc(build)) => Self::Glibc(Box::new(Glibc::new(rootfs, build, true, target)?)),
            None => Self::Glibc(Box::new(Glibc::new(rootfs, GlibcBuild::by_place(path), false, target)?)),
        })
    }
}

/// The program of a process.
#[derive(Debug, Clone)]
pub struct Main {
    /// Its path without links, which `/proc/self/exe` shows; its directory is its `$ORIGIN`.
    pub path: RootPath,
    /// Its facts.
    pub facts: Arc<ElfFacts>,
    /// Device and inode number.
    pub identity: (u64, u64),
}

/// What a loader has mapped.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The objects in the order they were loaded: the program, its loader, then the rest.
    pub objects: Vec<Object>,
    /// Libraries that were asked for and not loaded.
    pub faults: Vec<Fault>,
    /// Other paths that loaded objects were opened at (a second name of the same file), with the object that asked.
    pub aliases: Vec<Alias>,
    /// Directories of search paths that could not be looked into; the loader passes over them as well.
    pub unreadable: BTreeSet<Vec<u8>>,
    /// Another processor may load other files.
    pub varies: bool,
}

/// Why an object was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The program itself.
    Program,
    /// PT_INTERP.
    Interpreter,
    /// `/etc/ld.so.preload`.
    Preload,
    /// DT_NEEDED.
    Needed,
    /// DT_FILTER or DT_AUXILIARY.
    Filter,
    /// DT_AUDIT or DT_DEPAUDIT.
    Audit,
    /// `dlopen`.
    Opened,
}

/// A mapped file.
#[derive(Debug, Clone)]
pub struct Object {
    /// The name it was first asked for by.
    pub requested: Vec<u8>,
    /// The path it was opened at, as the loader puts it together: it may be relative, and have links and `..`.
    pub opened: Vec<u8>,
    /// Where that leads.
    pub path: RootPath,
    /// Its facts.
    pub facts: Arc<ElfFacts>,
    /// Device and inode number.
    pub identity: (u64, u64),
    /// Why it was loaded.
    pub cause: Cause,
    /// The object that asked for it, as an index; none for the program.
    pub by: Option<usize>,
    /// Found in a default directory or through the cache.
    pub by_default: bool,
}

/// A library that was asked for and not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name asked for.
    pub name: Vec<u8>,
    /// The object that asked, as an index.
    pub by: usize,
    /// The loader goes on without it: DT_AUXILIARY, preload.
    pub optional: bool,
    /// What stopped the loader; none where nothing was found.
    pub refused: Option<(Vec<u8>, Refusal)>,
}

/// A second path of a loaded object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name asked for.
    pub requested: Vec<u8>,
    /// The path it was opened at.
    pub opened: Vec<u8>,
    /// The object that asked, as an index.
    pub by: usize,
}

impl fmt::Display for LoaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("not in the root file system"),
            Self::Elf(error) => error.fmt(f),
            Self::Rootfs(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoaderError {}

/// Directory part of a path as the loaders cut it: up to the last slash, the root for what lies there or has no slash.
fn directory_of(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) | None => b"/",
        Some(slash) => &path[..slash],
    }
}
