//! The text of scripts: commands and paths of shells', modules of Python's and Perl's.

use super::{Extension, add_data, add_tree};
use crate::closure::error::ClosureError;
use crate::closure::follow::{Demand, Follow, Run};
use crate::elf::is_absence;
use crate::evidence::{EvidenceKind, imports, shell};
use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{Kind, Last, Pattern, Resolution, RootPath, printable};

/// Longer scripts are data with a shell in front.
const MAX_SCRIPT: u64 = 1 << 20;

/// What a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Shell,
    Python,
    Perl,
    Other,
}

impl Extension<'_> {
    /// Follows what a script names.
    pub(super) fn read_script(&self, follow: &mut Follow<'_>, run: &Run) -> Result<(), ClosureError> {
        let place = follow.rootfs().lstat(&run.path)?;
        if place.size > MAX_SCRIPT {
            return Ok(());
        }
        let text = follow.rootfs().read_file(&run.path, MAX_SCRIPT)?;
        match language(&text) {
            Language::Shell if self.follows(EvidenceKind::Shell) => self.follow_shell(follow, run, &text),
            Language::Python if self.follows(EvidenceKind::Imports) => {
                let modules = imports::python(&text);
                let patterns = modules.iter().map(|module| {
                    format!("/{{usr,usr/local}}/lib/python3*/{{,dist-packages/,site-packages/}}{module}{{,.py,.*.so}}")
                });
                follow_modules(follow, run, modules.iter().zip(patterns))
            }
            Language::Perl if self.follows(EvidenceKind::Imports) => {
                let modules = imports::perl(&text);
                let patterns = modules.iter().map(|module| {
                    format!("/usr/{{share/perl5,share/perl/*,lib/*/perl/*,lib/*/perl5/*,local/share/perl/*}}/{{,auto/}}{module}{{,.pm}}")
                });
                follow_modules(follow, run, modules.iter().zip(patterns))
            }
            _ => Ok(()),
        }
    }

    fn follow_shell(&self, follow: &mut Follow<'_>, run: &Run, text: &[u8]) -> Result<(), ClosureError> {
        let script = shell::read(text);
        for name in script.commands.iter().filter(|name| self.programs.contains_key(*name)) {
            self.add_command(follow, name, &run.path)?;
        }
        for path in &script.paths {
            self.add_mentioned(follow, &RootPath::new(path), &run.path)?;
        }
        let directory = run.path.parent().unwrap_or_else(RootPath::root);
        for end in &script.relative {
            let path = [directory.as_bytes(), b"/", end].concat();
            if let Ok(place) = follow.rootfs().resolve(path, Last::Follow) {
                self.add_mentioned(follow, &place.path, &run.path)?;
                self.follow_beside(follow, run, &place)?;
            }
        }
        self.follow_sourced(follow, run, &script)
    }

    /// Executables beside a script are there to be run by it.
    fn follow_beside(&self, follow: &mut Follow<'_>, run: &Run, place: &Resolution) -> Result<(), ClosureError> {
        let paths = match place.metadata.kind {
            Kind::File => vec![place.path.clone()],
            Kind::Directory => {
                let entries = follow.rootfs().read_dir(&place.path)?;
                entries.into_iter().map(|entry| place.path.join(&entry.name)).collect()
            }
            _ => Vec::new(),
        };
        for path in paths {
            let metadata = follow.rootfs().lstat(&path)?;
            if metadata.kind != Kind::File || metadata.mode & 0o111 == 0 || !follow.entries.contains(&path) {
                continue;
            }
            let reason = Reason {
                kind: ReasonKind::CommandMention,
                by: Some(run.path.clone()),
                detail: printable(path.file_name()),
            };
            follow.program(path.as_bytes(), &reason, Demand::Optional, 0)?;
        }
        Ok(())
    }

    /// Scripts beside the script that it may read or run bring what they name, one deep.
    fn follow_sourced(&self, follow: &mut Follow<'_>, run: &Run, script: &shell::Script) -> Result<(), ClosureError> {
        let directory = run.path.parent().unwrap_or_else(RootPath::root);
        for end in &script.relative {
            let path = [directory.as_bytes(), b"/", end].concat();
            let Ok(place) = follow.rootfs().resolve(path, Last::Follow) else {
                continue;
            };
            if place.metadata.kind != Kind::File || place.metadata.size > MAX_SCRIPT {
                continue;
            }
            let text = follow.rootfs().read_file(&place.path, MAX_SCRIPT)?;
            for name in shell::read(&text)
                .commands
                .iter()
                .filter(|name| self.programs.contains_key(*name))
            {
                self.add_command(follow, name, &place.path)?;
            }
        }
        Ok(())
    }
}

fn follow_modules<'m>(
    follow: &mut Follow<'_>,
    run: &Run,
    modules: impl Iterator<Item = (&'m String, String)>,
) -> Result<(), ClosureError> {
    for (module, pattern) in modules {
        let reason = Reason {
            kind: ReasonKind::Import,
            by: Some(run.path.clone()),
            detail: module.clone(),
        };
        for path in follow.rootfs().glob(&Pattern::new(&pattern)?)? {
            match follow.rootfs().resolve(path.as_bytes(), Last::Follow) {
                Ok(end) if end.metadata.kind == Kind::Directory => add_tree(follow, &end.path, &reason, |_| true)?,
                Ok(_) => add_data(follow, &path, &reason)?,
                Err(error) if is_absence(error.errno()) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// By the `#!` line.
fn language(text: &[u8]) -> Language {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mentions = |name: &[u8]| line.windows(name.len()).any(|window| window == name);
    if mentions(b"python") {
        Language::Python
    } else if mentions(b"perl") {
        Language::Perl
    } else if mentions(b"sh") {
        Language::Shell
    } else {
        Language::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (line, expected) in [
            ("#!/bin/sh -e\n", Language::Shell),
            ("#!/usr/bin/env bash\n", Language::Shell),
            ("#!/usr/bin/env -S python3 -u\nimport sh", Language::Python),
            ("#!/usr/bin/perl -w\n", Language::Perl),
            ("#!/usr/bin/awk -f\n", Language::Other),
        ] {
            assert_eq!(language(line.as_bytes()), expected, "{line}");
        }
    }
}
