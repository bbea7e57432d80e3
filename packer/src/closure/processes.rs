//! What the loaders of the packed programs map, as entries and warnings.

use std::rc::Rc;
use std::sync::Arc;

use super::entries::Entries;
use crate::elf::{ElfFacts, ElfStore};
use crate::ldso::{Cause, Loader, Main, Process, Processor, Refusal};
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{RootPath, RootfsError, printable};

/// A program with what its loader maps on every processor that makes a difference.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) loader: Rc<Loader>,
    pub(super) processes: Vec<(Processor, Process)>,
}

impl Program {
    /// Does what it opens at run time depend on it? Not where it brings no search paths of its own and all it loads comes from the
    /// default ones: then any program would do.
    pub(super) fn matters(&self) -> bool {
        self.processes.iter().any(|(_, process)| {
            let own_paths = |facts: &ElfFacts| facts.rpath.is_some() || facts.runpath.is_some();
            process
                .objects
                .iter()
                .any(|object| !object.by_default || own_paths(&object.facts))
        })
    }
}

/// Runs `run` for the first processor, and for the others where they make a difference.
pub(super) fn on_all_processors(
    loader: &Loader,
    mut run: impl FnMut(&Processor) -> Result<Process, RootfsError>,
) -> Result<Vec<(Processor, Process)>, RootfsError> {
    let mut processes: Vec<(Processor, Process)> = Vec::new();
    for processor in loader.processors() {
        let process = run(&processor)?;
        let varies = process.varies;
        processes.push((processor, process));
        if !varies {
            break;
        }
    }
    Ok(processes)
}

/// Loads a program on all processors.
pub(super) fn load(loader: Rc<Loader>, store: &ElfStore<'_>, main: &Main) -> Result<Program, RootfsError> {
    let processes = on_all_processors(&loader, |processor| loader.load(store, main, processor))?;
    Ok(Program { loader, processes })
}

/// The ELF files of objects that were added.
pub(super) type Added = Vec<(RootPath, Arc<ElfFacts>)>;

/// Libraries that were asked for and not found: who asks, and for what.
pub(super) type Missing = Vec<(RootPath, Vec<u8>)>;

/// How the libraries of a process are there: on the first processor, or only on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Needed,
    Alternative,
}

/// Adds the objects of a process from the one with index `first` on; what was opened at run time gets the reason given.
/// Returns the facts of what was added and the names that were not found.
pub(super) fn add(
    entries: &mut Entries<'_>,
    loader: &Loader,
    process: &Process,
    first: usize,
    (role, opened): (Role, &Reason),
) -> Result<(Added, Missing), RootfsError> {
    let mut added = Added::new();
    let asker = |by: usize| process.objects[by].path.clone();
    for object in process.objects.iter().skip(first) {
        let kind = match object.cause {
            Cause::Program | Cause::Interpreter => continue,
            Cause::Preload => ReasonKind::Preload,
            Cause::Needed if role == Role::Needed => ReasonKind::Needed,
            Cause::Needed => ReasonKind::Alternative,
            Cause::Filter => ReasonKind::Filter,
            Cause::Audit => ReasonKind::Audit,
            Cause::Opened => opened.kind,
        };
        let detail = printable(&object.requested);
        let reason = match object.cause {
            Cause::Opened => opened.clone(),
            _ => Reason {
                kind,
                by: object.by.map(asker),
                detail,
            },
        };
        entries.add(&object.opened, &reason)?;
        added.push((object.path.clone(), object.facts.clone()));
        if !object.opened.starts_with(b"/") {
            let message = format!(
                "loads {} from the working directory: found only in /",
                printable(&object.opened)
            );
            entries.warn(
                WarningKind::Condition,
                &object.by.map_or_else(RootPath::root, asker),
                message,
            );
        }
        for alternative in loader.alternatives(&object.requested) {
            let reason = Reason {
                kind: ReasonKind::Alternative,
                by: Some(object.path.clone()),
                detail: printable(&object.requested),
            };
            entries.add(&alternative, &reason)?;
        }
    }
    for alias in &process.aliases {
        let reason = Reason {
            kind: ReasonKind::Needed,
            by: Some(asker(alias.by)),
            detail: printable(&alias.requested),
        };
        entries.add(&alias.opened, &reason)?;
    }
    for directory in &process.unreadable {
        entries.warn(
            WarningKind::Condition,
            &RootPath::new(directory),
            "on a library path, but cannot be looked into",
        );
    }
    let mut missing = Missing::new();
    for fault in process.faults.iter().filter(|fault| !fault.optional) {
        let by = asker(fault.by);
        match &fault.refused {
            None => missing.push((by, fault.name.clone())),
            Some((opened, why)) => refused(entries, by, &fault.name, (opened, why))?,
        }
    }
    Ok((added, missing))
}

/// A file that makes the loader stop is packed as well: what the app says is then what it says in the root file system.
fn refused(
    entries: &mut Entries<'_>,
    by: RootPath,
    name: &[u8],
    (opened, why): (&[u8], &Refusal),
) -> Result<(), RootfsError> {
    let message = format!(
        "needs {}: the loader stops at {}, which is {why}",
        printable(name),
        printable(opened)
    );
    entries.warn(WarningKind::LoaderStops, &by, message);
    entries.add(
        opened,
        &Reason {
            kind: ReasonKind::Needed,
            by: Some(by),
            detail: printable(name),
        },
    )?;
    Ok(())
}
