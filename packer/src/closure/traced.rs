//! What `--trace` brings: the paths that a command was seen to use, the closure of the programs and libraries among them, and what is
//! in the directories that it listed.

use std::collections::BTreeSet;

use super::broad::is_broad;
use super::error::ClosureError;
use super::follow::{Demand, Follow, Kinds};
use crate::elf::is_absence;
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{Kind, Last, Resolution, RootPath, printable};
use crate::trace::{Trace, TraceKind};

/// Files that the runtime makes where the root file system has none.
const MADE_AT_START: [&str; 5] = [
    "/etc/group",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/resolv.conf",
];

/// Adds all that the trace names and the root file system has.
pub(super) fn add(follow: &mut Follow<'_>, trace: &Trace) -> Result<(), ClosureError> {
    for (path, kinds) in &trace.paths {
        if kinds.iter().any(|kind| *kind != TraceKind::Missing) {
            add_path(follow, path, kinds)?;
        }
    }
    Ok(())
}

fn add_path(follow: &mut Follow<'_>, path: &[u8], kinds: &BTreeSet<TraceKind>) -> Result<(), ClosureError> {
    let kinds_told: Vec<&str> = kinds
        .iter()
        .filter(|kind| **kind != TraceKind::Missing)
        .map(|kind| kind.name())
        .collect();
    let reason = Reason {
        kind: ReasonKind::Trace,
        by: None,
        detail: kinds_told.join(", "),
    };
    match follow.rootfs().resolve(path, Last::Keep) {
        Ok(_) => {}
        Err(error) if is_absence(error.errno()) => {
            warn_gone(follow, path, &reason.detail);
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    let Some(place) = follow.entries.add(path, &reason)? else {
        return Ok(());
    };
    match place.metadata.kind {
        Kind::File if kinds.contains(&TraceKind::Exec) => follow.program(path, &reason, Demand::Optional, 0),
        Kind::File if kinds.contains(&TraceKind::Open) => add_elf(follow, path, &place, &reason),
        Kind::Directory if kinds.contains(&TraceKind::List) && !is_broad(&place.path) => {
            add_listed(follow, &place.path)
        }
        _ => Ok(()),
    }
}

fn warn_gone(follow: &mut Follow<'_>, path: &[u8], kinds: &str) {
    if MADE_AT_START.iter().any(|made| made.as_bytes() == path) {
        return;
    }
    let message = format!("is in a trace ({kinds}), but not in the root file system");
    follow.entries.warn(WarningKind::Gone, &RootPath::new(path), message);
}

/// What an ELF file that was opened needs: it was loaded, or will be.
fn add_elf(follow: &mut Follow<'_>, path: &[u8], place: &Resolution, reason: &Reason) -> Result<(), ClosureError> {
    if !follow.is_elf(&place.path)? {
        return Ok(());
    }
    match follow.examine(place)? {
        Kinds::Elf(facts) if facts.interpreter.is_some() => follow.program(path, reason, Demand::Optional, 0),
        Kinds::Elf(facts) => {
            if facts.has_dynamic {
                follow.library(&place.path, &facts, reason.clone());
            }
            Ok(())
        }
        // Data like any other.
        Kinds::Script(_) | Kinds::Not(_) => Ok(()),
    }
}

/// Adds what is in a directory; directories in it without what is in them: a program that wants that lists them too.
fn add_listed(follow: &mut Follow<'_>, directory: &RootPath) -> Result<(), ClosureError> {
    let rootfs = follow.rootfs();
    let mut names: Vec<Vec<u8>> = rootfs
        .read_dir(directory)?
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    names.sort_unstable();
    let reason = Reason {
        kind: ReasonKind::Trace,
        by: Some(directory.clone()),
        detail: format!("in {}, list", printable(directory.as_bytes())),
    };
    for name in names {
        let path = directory.join(name);
        let Some(place) = follow.entries.add(path.as_bytes(), &reason)? else {
            continue;
        };
        if place.metadata.kind == Kind::File {
            add_elf(follow, path.as_bytes(), &place, &reason)?;
        }
    }
    Ok(())
}
