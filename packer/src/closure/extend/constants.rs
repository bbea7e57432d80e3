//! The constants of programs and of the libraries that they name, and what libraries say in notes.

use std::collections::BTreeSet;

use super::Extension;
use super::mentioned::is_helper;
use crate::closure::error::ClosureError;
use crate::closure::follow::{Follow, Run};
use crate::elf::ElfFacts;
use crate::evidence::paths::{Mention, mentions};
use crate::evidence::{EvidenceKind, strings};
use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{RootPath, RootfsError, errno_of, printable};

/// Libraries of the C and C++ runtimes: their constants name what any program may use, and the base set and the rules know it better.
const RUNTIMES: [&[u8]; 10] = [
    b"ld-",
    b"libc.so",
    b"libc-",
    b"libm.so",
    b"libm-",
    b"libpthread",
    b"libdl",
    b"librt",
    b"libstdc++",
    b"libgcc_s",
];

/// Symbols of programs that start others.
const STARTERS: [&str; 14] = [
    "execl",
    "execle",
    "execlp",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "posix_spawn",
    "posix_spawnp",
    "system",
    "popen",
    "wordexp",
    "g_spawn_async",
    "g_spawn_sync",
];

/// More commands than any program starts. One that names as many is all of them itself, as busybox is.
const MOST_COMMANDS: usize = 32;

impl Extension<'_> {
    /// Reads what is run and was not read before.
    pub(super) fn read_programs(&mut self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        for run in follow.runs().to_vec() {
            if !self.read.insert(run.path.clone()) {
                continue;
            }
            if run.script && run.depth <= 1 {
                self.read_script(follow, &run)?;
            } else if !run.script && run.depth == 0 {
                self.read_constants(follow, &run)?;
            }
        }
        Ok(())
    }

    /// Opens what the notes of all that is mapped name.
    pub(super) fn follow_notes(&mut self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        if !self.follows(EvidenceKind::DlopenNotes) {
            return Ok(());
        }
        let named: Vec<(RootPath, Vec<u8>)> = follow
            .mapped_files()
            .flat_map(|(path, facts)| facts.opens.iter().map(|soname| (path.clone(), soname.clone())))
            .collect();
        for (by, soname) in named {
            let reason = Reason {
                kind: ReasonKind::DlopenNote,
                detail: printable(&soname),
                by: Some(by),
            };
            follow.open_by_name(&soname, &reason)?;
        }
        Ok(())
    }

    fn read_constants(&mut self, follow: &mut Follow<'_>, run: &Run) -> Result<(), ClosureError> {
        let mut files = vec![run.path.clone()];
        files.extend(
            follow
                .direct_libraries(&run.path)
                .into_iter()
                .filter(|path| !is_runtime(path)),
        );
        for file in files {
            let Some(facts) = follow.facts_of(&file) else { continue };
            let is_program = file == run.path;
            for mention in self.constants(follow, &file)? {
                self.follow_mention(follow, &file, mention, &facts, is_program)?;
            }
        }
        Ok(())
    }

    fn constants(&self, follow: &Follow<'_>, path: &RootPath) -> Result<BTreeSet<Mention>, RootfsError> {
        let mut found = BTreeSet::new();
        let file = follow.rootfs().open_file(path)?;
        let keep = |mention: &Mention| match mention {
            // Nearly every English word is a constant somewhere.
            Mention::Command(name) => is_helper(name) && self.programs.contains_key(name),
            _ => true,
        };
        strings::for_each(&file, |constant| {
            mentions(constant, |mention| {
                if keep(&mention) {
                    found.insert(mention);
                }
            });
        })
        .map_err(|error| RootfsError::Read {
            path: path.clone(),
            errno: errno_of(&error),
        })?;
        leave_own_names(&mut found);
        Ok(found)
    }

    fn follow_mention(
        &self,
        follow: &mut Follow<'_>,
        by: &RootPath,
        mention: Mention,
        facts: &ElfFacts,
        is_program: bool,
    ) -> Result<(), ClosureError> {
        match mention {
            Mention::Path(path) | Mention::Directory(path) if self.follows(EvidenceKind::Paths) => {
                self.add_mentioned(follow, &RootPath::new(&path), by)
            }
            Mention::Library(name) if self.follows(EvidenceKind::LibraryNames) && facts.imports("dlopen") => {
                let reason = Reason {
                    kind: ReasonKind::LibraryName,
                    by: Some(by.clone()),
                    detail: printable(&name),
                };
                follow.open_by_name(&name, &reason)
            }
            Mention::Command(name)
                if is_program
                    && self.follows(EvidenceKind::Commands)
                    && STARTERS.iter().any(|symbol| facts.imports(symbol)) =>
            {
                self.add_helper(follow, &name, by)
            }
            _ => Ok(()),
        }
    }
}

fn leave_own_names(mentions: &mut BTreeSet<Mention>) {
    let is_command = |mention: &Mention| matches!(mention, Mention::Command(_));
    if mentions.iter().filter(|mention| is_command(mention)).count() > MOST_COMMANDS {
        mentions.retain(|mention| !is_command(mention));
    }
}

fn is_runtime(path: &RootPath) -> bool {
    RUNTIMES.iter().any(|prefix| path.file_name().starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_many_names_starts_none_of_them() {
        let command = |number: usize| Mention::Command(format!("applet{number}").into_bytes());
        for (count, left) in [(MOST_COMMANDS, MOST_COMMANDS + 1), (MOST_COMMANDS + 1, 1)] {
            let mut mentions: BTreeSet<Mention> = (0..count).map(command).collect();
            mentions.insert(Mention::Path(b"/etc/inittab".to_vec()));
            leave_own_names(&mut mentions);
            assert_eq!(mentions.len(), left, "{count}");
            assert!(mentions.contains(&Mention::Path(b"/etc/inittab".to_vec())));
        }
    }
}
