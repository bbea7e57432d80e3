//! Following programs: script to interpreter, ELF file to loader and libraries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use goblin::elf::header;
use nix::errno::Errno;

use super::command;
use super::entries::Entries;
use super::error::{ClosureError, InterpreterFault, ProgramFault};
use super::processes::{self, Missing, Program, Role};
use super::script::{DEPTH_MAX, LINE_MAX, Shebang};
use crate::elf::{Class, ElfError, ElfFacts, ElfStore, Encoding, FileType, Target};
use crate::ldso::{Loader, LoaderError, Main, configured_directories};
use crate::plan::{Entry, Reason, ReasonKind, Warning, WarningKind};
use crate::rootfs::{Kind, Last, Resolution, RootPath, Rootfs, RootfsError, printable};

/// How much depends on a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Without it there is nothing to pack.
    Required,
    /// What is wrong with it is a warning.
    Optional,
}

/// The work list with all that is known so far.
#[derive(Debug)]
pub(super) struct Follow<'a> {
    pub(super) entries: Entries<'a>,
    store: &'a ElfStore<'a>,
    search_path: &'a str,
    loaders: HashMap<Vec<u8>, Result<Rc<Loader>, LoaderError>>,
    programs: BTreeMap<RootPath, Program>,
    /// Programs and scripts that were followed, by their paths without links.
    followed: HashSet<RootPath>,
    /// Libraries still to be opened, with their reasons.
    libraries: Vec<(RootPath, Target, Reason)>,
    /// The ELF files that the packed programs run or map.
    mapped: BTreeMap<RootPath, Arc<ElfFacts>>,
    missing: BTreeSet<(RootPath, Vec<u8>)>,
}

impl<'a> Follow<'a> {
    pub(super) fn new(store: &'a ElfStore<'a>, entries: Entries<'a>, search_path: &'a str) -> Self {
        Self {
            entries,
            store,
            search_path,
            loaders: HashMap::new(),
            programs: BTreeMap::new(),
            followed: HashSet::new(),
            libraries: Vec::new(),
            mapped: BTreeMap::new(),
            missing: BTreeSet::new(),
        }
    }

    pub(super) fn rootfs(&self) -> &'a Rootfs {
        self.store.rootfs()
    }

    pub(super) fn finish(self) -> (BTreeMap<RootPath, Entry>, Vec<Warning>) {
        self.entries.finish()
    }

    /// The ELF files that the packed programs run or map.
    pub(super) fn mapped(&self) -> impl Iterator<Item = &ElfFacts> {
        self.mapped.values().map(Arc::as_ref)
    }

    /// The loaders of the packed programs.
    pub(super) fn loaders(&self) -> impl Iterator<Item = &Rc<Loader>> {
        self.loaders.values().filter_map(|loader| loader.as_ref().ok())
    }

    /// Adds a program that was asked for by name.
    pub(super) fn command(&mut self, path: &RootPath, reason: &Reason) -> Result<(), ClosureError> {
        if let Some(pattern) = self.entries.excluding(path) {
            return Err(ClosureError::CommandExcluded {
                path: path.clone(),
                pattern: pattern.to_owned(),
            });
        }
        self.program(path.as_bytes(), reason, Demand::Required, 0)
    }

    /// Adds a program with all it needs to be started. `path` leads to it.
    pub(super) fn program(
        &mut self,
        path: &[u8],
        reason: &Reason,
        demand: Demand,
        depth: usize,
    ) -> Result<(), ClosureError> {
        let Some(place) = self.entries.add(path, reason)? else {
            return Ok(());
        };
        if !self.followed.insert(place.path.clone()) {
            return Ok(());
        }
        let fault = match self.examine(&place)? {
            Kinds::Elf(facts) => return self.executable(&place, facts, demand),
            Kinds::Script(shebang) => return self.script(&place.path, &shebang, demand, depth),
            Kinds::Not(fault) => fault,
        };
        match demand {
            Demand::Required => Err(ClosureError::NotAProgram {
                path: place.path,
                fault,
            }),
            Demand::Optional => {
                self.entries.warn(
                    WarningKind::MissingProgram,
                    &place.path,
                    format!("is to be run, but is {fault}"),
                );
                Ok(())
            }
        }
    }

    /// Machine of the program that runs in the end, through scripts and their interpreters.
    pub(super) fn architecture(&self, entry: &RootPath) -> Result<String, ClosureError> {
        let mut place = self.rootfs().resolve(entry.as_bytes(), Last::Follow)?;
        for _ in 0..=DEPTH_MAX {
            match self.examine(&place)? {
                Kinds::Elf(facts) => return Ok(facts.target.architecture()),
                Kinds::Script(shebang) => place = self.rootfs().resolve(&shebang.interpreter, Last::Follow)?,
                Kinds::Not(fault) => {
                    return Err(ClosureError::NotAProgram {
                        path: place.path,
                        fault,
                    });
                }
            }
        }
        Err(ClosureError::Interpreter {
            program: entry.clone(),
            interpreter: place.path.as_bytes().to_vec(),
            fault: InterpreterFault::TooDeep,
        })
    }

    /// What kind of program a file is.
    pub(super) fn examine(&self, place: &Resolution) -> Result<Kinds, ClosureError> {
        if place.metadata.kind != Kind::File {
            return Ok(Kinds::Not(ProgramFault::NotAFile));
        }
        let error = match self.store.facts(&place.path)? {
            Ok(facts) if facts.file_type == FileType::NotLoadable => {
                return Ok(Kinds::Not(ProgramFault::NotForRunning));
            }
            Ok(facts) => return Ok(Kinds::Elf(facts)),
            Err(error) => error,
        };
        if let ElfError::Damaged { .. } = error {
            return Ok(Kinds::Not(ProgramFault::Elf(error)));
        }
        let head = self.head(&place.path)?;
        Ok(match Shebang::parse(&head) {
            Some(shebang) => Kinds::Script(shebang),
            None if head.starts_with(header::ELFMAG) => Kinds::Not(ProgramFault::Elf(error)),
            None => Kinds::Not(ProgramFault::NoInterpreter),
        })
    }

    /// Does the file begin as an ELF file does?
    pub(super) fn is_elf(&self, path: &RootPath) -> Result<bool, RootfsError> {
        Ok(!matches!(
            self.store.facts(path)?,
            Err(ElfError::NotElf | ElfError::TooShort)
        ))
    }

    /// The first bytes of a file.
    fn head(&self, path: &RootPath) -> Result<Vec<u8>, RootfsError> {
        use std::os::unix::fs::FileExt;
        let file = self.rootfs().open_file(path)?;
        let mut head = vec![0; LINE_MAX];
        let length = file.read_at(&mut head, 0).map_err(|error| RootfsError::Read {
            path: path.clone(),
            errno: crate::rootfs::errno_of(&error),
        })?;
        head.truncate(length);
        Ok(head)
    }

    /// Adds the interpreter of a script, and what `env` starts.
    fn script(
        &mut self,
        script: &RootPath,
        shebang: &Shebang,
        demand: Demand,
        depth: usize,
    ) -> Result<(), ClosureError> {
        let line = printable(&shebang.line());
        let reason = Reason {
            kind: ReasonKind::Shebang,
            by: Some(script.clone()),
            detail: line,
        };
        if depth == DEPTH_MAX {
            return self.unusable(script, &shebang.interpreter, InterpreterFault::TooDeep, demand);
        }
        if !self.is_there(&shebang.interpreter)? {
            return self.unusable(script, &shebang.interpreter, InterpreterFault::Missing, demand);
        }
        self.program(&shebang.interpreter, &reason, demand, depth + 1)?;
        let Some(name) = shebang.through_env() else {
            return Ok(());
        };
        match command::find(self.rootfs(), &name, self.search_path) {
            Ok(program) => self.program(program.as_bytes(), &reason, demand, 0),
            Err(ClosureError::Rootfs(error)) => Err(error.into()),
            Err(_) => self.unusable(script, &name, InterpreterFault::Missing, demand),
        }
    }

    fn is_there(&self, path: &[u8]) -> Result<bool, RootfsError> {
        match self.rootfs().resolve(path, Last::Follow) {
            Ok(_) => Ok(true),
            Err(error) if crate::elf::is_absence(error.errno()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An interpreter that cannot be used: an error or a warning.
    fn unusable(
        &mut self,
        program: &RootPath,
        interpreter: &[u8],
        fault: InterpreterFault,
        demand: Demand,
    ) -> Result<(), ClosureError> {
        if demand == Demand::Required {
            return Err(ClosureError::Interpreter {
                program: program.clone(),
                interpreter: interpreter.to_vec(),
                fault,
            });
        }
        let kind = if fault == InterpreterFault::Missing {
            WarningKind::MissingProgram
        } else {
            WarningKind::ForeignFile
        };
        self.entries.warn(
            kind,
            program,
            format!("its interpreter {}: {fault}", printable(interpreter)),
        );
        Ok(())
    }

    /// Adds the loader of an ELF executable and what it maps.
    fn executable(&mut self, place: &Resolution, facts: Arc<ElfFacts>, demand: Demand) -> Result<(), ClosureError> {
        self.mapped.insert(place.path.clone(), facts.clone());
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

    /// Adds what a program's loader maps: on the first processor as needed, on others as alternatives.
    fn map_program(&mut self, program: &Program) -> Result<(), ClosureError> {
        let opened = super::base("");
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
    pub(super) fn library(&mut self, path: &RootPath, facts: &ElfFacts, reason: Reason) {
        self.libraries.push((path.clone(), facts.target, reason));
    }

    /// Follows the libraries noted so far.
    pub(super) fn libraries(&mut self) -> Result<(), ClosureError> {
        for (path, target, reason) in std::mem::take(&mut self.libraries) {
            if self.mapped.contains_key(&path) {
                continue;
            }
            for loader in self.loaders_for(target)? {
                let missing = self.open_library(&loader, path.as_bytes(), &reason)?;
                self.missing.extend(missing);
            }
        }
        Ok(())
    }

    /// Opens a library in every program of the loader that makes a difference, and in one that makes none. Returns the names that
    /// none of them finds.
    pub(super) fn open_library(
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

    /// Warns of the libraries that are missing. One that is packed under that name may be found after all: a library that is opened
    /// comes into a process that has it already, a program may be started with LD_LIBRARY_PATH.
    pub(super) fn report_missing(&mut self) -> Result<(), RootfsError> {
        let configured = if self.missing.is_empty() {
            Vec::new()
        } else {
            configured_directories(self.rootfs())?
        };
        for (by, name) in std::mem::take(&mut self.missing) {
            let packed = self
                .mapped
                .iter()
                .find(|(_, facts)| facts.soname.as_deref() == Some(&name))
                .map(|(path, _)| path.clone());
            let wanted = printable(&name);
            match (packed, self.programs.contains_key(&by)) {
                (Some(_), false) => {}
                (Some(place), true) => {
                    let message = format!(
                        "needs {wanted}, which is packed as {place}, but found only with LD_LIBRARY_PATH or the like"
                    );
                    self.entries.warn(WarningKind::Condition, &by, message);
                }
                (None, _) => {
                    let message = match self.configured_place(&configured, &name)? {
                        Some(place) => format!(
                            "needs {wanted}, which the loader will not find: it is in {}, which /etc/ld.so.conf names, but not in the cache (try: ldconfig -r {})",
                            printable(&place),
                            self.rootfs().path().display()
                        ),
                        None => format!("needs {wanted}, which is not found in the root file system"),
                    };
                    self.entries.warn(WarningKind::MissingLibrary, &by, message);
                }
            }
        }
        Ok(())
    }

    /// The directory of `/etc/ld.so.conf` that has the library.
    fn configured_place(&self, configured: &[Vec<u8>], name: &[u8]) -> Result<Option<Vec<u8>>, RootfsError> {
        if name.contains(&b'/') {
            return Ok(None);
        }
        for directory in configured {
            match self
                .rootfs()
                .resolve([directory.as_slice(), b"/", name].concat(), Last::Follow)
            {
                Ok(_) => return Ok(Some(directory.clone())),
                Err(error) if crate::elf::is_absence(error.errno()) || error.errno() == Errno::EACCES => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// What kind of program a file is.
#[derive(Debug)]
pub(super) enum Kinds {
    Elf(Arc<ElfFacts>),
    Script(Shebang),
    Not(ProgramFault),
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
