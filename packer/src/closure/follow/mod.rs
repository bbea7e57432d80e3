//! Following programs: script to interpreter, ELF file to loader and libraries.

mod loading;
mod missing;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;

use goblin::elf::header;

use super::command;
use super::entries::Entries;
use super::error::{ClosureError, InterpreterFault, ProgramFault};
use super::processes::Program;
use super::script::{DEPTH_MAX, LINE_MAX, Shebang};
use crate::elf::{ElfError, ElfFacts, ElfStore, FileType, Target, is_absence};
use crate::ldso::{Loader, LoaderError};
use crate::plan::{Entry, Reason, ReasonKind, Refusal, Warning, WarningKind};
use crate::rootfs::{Kind, Last, Resolution, RootPath, Rootfs, RootfsError, errno_of, printable};

/// How much depends on a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Without it there is nothing to pack.
    Required,
    /// What is wrong with it is a warning.
    Optional,
}

/// A program or script that is run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The path that it was named by.
    pub(super) named: RootPath,
    /// The same without links.
    pub(super) path: RootPath,
    /// How far it is from what was asked for: 0 for that itself and its interpreters, 1 for what that starts.
    pub(super) depth: usize,
    /// Is it a script?
    pub(super) script: bool,
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
    /// Programs and scripts in the order in which they were followed.
    runs: Vec<Run>,
    /// What the first program is for.
    target: Option<Target>,
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
            runs: Vec::new(),
            target: None,
        }
    }

    pub(super) fn rootfs(&self) -> &'a Rootfs {
        self.store.rootfs()
    }

    pub(super) fn finish(self) -> (BTreeMap<RootPath, Entry>, Vec<Warning>, Vec<Refusal>) {
        self.entries.finish()
    }

    /// The ELF files that the packed programs run or map.
    pub(super) fn mapped(&self) -> impl Iterator<Item = &ElfFacts> {
        self.mapped.values().map(Arc::as_ref)
    }

    /// The same with their paths.
    pub(super) fn mapped_files(&self) -> impl Iterator<Item = (&RootPath, &Arc<ElfFacts>)> {
        self.mapped.iter()
    }

    /// What is run, in the order in which it came to be known.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The libraries that a program itself names, by their paths without links.
    pub(super) fn direct_libraries(&self, program: &RootPath) -> Vec<RootPath> {
        let first = self.programs.get(program).and_then(|program| program.processes.first());
        let objects = first.map(|(_, process)| process.objects.as_slice()).unwrap_or_default();
        let direct = objects.iter().filter(|object| object.by == Some(0));
        direct.map(|object| object.path.clone()).collect()
    }

    /// PATH of the root file system.
    pub(super) fn search_path(&self) -> &'a str {
        self.search_path
    }

    /// Grows whenever something is added.
    pub(super) fn progress(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.mapped.len(), self.runs.len())
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
        self.program(path.as_bytes(), reason, Demand::Required, 0)?;
        match self.entries.refusal(path).filter(|refusal| !refusal.locked) {
            Some(Refusal { path, secret, .. }) => Err(ClosureError::Refused {
                path: path.clone(),
                secret: *secret,
            }),
            None => Ok(()),
        }
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
        let run = Run {
            named: RootPath::new(path),
            path: place.path.clone(),
            depth: self.depth_of(reason),
            script: false,
        };
        let fault = match self.examine(&place)? {
            Kinds::Elf(facts) => {
                self.runs.push(run);
                return self.executable(&place, facts, demand);
            }
            Kinds::Script(shebang) => {
                self.runs.push(Run { script: true, ..run });
                return self.script(&place.path, &shebang, demand, depth);
            }
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

    fn depth_of(&self, reason: &Reason) -> usize {
        let asker = reason
            .by
            .as_ref()
            .and_then(|by| self.runs.iter().find(|run| run.path == *by));
        match (reason.kind, asker) {
            (ReasonKind::Command | ReasonKind::As | ReasonKind::Argument | ReasonKind::Also, _) => 0,
            (ReasonKind::Shebang, Some(script)) => script.depth,
            // That a constant names a program is weak evidence that it is run.
            (ReasonKind::PathMention, _) => 2,
            (ReasonKind::CommandMention, Some(asker)) if !asker.script => asker.depth + 2,
            (_, Some(asker)) => asker.depth + 1,
            (_, None) => 1,
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
        let file = self.rootfs().open_file(path)?;
        let mut head = vec![0; LINE_MAX];
        let length = file.read_at(&mut head, 0).map_err(|error| RootfsError::Read {
            path: path.clone(),
            errno: errno_of(&error),
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
            Err(error) if is_absence(error.errno()) => Ok(false),
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
}

/// What kind of program a file is.
#[derive(Debug)]
pub(super) enum Kinds {
    Elf(Arc<ElfFacts>),
    Script(Shebang),
    Not(ProgramFault),
}
