//! Programs and libraries in the hands of their loaders.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use goblin::elf::header;

use super::{Demand, Follow, Kinds};
use crate::closure::base;
use crate::closure::error::{ClosureError, InterpreterFault};
use crate::closure::processes::{self, Missing, Program, Role};
use crate::elf::{Class, ElfFacts, Encoding, Target};
use crate::ldso::{Loader, LoaderError, Main};
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{Resolution, RootPath, RootfsError, printable};

impl Follow<'_> {
    /// Adds the loader of an ELF executable and what it maps.
    pub(super) fn executable(
        &mut self,
        place: &Resolution,
        facts: Arc<ElfFacts>,
        demand: Demand,
    ) -> Result<(), ClosureError> {
        self.mapped.insert(place.path.clone(), facts.clone());
        self.target.get_or_insert(facts.target);
        let Some(interpreter) = facts.interpreter.clone() else {
            if !facts.dependencies.is_empty() {
                self.entries.warn(
                    WarningKind::Condition,
                    &place.path,
                    "names libraries but no loader: they are not loaded when it is run",
                );
            }
            return Ok(());
        };
        let loader = match self.loader(&interpreter)? {
            Ok(loader) => loader,
            Err(LoaderError::Missing) if demand == Demand::Optional && self.is_foreign(facts.target) => {
                self.warn_foreign(&place.path, facts.target);
                return Ok(());
            }
            Err(error) => {
                let fault = InterpreterFault::of(error)?;
                return self.unusable(&place.path, &interpreter, fault, demand);
            }
        };
        if loader.target != facts.target {
            let (program, found) = (facts.target.to_string(), loader.target.to_string());
            let fault = InterpreterFault::OtherMachine {
                program,
                interpreter: found,
            };
            return self.unusable(&place.path, &interpreter, fault, demand);
        }
        if !loader.is_known() {
            self.entries.warn(
                WarningKind::Condition,
                &loader.path,
                "is a loader that is not known: taken to look for libraries as glibc's does",
            );
        }
        let reason = Reason {
            kind: ReasonKind::Interpreter,
            by: Some(place.path.clone()),
            detail: printable(&interpreter),
        };
        self.entries.add(&interpreter, &reason)?;
        let main = Main {
            path: place.path.clone(),
            facts,
            identity: place.metadata.identity,
        };
        let program = processes::load(loader, self.store, &main)?;
        self.map_program(&program)?;
        self.programs.insert(place.path.clone(), program);
        Ok(())
    }

    /// Bytes that a program would bring: itself and what its loader maps, without what is mapped already.
    pub(in crate::closure) fn cost(&mut self, place: &Resolution) -> Result<u64, ClosureError> {
        let alone = place.metadata.size;
        let Kinds::Elf(facts) = self.examine(place)? else {
            return Ok(alone);
        };
        let Some(interpreter) = facts.interpreter.clone() else {
            return Ok(alone);
        };
        let Ok(loader) = self.loader(&interpreter)? else {
            return Ok(alone);
        };
        let main = Main {
            path: place.path.clone(),
            facts,
            identity: place.metadata.identity,
        };
        let program = processes::load(loader, self.store, &main)?;
        let mut cost = alone;
        let objects = program.processes.first().map(|(_, process)| process.objects.as_slice());
        for object in objects.unwrap_or_default().iter().filter(|object| object.by.is_some()) {
            if !self.mapped.contains_key(&object.path) {
                cost += self.rootfs().lstat(&object.path)?.size;
            }
        }
        Ok(cost)
    }

    /// Is it for another machine than the first program?
    fn is_foreign(&self, target: Target) -> bool {
        self.target.is_some_and(|first| first != target)
    }

    fn warn_foreign(&mut self, path: &RootPath, target: Target) {
        self.entries.warn(
            WarningKind::ForeignFile,
            path,
            format!("is for {target}, and nothing here loads it: packed as it is"),
        );
    }

    /// Adds what a program's loader maps: on the first processor as needed, on others as alternatives.
    fn map_program(&mut self, program: &Program) -> Result<(), ClosureError> {
        let opened = base("");
        let mut missing_at_first = Missing::new();
        for (index, (_, process)) in program.processes.iter().enumerate() {
            let role = if index == 0 { Role::Needed } else { Role::Alternative };
            let (added, missing) = processes::add(&mut self.entries, &program.loader, process, 0, (role, &opened))?;
            self.mapped.extend(added);
            if index == 0 {
                self.missing.extend(missing.iter().cloned());
                missing_at_first = missing;
                continue;
            }
            for (by, name) in missing
                .into_iter()
                .filter(|absence| !missing_at_first.contains(absence))
            {
                let message = format!("needs {}, which is there only for some processors", printable(&name));
                self.entries.warn(WarningKind::Condition, &by, message);
            }
        }
        Ok(())
    }

    /// The loader that a PT_INTERP names.
    fn loader(&mut self, interpreter: &[u8]) -> Result<Result<Rc<Loader>, LoaderError>, RootfsError> {
        if let Some(known) = self.loaders.get(interpreter) {
            return Ok(known.clone());
        }
        let loader = match Loader::open(self.store, interpreter) {
            Err(LoaderError::Rootfs(error)) => return Err(error),
            other => other.map(Rc::new),
        };
        self.loaders.insert(interpreter.to_vec(), loader.clone());
        Ok(loader)
    }

    /// Notes a library that some program will open; it is followed when all programs are known.
    pub(in crate::closure) fn library(&mut self, path: &RootPath, facts: &ElfFacts, reason: Reason) {
        self.libraries.push((path.clone(), facts.target, reason));
    }

    /// Follows the libraries noted so far.
    pub(in crate::closure) fn libraries(&mut self) -> Result<(), ClosureError> {
        for (path, target, reason) in std::mem::take(&mut self.libraries) {
            if self.mapped.contains_key(&path) {
                continue;
            }
            let loaders = self.loaders_for(target)?;
            if loaders.is_empty() && self.is_foreign(target) {
                self.warn_foreign(&path, target);
            }
            for loader in loaders {
                let missing = self.open_library(&loader, path.as_bytes(), &reason)?;
                self.note_missing(missing.into_iter());
            }
        }
        Ok(())
    }

    /// Notes libraries that were not found, for the report in the end.
    pub(in crate::closure) fn note_missing(&mut self, missing: impl Iterator<Item = (RootPath, Vec<u8>)>) {
        self.missing.extend(missing);
    }

    /// Opens a library in every program of the loader that makes a difference, and in one that makes none. Returns the names that
    /// none of them finds.
    pub(in crate::closure) fn open_library(
        &mut self,
        loader: &Rc<Loader>,
        path: &[u8],
        reason: &Reason,
    ) -> Result<Missing, ClosureError> {
        let store = self.store;
        let mut runs = vec![(
            1,
            processes::on_all_processors(loader, |processor| loader.open_library(store, None, path, processor))?,
        )];
        let programs = self
            .programs
            .values()
            .filter(|program| Rc::ptr_eq(&program.loader, loader) && program.matters());
        for (processor, process) in programs.flat_map(|program| &program.processes) {
            let opened = loader.open_library(store, Some(process), path, processor)?;
            runs.push((process.objects.len(), vec![(processor.clone(), opened)]));
        }
        let mut missing: Option<BTreeSet<(RootPath, Vec<u8>)>> = None;
        for (first, processes) in runs {
            for (_, process) in processes {
                let role = (Role::Needed, reason);
                let (added, unresolved) = processes::add(&mut self.entries, loader, &process, first, role)?;
                self.mapped.extend(added);
                let unresolved: BTreeSet<_> = unresolved.into_iter().collect();
                missing = Some(missing.map_or_else(
                    || unresolved.clone(),
                    |before| before.intersection(&unresolved).cloned().collect(),
                ));
            }
        }
        Ok(missing.unwrap_or_default().into_iter().collect())
    }

    /// Opens a library by its name as the programs would, in each that finds it; none is missed.
    pub(in crate::closure) fn open_by_name(&mut self, name: &[u8], reason: &Reason) -> Result<(), ClosureError> {
        let mut loaders: Vec<Rc<Loader>> = self.loaders().cloned().collect();
        loaders.sort_by(|a, b| a.interpreter.cmp(&b.interpreter));
        for loader in loaders {
            let missing = self.open_library(&loader, name, reason)?;
            self.note_missing(missing.into_iter().filter(|(_, missing)| missing != name));
        }
        Ok(())
    }

    /// What is known of something mapped.
    pub(in crate::closure) fn facts_of(&self, path: &RootPath) -> Option<Arc<ElfFacts>> {
        self.mapped.get(path).cloned()
    }

    /// The loaders that may map a library for `target`: those of the programs, else the usual one.
    fn loaders_for(&mut self, target: Target) -> Result<Vec<Rc<Loader>>, RootfsError> {
        let mut loaders: Vec<Rc<Loader>> = self
            .loaders()
            .filter(|loader| loader.target == target)
            .cloned()
            .collect();
        if loaders.is_empty() {
            for interpreter in usual_interpreters(target) {
                if let Ok(loader) = self.loader(interpreter.as_bytes())? {
                    let reason = Reason {
                        kind: ReasonKind::Interpreter,
                        by: None,
                        detail: (*interpreter).to_owned(),
                    };
                    self.entries.add(interpreter.as_bytes(), &reason)?;
                    loaders.push(loader);
                    break;
                }
            }
        }
        loaders.sort_by(|a, b| a.interpreter.cmp(&b.interpreter));
        Ok(loaders)
    }
}

/// Where the loaders of a target are found by the ABI documents and by musl's manual, for libraries that no packed program asks for.
fn usual_interpreters(target: Target) -> &'static [&'static str] {
    match (target.machine, target.class, target.encoding) {
        (header::EM_X86_64, Class::Elf64, _) => &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"],
        (header::EM_X86_64, Class::Elf32, _) => &["/libx32/ld-linux-x32.so.2", "/lib/ld-musl-x32.so.1"],
        (header::EM_386, _, _) => &["/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"],
        (header::EM_AARCH64, _, Encoding::Little) => &["/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"],
        (header::EM_ARM, _, _) => &[
            "/lib/ld-linux-armhf.so.3",
            "/lib/ld-linux.so.3",
            "/lib/ld-musl-armhf.so.1",
            "/lib/ld-musl-arm.so.1",
        ],
        (header::EM_RISCV, Class::Elf64, _) => &["/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"],
        (header::EM_PPC64, _, Encoding::Little) => &["/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"],
        (header::EM_S390, Class::Elf64, _) => &["/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"],
        (header::EM_LOONGARCH, Class::Elf64, _) => {
            &["/lib64/ld-linux-loongarch-lp64d.so.1", "/lib/ld-musl-loongarch64.so.1"]
        }
        _ => &[],
    }
}
