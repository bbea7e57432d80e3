//! Rules, applied.

use std::collections::BTreeSet;

use super::{Extension, add_data, add_tree};
use crate::closure::base_set::is_libc;
use crate::closure::error::ClosureError;
use crate::closure::follow::{Demand, Follow};
use crate::elf::is_absence;
use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{Kind, Last, RootPath};
use crate::rules::{Observed, Rule, Then, Trigger};

impl Extension<'_> {
    /// Applies the rules that are met and were not before.
    pub(super) fn apply_rules(&mut self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        let mut observed = self.observe(follow);
        if self.extent.rules.iter().any(Rule::asks_for_packages) {
            observed.packages = self.packages_of(follow, &observed.paths)?;
        }
        let extent = self.extent;
        for (number, rule) in extent.rules.iter().enumerate() {
            if self.applied.contains(&number) {
                continue;
            }
            if let Some(trigger) = rule.applies(&observed) {
                self.applied.insert(number);
                self.apply(follow, rule, &trigger)?;
            }
        }
        Ok(())
    }

    fn observe(&self, follow: &Follow<'_>) -> Observed {
        let mut observed = Observed {
            paths: follow.entries.paths().cloned().collect(),
            locales: self.extent.locales.any(),
            ..Observed::default()
        };
        // What a helper starts has no rules of its own: there is no end to it.
        for run in follow.runs().iter().filter(|run| run.depth <= 1) {
            observed.programs.push(run.path.clone());
            observed.programs.push(run.named.clone());
        }
        for (path, facts) in follow.mapped_files() {
            observed.libraries.push((path.clone(), facts.soname.clone()));
            if is_libc(facts) {
                continue;
            }
            for &symbol in &facts.imports {
                observed.imports.push((symbol, path.clone()));
                if facts.interpreter.is_some() && observed.programs.contains(path) {
                    observed.program_imports.push((symbol, path.clone()));
                }
            }
        }
        observed
    }

    /// The packages that own any of `paths`, each with the first of them.
    fn packages_of(
        &mut self,
        follow: &mut Follow<'_>,
        paths: &[RootPath],
    ) -> Result<Vec<(RootPath, String)>, ClosureError> {
        let Some(packages) = self.packages(follow)? else {
            return Ok(Vec::new());
        };
        let mut known = BTreeSet::new();
        let owned = paths
            .iter()
            .filter_map(|path| Some((path, &packages.owner(path)?.name)));
        let first = owned.filter(|(_, name)| known.insert(name.as_str()));
        Ok(first.map(|(path, name)| (path.clone(), name.clone())).collect())
    }

    fn apply(&self, follow: &mut Follow<'_>, rule: &Rule, trigger: &Trigger) -> Result<(), ClosureError> {
        let reason = Reason {
            kind: ReasonKind::Rule,
            by: trigger.by.clone(),
            detail: rule.name.clone(),
        };
        let then = &rule.then;
        add_files(follow, then, trigger, &reason)?;
        for program in &then.programs {
            self.add_program(follow, program, &reason)?;
        }
        for library in &then.libraries {
            follow.open_by_name(library.as_bytes(), &reason)?;
        }
        for directory in &then.directories {
            match follow.entries.add_alone(directory, &reason) {
                Err(error) if is_absence(error.errno()) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Adds a program by name or path, where it is.
    fn add_program(&self, follow: &mut Follow<'_>, name: &str, reason: &Reason) -> Result<(), ClosureError> {
        self.add_program_within(follow, name, reason, u64::MAX)
    }

    /// The same, unless it would bring more than `limit` bytes.
    pub(super) fn add_program_within(
        &self,
        follow: &mut Follow<'_>,
        name: &str,
        reason: &Reason,
        limit: u64,
    ) -> Result<(), ClosureError> {
        let path = if name.starts_with('/') {
            RootPath::new(name)
        } else if let Some(path) = self.programs.get(name.as_bytes()) {
            path.clone()
        } else {
            return Ok(());
        };
        match follow.rootfs().resolve(path.as_bytes(), Last::Follow) {
            Ok(place) if place.metadata.kind == Kind::File => {
                if limit < u64::MAX && follow.cost(&place)? > limit {
                    return Ok(());
                }
                follow.program(path.as_bytes(), reason, Demand::Optional, 0)
            }
            Ok(_) => Ok(()),
            Err(error) if is_absence(error.errno()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn add_files(follow: &mut Follow<'_>, then: &Then, trigger: &Trigger, reason: &Reason) -> Result<(), ClosureError> {
    let excepted = |path: &RootPath| then.except.iter().any(|pattern| pattern.matches(path));
    for pattern in then.files(trigger) {
        for path in follow.rootfs().glob(&pattern)? {
            let end = match follow.rootfs().resolve(path.as_bytes(), Last::Follow) {
                Ok(end) => end,
                Err(error) if is_absence(error.errno()) => continue,
                Err(error) => return Err(error.into()),
            };
            if excepted(&path) {
                continue;
            }
            if end.metadata.kind == Kind::Directory && end.path != path {
                add_data(follow, &path, reason)?;
            }
            let tree = if end.metadata.kind == Kind::Directory {
                &end.path
            } else {
                &path
            };
            add_tree(follow, tree, reason, |path| !excepted(path))?;
        }
    }
    Ok(())
}
