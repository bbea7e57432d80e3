//! The loader of the GNU C library: `_dl_map_object` (`elf/dl-load.c`), `_dl_map_object_deps` (`elf/dl-deps.c`), preloading and
//! auditing as in `elf/rtld.c`.

use std::cell::RefCell;
use std::collections::HashMap;

use nix::errno::Errno;

use super::builtin::GlibcBuild;
use super::cache::Cache;
use super::candidate::{Accepted, Candidate, Refusal, try_glibc};
use super::hwcaps::{self, Processor};
use super::search_path::{glibc_directories, preload_names};
use super::tokens::{Tokens, asks_for_platform, expand};
use super::{Alias, Cause, Fault, Loader, Main, Object, Process, directory_of};
use crate::elf::{DF_1_NODEFLIB, DependencyTag, ElfStore, Target};
use crate::rootfs::{Kind, Last, RootPath, Rootfs, RootfsError};

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

/// Index of the program among the objects.
const PROGRAM: usize = 0;

/// Which names are taken in one namespace.
#[derive(Debug, Default)]
struct Namespace {
    /// Names that objects were asked for by, paths they were opened at, sonames.
    names: HashMap<Vec<u8>, usize>,
    identities: HashMap<(u64, u64), usize>,
}

impl Namespace {
    /// The first object to have a name keeps it: the loader searches its list in order.
    fn add(&mut self, name: &[u8], index: usize) {
        if !self.names.contains_key(name) {
            self.names.insert(name.to_vec(), index);
        }
    }
}

/// One run of the loader.
struct Run<'a> {
    glibc: &'a Glibc,
    loader: &'a Loader,
    store: &'a ElfStore<'a>,
    processor: &'a Processor,
    subdirectories: Vec<Vec<u8>>,
    usable: &'a [Vec<u8>],
    /// Where there is a program: it is then the first object, and its RPATH counts for all.
    has_program: bool,
    /// Number of objects that were loaded with their dependencies before.
    settled: usize,
    /// RPATH and RUNPATH of the objects, expanded.
    paths: Vec<Paths>,
    process: Process,
}

/// The search paths of an object, as directories.
#[derive(Debug, Clone, Default)]
struct Paths {
    rpath: Vec<Vec<u8>>,
    runpath: Vec<Vec<u8>>,
}

/// How a search ended.
enum Search {
    Found {
        opened: Vec<u8>,
        file: Accepted,
        by_default: bool,
    },
    Refused(Vec<u8>, Refusal),
    Nothing,
}

impl<'a> Run<'a> {
    fn new(glibc: &'a Glibc, loader: &'a Loader, store: &'a ElfStore<'a>, processor: &'a Processor) -> Self {
        Self {
            glibc,
            loader,
            store,
            processor,
            subdirectories: hwcaps::subdirectories(processor, &glibc.build.hwcaps, glibc.build.legacy_hwcaps),
            usable: hwcaps::usable(processor, &glibc.build.hwcaps),
            has_program: false,
            settled: 0,
            paths: Vec::new(),
            process: Process::default(),
        }
    }

    fn add_program(&mut self, namespace: &mut Namespace, main: &Main) {
        self.has_program = true;
        let program = Object {
            requested: Vec::new(),
            opened: main.path.as_bytes().to_vec(),
            path: main.path.clone(),
            facts: main.facts.clone(),
            identity: main.identity,
            cause: Cause::Program,
            by: None,
            by_default: true,
        };
        self.push(namespace, program);
        self.add_loader(namespace);
    }

    /// The loader is in the list from the start, by the name in PT_INTERP and its soname.
    fn add_loader(&mut self, namespace: &mut Namespace) {
        let object = Object {
            requested: self.loader.interpreter.clone(),
            opened: self.loader.interpreter.clone(),
            path: self.loader.path.clone(),
            facts: self.loader.facts.clone(),
            identity: self.loader.identity,
            cause: Cause::Interpreter,
            by: self.has_program.then_some(PROGRAM),
            by_default: true,
        };
        self.push(namespace, object);
    }

    /// Takes over the objects of a process that was loaded before.
    fn resume(&mut self, namespace: &mut Namespace, process: &Process) {
        self.has_program = true;
        for object in &process.objects {
            self.push(namespace, object.clone());
        }
        self.settled = process.objects.len();
    }

    fn push(&mut self, namespace: &mut Namespace, object: Object) -> usize {
        let index = self.process.objects.len();
        // The program's own names are empty, but its soname counts.
        if object.cause != Cause::Program {
            namespace.add(&object.requested, index);
            namespace.add(&object.opened, index);
            namespace.identities.entry(object.identity).or_insert(index);
        }
        if let Some(soname) = &object.facts.soname {
            namespace.add(soname, index);
        }
        let paths = self.paths_of(&object);
        self.paths.push(paths);
        self.process.objects.push(object);
        index
    }

    /// RPATH and RUNPATH of an object; where there are both, RPATH is ignored (`elf_get_dynamic_info`).
    fn paths_of(&mut self, object: &Object) -> Paths {
        let facts = &object.facts;
        if facts.rpath.is_none() && facts.runpath.is_none() {
            return Paths::default();
        }
        let rpath = facts.rpath.as_deref().filter(|_| facts.runpath.is_none());
        self.process.varies |= rpath.into_iter().chain(facts.runpath.as_deref()).any(asks_for_platform);
        let directories = |list: Option<&[u8]>| {
            list.map(|list| glibc_directories(list, self.tokens(&origin_of(object))))
                .unwrap_or_default()
        };
        Paths {
            rpath: directories(rpath),
            runpath: directories(facts.runpath.as_deref()),
        }
    }

    fn tokens<'t>(&'t self, origin: &'t [u8]) -> Tokens<'t> {
        Tokens {
            origin,
            lib: &self.glibc.build.lib,
            platform: self.processor.platform,
        }
    }

    /// `_dl_map_object_deps`: breadth first; what an object filters through comes right before it.
    fn map_dependencies(&mut self, namespace: &mut Namespace, mut list: Vec<usize>) -> Result<(), RootfsError> {
        let mut done = Vec::new();
        let mut position = 0;
        while let Some(&object) = list.get(position) {
            if done.contains(&object) {
                position += 1;
                continue;
            }
            done.push(object);
            let mut here = position;
            let facts = self.process.objects[object].facts.clone();
            for dependency in &facts.dependencies {
                let optional = dependency.tag == DependencyTag::Auxiliary;
                let cause = if dependency.tag == DependencyTag::Needed {
                    Cause::Needed
                } else {
                    Cause::Filter
                };
                let Some(index) = self.request(namespace, &dependency.name, object, cause, optional)? else {
                    continue;
                };
                let place = list.iter().position(|&listed| listed == index);
                match (cause, place) {
                    _ if index < self.settled => {}
                    (Cause::Needed, None) => list.push(index),
                    (Cause::Needed, Some(_)) => {}
                    (_, Some(place)) if place < here => {}
                    (_, place) => {
                        if let Some(place) = place {
                            list.remove(place);
                        }
                        list.insert(here, index);
                        here += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// The object that `name` stands for when `by` asks for it, loaded if it is not yet; none where that fails.
    fn request(
        &mut self,
        namespace: &mut Namespace,
        name: &[u8],
        by: usize,
        cause: Cause,
        optional: bool,
    ) -> Result<Option<usize>, RootfsError> {
        self.process.varies |= asks_for_platform(name);
        let Some(name) = expand(name, self.tokens(&origin_of(&self.process.objects[by]))) else {
            self.process.faults.push(Fault {
                name: name.to_vec(),
                by,
                optional,
                refused: None,
            });
            return Ok(None);
        };
        if let Some(&index) = namespace.names.get(&name) {
            return Ok(Some(index));
        }
        let found = if name.contains(&b'/') {
            self.open_path(&name)?
        } else {
            self.search(&name, by)?
        };
        let refused = match found {
            Search::Found {
                opened,
                file,
                by_default,
            } => {
                return Ok(Some(self.map(namespace, name, opened, file, (by, cause, by_default))));
            }
            Search::Refused(opened, why) => Some((opened, why)),
            Search::Nothing => None,
        };
        self.process.faults.push(Fault {
            name,
            by,
            optional,
            refused,
        });
        Ok(None)
    }

    /// `_dl_map_object_from_fd`: a file that is mapped already, under whatever name, gets the new name.
    fn map(
        &mut self,
        namespace: &mut Namespace,
        requested: Vec<u8>,
        opened: Vec<u8>,
        file: Accepted,
        (by, cause, by_default): (usize, Cause, bool),
    ) -> usize {
        if let Some(&index) = namespace.identities.get(&file.identity) {
            namespace.add(&requested, index);
            if self.process.objects[index].opened != opened {
                self.process.aliases.push(Alias { requested, opened, by });
            }
            return index;
        }
        let Accepted { path, identity, facts } = file;
        self.push(
            namespace,
            Object {
                requested,
                opened,
                path,
                facts,
                identity,
                cause,
                by: Some(by),
                by_default,
            },
        )
    }

    /// A name with a slash is a path.
    fn open_path(&self, name: &[u8]) -> Result<Search, RootfsError> {
        Ok(match try_glibc(self.store, name, self.loader.target)? {
            Candidate::Accepted(file) => Search::Found {
                opened: name.to_vec(),
                file,
                by_default: false,
            },
            Candidate::Refused(why) => Search::Refused(name.to_vec(), why),
            Candidate::Absent(_) | Candidate::OtherTarget => Search::Nothing,
        })
    }

    /// A name without a slash: RPATHs up the chain of loaders, RUNPATH, cache, default directories.
    fn search(&mut self, name: &[u8], by: usize) -> Result<Search, RootfsError> {
        for directories in self.search_lists(by) {
            match self.search_list(name, &directories, false)? {
                Search::Nothing => {}
                end => return Ok(end),
            }
        }
        let no_defaults = self.process.objects[by].facts.flags_1 & DF_1_NODEFLIB != 0;
        match self.search_cache(name, no_defaults)? {
            Search::Nothing if no_defaults => Ok(Search::Nothing),
            Search::Nothing => {
                let glibc = self.glibc;
                self.search_list(name, &glibc.build.system_dirs, true)
            }
            end => Ok(end),
        }
    }

    /// The lists searched for what `by` asks for, before cache and default directories.
    fn search_lists(&self, by: usize) -> Vec<Vec<Vec<u8>>> {
        let mut lists = Vec::new();
        if self.process.objects[by].facts.runpath.is_none() {
            let mut chain = Some(by);
            let mut saw_program = false;
            while let Some(index) = chain {
                lists.push(self.paths[index].rpath.clone());
                saw_program |= self.has_program && index == PROGRAM;
                chain = self.asked_by(index);
            }
            if self.has_program && !saw_program {
                lists.push(self.paths[PROGRAM].rpath.clone());
            }
        }
        lists.push(self.paths[by].runpath.clone());
        lists
    }

    /// `l_loader`: what is opened at run time has none.
    fn asked_by(&self, index: usize) -> Option<usize> {
        let object = &self.process.objects[index];
        object
            .by
            .filter(|_| !matches!(object.cause, Cause::Opened | Cause::Audit | Cause::Interpreter))
    }

    /// `open_path`: each directory with its subdirectories for the processor. What cannot be opened for another reason than that it
    /// is not there ends this list, a file that is no library ends the program.
    fn search_list(&mut self, name: &[u8], directories: &[Vec<u8>], by_default: bool) -> Result<Search, RootfsError> {
        for directory in directories {
            let Some(known) = self.glibc.directory(self.store, directory, self.loader.target)? else {
                continue;
            };
            self.process.varies |= known.for_processors;
            let skip = if known.for_processors {
                0
            } else {
                self.subdirectories.len() - 1
            };
            let mut last = Errno::ENOENT;
            for subdirectory in &self.subdirectories[skip..] {
                let opened = [directory.as_slice(), subdirectory, name].concat();
                match try_glibc(self.store, &opened, self.loader.target)? {
                    Candidate::Accepted(file) => {
                        return Ok(Search::Found {
                            opened,
                            file,
                            by_default,
                        });
                    }
                    Candidate::Refused(why) => return Ok(Search::Refused(opened, why)),
                    Candidate::OtherTarget => last = Errno::ENOENT,
                    Candidate::Absent(errno) => last = errno,
                }
            }
            if last == Errno::EACCES {
                self.process.unreadable.insert(directory.clone());
            }
            if !matches!(last, Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) {
                break;
            }
        }
        Ok(Search::Nothing)
    }

    /// The cache; with DF_1_NODEFLIB its entries in default directories do not count.
    fn search_cache(&mut self, name: &[u8], no_defaults: bool) -> Result<Search, RootfsError> {
        let Some(cache) = &self.glibc.cache else {
            return Ok(Search::Nothing);
        };
        self.process.varies |= cache.depends_on_processor(name, self.loader.target);
        let Some(path) = cache.lookup(name, self.loader.target, self.usable) else {
            return Ok(Search::Nothing);
        };
        if no_defaults
            && self
                .glibc
                .build
                .system_dirs
                .iter()
                .any(|directory| path.starts_with(directory))
        {
            return Ok(Search::Nothing);
        }
        Ok(match self.open_path(path)? {
            Search::Found { opened, file, .. } => Search::Found {
                opened,
                file,
                by_default: true,
            },
            other => other,
        })
    }
}

/// `$ORIGIN` of an object: the directory it was found in, which for the program is the one without links.
fn origin_of(object: &Object) -> Vec<u8> {
    let directory = directory_of(&object.opened);
    if directory.starts_with(b"/") {
        directory.to_vec()
    } else {
        [b"/", directory].concat()
    }
}
