//! What `--add-misses` brings: what a bundle of this root file system looked for in vain, the closure of the programs and libraries there,
//! and what is in the directories.

use super::broad::is_broad;
use super::error::ClosureError;
use super::extend::is_shared;
use super::follow::Follow;
use super::{include, secrets};
use crate::elf::is_absence;
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{Kind, Last, RootPath, RootfsError, printable};
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
            let message = "was missed, but is not in the root file system";
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
    let rootfs = follow.rootfs();
    let absent = |result| match result {
        Ok(place) => Ok(Some(place)),
        Err(error) if is_absence(RootfsError::errno(&error)) => Ok(None),
        Err(error) => Err(error),
    };
    let Some(place) = absent(rootfs.resolve(path, Last::Keep))? else {
        return Ok(false);
    };
    let mut tree = vec![place.path];
    if let Some(end) = absent(rootfs.resolve(path, Last::Follow))? {
        tree.push(end.path.clone());
        if end.metadata.kind == Kind::Directory {
            let mut contents = contents(follow, &end.path)?;
            contents.sort_unstable();
            tree.append(&mut contents);
        }
    }
    // With the links on the way to it.
    follow.entries.add(path, reason)?;
    for path in tree {
        if secrets::is_secret(&path) {
            let message = "left out though it was missed: it holds secrets (try: --include with its path)";
            follow.entries.warn(WarningKind::Secret, &path, message);
            continue;
        }
        include::add_path(follow, &path, reason)?;
    }
    Ok(true)
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
