//! What `--include` brings: the paths that match, whole trees below directories, and the closure of the programs and libraries there.

use super::error::ClosureError;
use super::follow::{Demand, Follow, Kinds};
use crate::elf::{ElfError, is_absence};
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{Kind, Last, Pattern, Resolution, RootPath};

use super::error::ProgramFault;

/// Adds all that matches the pattern.
pub(super) fn add(follow: &mut Follow<'_>, pattern: &Pattern) -> Result<(), ClosureError> {
    let rootfs = follow.rootfs();
    let matched = rootfs.glob(pattern)?;
    if matched.is_empty() {
        let path = RootPath::new(pattern.text());
        follow.entries.warn(
            WarningKind::EmptyPattern,
            &path,
            "nothing in the root file system matches this --include",
        );
        return Ok(());
    }
    let reason = Reason {
        kind: ReasonKind::Include,
        by: None,
        detail: pattern.text().to_owned(),
    };
    let (mut asked, mut refused) = (0, Vec::new());
    for path in matched {
        let mut tree = Vec::new();
        rootfs.descend(&path, &mut tree)?;
        // A link to a directory stands for all that is in it, which is asked for by the link's name: that may tell a secret.
        match rootfs.resolve(path.as_bytes(), Last::Follow) {
            Ok(end) if end.path != path && end.metadata.kind == Kind::Directory => {
                let mut below = Vec::new();
                rootfs.descend(&end.path, &mut below)?;
                tree.extend(below.iter().map(|found| by_name_of(&path, &end.path, found)));
            }
            Ok(_) => {}
            Err(error) if is_absence(error.errno()) => {}
            Err(error) => return Err(error.into()),
        }
        tree.sort_unstable();
        for path in tree {
            add_path(follow, &path, &reason)?;
            if rootfs.lstat(&path)?.kind != Kind::Directory {
                asked += 1;
                refused.extend(follow.entries.refusal(&path).cloned());
            }
        }
    }
    // Of many files those that are secrets stay behind; whoever names nothing but secrets wants them.
    match refused.first() {
        Some(refusal) if refused.len() == asked => Err(ClosureError::Refused {
            path: refusal.path.clone(),
            secret: refusal.secret,
        }),
        _ => Ok(()),
    }
}

/// What `found` below the directory `end` is called by way of the link `link` to that.
fn by_name_of(link: &RootPath, end: &RootPath, found: &RootPath) -> RootPath {
    let names: Vec<&[u8]> = found.components().skip(end.components().count()).collect();
    RootPath::new([link.as_bytes(), b"/", &names.join(&b'/')].concat())
}

/// Adds one path and, where it is a program or a library, what it needs.
pub(super) fn add_path(follow: &mut Follow<'_>, path: &RootPath, reason: &Reason) -> Result<(), ClosureError> {
    let Some(place) = follow.entries.add(path.as_bytes(), reason)? else {
        return Ok(());
    };
    if place.metadata.kind != Kind::File {
        return Ok(());
    }
    let executable = place.metadata.mode & 0o111 != 0;
    if !executable && !follow.is_elf(&place.path)? {
        return Ok(());
    }
    match follow.examine(&place)? {
        Kinds::Elf(facts) if facts.interpreter.is_some() => {
            follow.program(path.as_bytes(), reason, Demand::Optional, 0)
        }
        Kinds::Elf(facts) => {
            if facts.has_dynamic {
                follow.library(&place.path, &facts, reason.clone());
            }
            Ok(())
        }
        Kinds::Script(_) if executable => follow.program(path.as_bytes(), reason, Demand::Optional, 0),
        Kinds::Not(ProgramFault::Elf(error)) => {
            warn_damaged(follow, &place, &error, executable);
            Ok(())
        }
        Kinds::Script(_) | Kinds::Not(_) => Ok(()),
    }
}

/// A damaged ELF file is data like any other, unless somebody means to run it.
fn warn_damaged(follow: &mut Follow<'_>, place: &Resolution, error: &ElfError, executable: bool) {
    if executable {
        follow.entries.warn(
            WarningKind::ForeignFile,
            &place.path,
            format!("{error}: packed as it is"),
        );
    }
}
