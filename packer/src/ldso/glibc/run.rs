//! One run of the loader: which objects there are, by which names, and in which order they ask for more.

use std::collections::HashMap;

use super::Glibc;
use super::search::Search;
use crate::elf::{DependencyTag, ElfStore};
use crate::ldso::candidate::Accepted;
use crate::ldso::hwcaps::{self, Processor};
use crate::ldso::search_path::glibc_directories;
use crate::ldso::tokens::{Tokens, asks_for_platform, expand};
use crate::ldso::{Alias, Cause, Fault, Loader, Main, Object, Process, directory_of};
use crate::rootfs::RootfsError;

/// Index of the program among the objects.
pub(super) const PROGRAM: usize = 0;

/// Which names are taken in one namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
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
pub(super) struct Run<'a> {
    pub(super) glibc: &'a Glibc,
    pub(super) loader: &'a Loader,
    pub(super) store: &'a ElfStore<'a>,
    pub(super) processor: &'a Processor,
    pub(super) subdirectories: Vec<Vec<u8>>,
    pub(super) usable: &'a [Vec<u8>],
    /// Where there is a program: it is then the first object, and its RPATH counts for all.
    pub(super) has_program: bool,
    /// Number of objects that were loaded with their dependencies before.
    pub(super) settled: usize,
    /// RPATH and RUNPATH of the objects, expanded.
    pub(super) paths: Vec<Paths>,
    pub(super) process: Process,
}

/// The search paths of an object, as directories.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths {
    pub(super) rpath: Vec<Vec<u8>>,
    pub(super) runpath: Vec<Vec<u8>>,
}
impl<'a> Run<'a> {
    pub(super) fn new(glibc: &'a Glibc, loader: &'a Loader, store: &'a ElfStore<'a>, processor: &'a Processor) -> Self {
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

    pub(super) fn add_program(&mut self, namespace: &mut Namespace, main: &Main) {
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
    pub(super) fn add_loader(&mut self, namespace: &mut Namespace) {
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
    pub(super) fn resume(&mut self, namespace: &mut Namespace, process: &Process) {
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
    pub(super) fn map_dependencies(
        &mut self,
        namespace: &mut Namespace,
        mut list: Vec<usize>,
    ) -> Result<(), RootfsError> {
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
    pub(super) fn request(
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
