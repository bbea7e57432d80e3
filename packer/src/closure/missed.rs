//! What `--add-misses` brings: what a bundle of this root file system looked for in vain, the closure of the programs and libraries there,
//! and what is in the directories.

use nix::errno::Errno;

use super::broad::is_broad;
use super::error::ClosureError;
use super::extend::is_shared;
use super::follow::Follow;
use super::include;
use crate::elf::is_absence;
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{Kind, Last, Resolution, RootPath, RootfsError, printable};
use crate::trace::Misses;

/// Adds all that was missed and that the root file system has.
pub(super) fn add(follow: &mut Follow<'_>, misses: &Misses) -> Result<(), ClosureError> {
    let reason = Reason {
        kind: ReasonKind::Missed,
        by: None,
        detail: printable(misses.file.as_os_str().as_encoded_bytes()),
    };
    for path in &misses.paths {
        if !add_path(follow, path, &reason)? {
            let message = "was missed, but is not in the root file system, or may not be looked at";
            follow.entries.warn(WarningKind::Gone, &RootPath::new(path), message);
        }
    }
    for path in &misses.uncertain {
        add_path(follow, path, &reason)?;
    }
    Ok(())
}

/// Adds what is at the path, and where it leads; whether there is something.
fn add_path(follow: &mut Follow<'_>, path: &[u8], reason: &Reason) -> Result<bool, ClosureError> {
    let Some(place) = look(follow, path, Last::Keep)? else {
        return Ok(false);
    };
    let end = look(follow, path, Last::Follow)?;
    // By the path as it was looked for, for the links on the way; by the paths behind them, for what is there.
    if follow.entries.add(path, reason)?.is_none() {
        // Nobody who gets the bundle is to see it.
        return Ok(true);
    }
    let mut paths = vec![place.path];
    if let Some(end) = end {
        if end.metadata.kind == Kind::Directory {
            paths.append(&mut contents(follow, &end.path)?);
        }
        paths.push(end.path);
    }
    paths.sort_unstable();
    for path in paths {
        include::add_path(follow, &path, reason)?;
    }
    Ok(true)
}

/// What is at the path; none where nothing is. Where that may not be known is as good as nothing: it cannot be packed.
fn look(follow: &Follow<'_>, path: &[u8], last: Last) -> Result<Option<Resolution>, ClosureError> {
    match follow.rootfs().resolve(path, last) {
        Ok(place) => Ok(Some(place)),
        Err(error) if is_absence(error.errno()) || error.errno() == Errno::EACCES => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a program that missed the directory would have found in it: everything; only its entries where many share it, and of one that holds
/// the whole system nothing.
fn contents(follow: &Follow<'_>, directory: &RootPath) -> Result<Vec<RootPath>, RootfsError> {
    let mut found = Vec::new();
    if is_broad(directory) {
        return Ok(found);
    }
    if is_shared(directory) {
        let entries = follow.rootfs().read_dir(directory)?;
        found.extend(entries.into_iter().map(|entry| directory.join(entry.name)));
    } else {
        follow.rootfs().descend(directory, &mut found)?;
    }
    Ok(found)
}
