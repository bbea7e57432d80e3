//! A file that a loader tries for a library: taken, passed over, or the end of the program.

use std::fmt;
use std::sync::Arc;

use nix::errno::Errno;

use crate::elf::{ElfError, ElfFacts, ElfStore, FileType, Target, is_absence};
use crate::rootfs::{Kind, Last, PATH_MAX, RootPath, RootfsError};

/// What became of a path that was tried.
#[derive(Debug)]
pub(super) enum Candidate {
    /// It can be mapped.
    Accepted(Accepted),
    /// It could not be opened.
    Absent(Errno),
    /// An ELF file for another machine or class.
    OtherTarget,
    /// It makes the loader give up.
    Refused(Refusal),
}

/// A file that can be mapped.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Where the path leads.
    pub(super) path: RootPath,
    pub(super) identity: (u64, u64),
    pub(super) facts: Arc<ElfFacts>,
}

/// Why a loader gives up at a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A directory.
    Directory,
    /// A device, a FIFO or a socket.
    NotRegular,
    /// Not an ELF file, or a damaged one.
    Elf(ElfError),
    /// The other byte order.
    Encoding,
    /// For another machine, where the loader does not pass over it.
    Target(Target),
    /// ET_REL, ET_CORE, …
    NotLoadable,
    /// An ET_EXEC executable.
    Executable,
    /// Without PT_LOAD or PT_DYNAMIC.
    Incomplete,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str("a directory"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::Elf(error) => error.fmt(f),
            Self::Encoding => f.write_str("an ELF file of the other byte order"),
            Self::Target(target) => write!(f, "an ELF file for {target}"),
            Self::NotLoadable => f.write_str("an ELF file that is no library"),
            Self::Executable => f.write_str("an executable, not a library"),
            Self::Incomplete => f.write_str("an ELF file without segments to load"),
        }
    }
}

/// Tries `opened` as glibc's `open_verify` and `_dl_map_object_from_fd` do; relative paths are seen from the root.
pub(super) fn try_glibc(store: &ElfStore<'_>, opened: &[u8], target: Target) -> Result<Candidate, RootfsError> {
    examine(store, opened, |facts| match facts {
        Err(error) => refuse_damaged(error, target),
        Ok(facts) => {
            if facts.target.class != target.class {
                return Some(Candidate::OtherTarget);
            }
            if facts.target.encoding != target.encoding {
                return Some(Candidate::Refused(Refusal::Encoding));
            }
            if facts.target.machine != target.machine {
                return Some(Candidate::OtherTarget);
            }
            match facts.file_type {
                FileType::NotLoadable => Some(Candidate::Refused(Refusal::NotLoadable)),
                FileType::Executable => Some(Candidate::Refused(Refusal::Executable)),
                FileType::Shared => incomplete(facts),
            }
        }
    })
}

/// The order of `open_verify`'s questions: class before byte order before machine before the rest.
fn refuse_damaged(error: &ElfError, target: Target) -> Option<Candidate> {
    let refused = Candidate::Refused(Refusal::Elf(error.clone()));
    Some(match error {
        ElfError::Damaged { target: None, .. } => Candidate::OtherTarget,
        ElfError::Damaged {
            target: Some(found), ..
        } if found.class != target.class => Candidate::OtherTarget,
        ElfError::Damaged {
            target: Some(found), ..
        } if found.encoding != target.encoding => Candidate::Refused(Refusal::Encoding),
        ElfError::Damaged {
            target: Some(found), ..
        } if found.machine != target.machine => Candidate::OtherTarget,
        _ => refused,
    })
}

fn incomplete(facts: &ElfFacts) -> Option<Candidate> {
    (!facts.has_segments || !facts.has_dynamic).then_some(Candidate::Refused(Refusal::Incomplete))
}

/// Tries `opened` as musl's `map_library` does: it does not look at the machine, a foreign file is mapped and the program crashes.
pub(super) fn try_musl(store: &ElfStore<'_>, opened: &[u8], target: Target) -> Result<Candidate, RootfsError> {
    examine(store, opened, |facts| match facts {
        Err(error) => Some(Candidate::Refused(Refusal::Elf(error.clone()))),
        Ok(facts) if facts.target != target => Some(Candidate::Refused(Refusal::Target(facts.target))),
        Ok(facts) if facts.file_type == FileType::NotLoadable => Some(Candidate::Refused(Refusal::NotLoadable)),
        Ok(facts) => incomplete(facts),
    })
}

/// Looks the path up and has `judge` say what is wrong with the file, if anything.
fn examine(
    store: &ElfStore<'_>,
    opened: &[u8],
    judge: impl FnOnce(Result<&ElfFacts, &ElfError>) -> Option<Candidate>,
) -> Result<Candidate, RootfsError> {
    if opened.len() >= PATH_MAX {
        return Ok(Candidate::Absent(Errno::ENAMETOOLONG));
    }
    let place = match store.rootfs().resolve(opened, Last::Follow) {
        Ok(place) => place,
        Err(error) if is_absence(error.errno()) || error.errno() == Errno::EACCES => {
            return Ok(Candidate::Absent(error.errno()));
        }
        Err(error) => return Err(error),
    };
    match place.metadata.kind {
        Kind::File => {}
        Kind::Directory => return Ok(Candidate::Refused(Refusal::Directory)),
        _ => return Ok(Candidate::Refused(Refusal::NotRegular)),
    }
    let facts = store.facts(&place.path)?;
    if let Some(verdict) = judge(facts.as_deref()) {
        return Ok(verdict);
    }
    Ok(match facts {
        Ok(facts) => Candidate::Accepted(Accepted {
            path: place.path,
            identity: place.metadata.identity,
            facts,
        }),
        Err(error) => Candidate::Refused(Refusal::Elf(error)),
    })
}
