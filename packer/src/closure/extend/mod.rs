//! What no loader reads: rules and evidence, applied until nothing new comes.

mod constants;
mod locales;
mod mentioned;
mod owned;
mod ruled;
mod scripts;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::error::ClosureError;
use super::follow::{Demand, Follow, Kinds};
use crate::evidence::EvidenceKind;
use crate::packages::Packages;
use crate::plan::Reason;
use crate::rootfs::{Kind, RootPath, RootfsError};
use crate::rules::RuleSet;

pub use locales::Locales;
pub(super) use mentioned::is_shared;

/// How far a closure goes beyond what loaders read.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    /// The rules that apply.
    pub rules: RuleSet,
    /// The kinds of evidence that are followed.
    pub evidence: BTreeSet<EvidenceKind>,
    /// Locales beside C.
    pub locales: Locales,
    /// Whether packages are taken whole, with all that they depend on.
    pub whole_packages: bool,
}

impl Extent {
    /// Nothing beyond.
    #[must_use]
    pub fn elf() -> Self {
        Self::default()
    }
}

/// The package database.
#[derive(Debug)]
enum Reading {
    NotYet,
    Done(Option<Box<Packages>>),
}

/// The state of the loop.
pub(super) struct Extension<'e> {
    extent: &'e Extent,
    /// Rules that were applied, by their places in the set.
    applied: HashSet<usize>,
    /// Programs and libraries whose constants or text were read.
    read: HashSet<RootPath>,
    /// Programs whose packages were looked at.
    owned: HashSet<RootPath>,
    packages: Reading,
    /// The programs in PATH by name.
    programs: BTreeMap<Vec<u8>, RootPath>,
}

impl<'e> Extension<'e> {
    pub(super) fn new(follow: &Follow<'_>, extent: &'e Extent) -> Result<Self, ClosureError> {
        Ok(Self {
            extent,
            applied: HashSet::new(),
            read: HashSet::new(),
            owned: HashSet::new(),
            packages: Reading::NotYet,
            programs: programs_in_path(follow)?,
        })
    }

    /// Applies everything until nothing new comes.
    pub(super) fn run(&mut self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        loop {
            let before = follow.progress();
            follow.libraries()?;
            self.apply_rules(follow)?;
            self.read_programs(follow)?;
            self.follow_notes(follow)?;
            self.add_own_packages(follow)?;
            if follow.progress() == before {
                break;
            }
        }
        if self.extent.whole_packages {
            self.add_whole_packages(follow)?;
            follow.libraries()?;
        }
        self.add_locales(follow)
    }

    fn follows(&self, kind: EvidenceKind) -> bool {
        self.extent.evidence.contains(&kind)
    }
}

/// The first program of each name, as a shell looks it up.
fn programs_in_path(follow: &Follow<'_>) -> Result<BTreeMap<Vec<u8>, RootPath>, RootfsError> {
    let mut programs = BTreeMap::new();
    for directory in follow
        .search_path()
        .split(':')
        .filter(|directory| directory.starts_with('/'))
    {
        let directory = RootPath::new(directory);
        let names = match follow.rootfs().read_dir(&directory) {
            Ok(names) => names,
            Err(error) if crate::elf::is_absence(error.errno()) => continue,
            Err(error) => return Err(error),
        };
        for entry in names {
            let path = directory.join(&entry.name);
            programs.entry(entry.name).or_insert(path);
        }
    }
    Ok(programs)
}

/// Adds a path with all below it as data: libraries among it bring theirs, programs theirs, scripts nothing.
fn add_tree(
    follow: &mut Follow<'_>,
    path: &RootPath,
    reason: &Reason,
    keep: impl Fn(&RootPath) -> bool,
) -> Result<(), ClosureError> {
    let mut tree = Vec::new();
    follow.rootfs().descend(path, &mut tree)?;
    tree.sort_unstable();
    for path in tree.iter().filter(|path| keep(path)) {
        add_data(follow, path, reason)?;
    }
    Ok(())
}

/// Adds one path as data.
fn add_data(follow: &mut Follow<'_>, path: &RootPath, reason: &Reason) -> Result<(), ClosureError> {
    if !is_readable(follow, path)? {
        return Ok(());
    }
    let Some(place) = follow.entries.add(path.as_bytes(), reason)? else {
        return Ok(());
    };
    if place.metadata.kind != Kind::File || !follow.is_elf(&place.path)? {
        return Ok(());
    }
    if let Kinds::Elf(facts) = follow.examine(&place)? {
        if facts.interpreter.is_some() && place.metadata.mode & 0o111 != 0 {
            follow.program(path.as_bytes(), reason, Demand::Optional, 0)?;
        } else if facts.has_dynamic {
            follow.library(&place.path, &facts, reason.clone());
        }
    }
    Ok(())
}

/// What the person packing may not read stays behind: it is a guess that it is wanted at all.
fn is_readable(follow: &Follow<'_>, path: &RootPath) -> Result<bool, RootfsError> {
    use crate::rootfs::Last;
    use nix::errno::Errno;
    let place = match follow.rootfs().resolve(path.as_bytes(), Last::Follow) {
        Ok(place) => place,
        Err(error) if crate::elf::is_absence(error.errno()) => return Ok(true),
        Err(error) if error.errno() == Errno::EACCES => return Ok(false),
        Err(error) => return Err(error),
    };
    if place.metadata.kind != Kind::File {
        return Ok(true);
    }
    match follow.rootfs().open_file(&place.path) {
        Ok(_) => Ok(true),
        Err(error) if error.errno() == Errno::EACCES => Ok(false),
        Err(error) => Err(error),
    }
}
