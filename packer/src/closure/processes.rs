//! What the loaders of the packed programs map, as entries and warnings.

use std::rc::Rc;
use std::sync::Arc;

use super::entries::Entries;
use crate::elf::{ElfFacts, ElfStore};
use crate::ldso::{Cause, Loader, Main, Object, Process, Processor, Refusal};
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
    for object in process.objects.iter().skip(first) {
        let Some(kind) = kind_of(object, role, opened) else {
            continue;
        };
        let by = object.by.map(|by| process.objects[by].path.clone());
        let detail = printable(&object.requested);
        match object.cause {
            Cause::Opened => entries.add(&object.opened, opened)?,
            _ => entries.add(
                &object.opened,
                &Reason {
                    kind,
                    by: by.clone(),
                    detail: detail.clone(),
                },
            )?,
        };
        added.push((object.path.clone(), object.facts.clone()));
        if !object.opened.starts_with(b"/") {
            let message = format!(
                "loads {} from the working directory: found only in /",
                printable(&object.opened)
            );
            entries.warn(WarningKind::Condition, &by.unwrap_or_else(RootPath::root), message);
        }
        for alternative in loader.alternatives(&object.requested) {
            let reason = Reason {
                kind: ReasonKind::Alternative,
                by: Some(object.path.clone()),
                detail: detail.clone(),
            };
            entries.add(&alternative, &reason)?;
        }
    }
    for alias in &process.aliases {
        let by = Some(process.objects[alias.by].path.clone());
        let reason = Reason {
            kind: ReasonKind::Needed,
            by,
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
    Ok((added, faults(entries, process)?))
}

/// Why an object is in the plan; none for those that are there already.
fn kind_of(object: &Object, role: Role, opened: &Reason) -> Option<ReasonKind> {
    match object.cause {
        Cause::Program | Cause::Interpreter => None,
        Cause::Preload => Some(ReasonKind::Preload),
        Cause::Needed if role == Role::Needed => Some(ReasonKind::Needed),
        Cause::Needed => Some(ReasonKind::Alternative),
        Cause::Filter => Some(ReasonKind::Filter),
        Cause::Audit => Some(ReasonKind::Audit),
        Cause::Opened => Some(opened.kind),
    }
}

/// The libraries that were not found. What makes the loader stop is told at once.
fn faults(entries: &mut Entries<'_>, process: &Process) -> Result<Missing, RootfsError> {
    let mut missing = Missing::new();
    for fault in process.faults.iter().filter(|fault| !fault.optional) {
        let by = process.objects[fault.by].path.clone();
        match &fault.refused {
            None => missing.push((by, fault.name.clone())),
            Some((opened, why)) => refused(entries, by, &fault.name, (opened, why))?,
        }
    }
    Ok(missing)
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
