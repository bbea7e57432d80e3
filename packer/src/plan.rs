//! The plan: what will be in the image and why, as a value. Made by [`crate::closure`], read by everything after it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::rootfs::RootPath;

/// What is to be packed: nothing has been read of the files' contents but what the closure needed, nothing written.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The root file system, as a path on this machine.
    pub rootfs: PathBuf,
    /// The program that is run, resolved inside the root: the path it was found at, before links.
    pub entry: RootPath,
    /// Programs that are run under names of their own, sorted by name.
    pub entry_points: Vec<EntryPoint>,
    /// Machine of the entry point, as `uname -m` says it.
    pub architecture: String,
    /// PATH of the root file system, as the app will get it.
    pub search_path: String,
    /// Every path of the image, sorted bytewise; parents are always there.
    pub entries: BTreeMap<RootPath, Entry>,
    /// What the person packing should know: unresolved libraries, skipped devices, …
    pub warnings: Vec<Warning>,
    /// What something brought and the guard kept out.
    pub refusals: Vec<Refusal>,
}

impl Plan {
    /// The warnings that mean that the program does not start at all: it is not there itself, or something is not that the kernel or
    /// its own loader wants at once, and not only what was taken along beside it.
    pub fn faults(&self) -> Vec<Warning> {
        let refused = self.refusals.iter().filter(|refusal| !refusal.locked);
        self.warnings
            .iter()
            .cloned()
            .chain(refused.map(Refusal::warning))
            .filter(|warning| match warning.kind {
                WarningKind::MissingLibrary | WarningKind::LoaderStops => self.is_wanted_at_start(warning),
                WarningKind::Excluded | WarningKind::Hidden | WarningKind::Refused => {
                    self.is_wanted_at_start(warning) && !self.has_substitute(warning)
                }
                _ => false,
            })
            .collect()
    }

    /// A plan of these entries and nothing else.
    #[cfg(test)]
    pub(crate) fn of(entry: RootPath, entries: impl IntoIterator<Item = (RootPath, Entry)>) -> Self {
        Self {
            rootfs: "/".into(),
            entry,
            entry_points: Vec::new(),
            architecture: String::new(),
            search_path: String::new(),
            entries: entries.into_iter().collect(),
            warnings: Vec::new(),
            refusals: Vec::new(),
        }
    }

    fn is_wanted_at_start(&self, warning: &Warning) -> bool {
        self.wanted_by(warning)
            .last()
            .is_some_and(|reason| matches!(reason.kind, ReasonKind::Command | ReasonKind::As))
    }

    /// A library that is not there is looked for in the next directory: another level of hwcaps, say.
    fn has_substitute(&self, warning: &Warning) -> bool {
        let is_library = self
            .wanted_by(warning)
            .find(|reason| reason.kind != ReasonKind::Symlink)
            .is_some_and(|reason| reason.kind == ReasonKind::Needed);
        let same_name = |path: &RootPath| *path != warning.path && path.file_name() == warning.path.file_name();
        let is_hidden = |path: &RootPath| {
            let hidden = |other: &Warning| other.kind == WarningKind::Hidden && other.path == *path;
            self.warnings.iter().any(hidden)
        };
        is_library && self.entries.keys().any(|path| same_name(path) && !is_hidden(path))
    }

    /// The chain of reasons from what a warning is about, through nothing but what is loaded at a start, up to a reason that is
    /// none of those.
    fn wanted_by<'a>(&'a self, warning: &'a Warning) -> impl Iterator<Item = &'a Reason> {
        let reason_of = |path: &RootPath| self.entries.get(path).map(|entry| &entry.reason);
        let first = warning.wanted.as_ref().or_else(|| reason_of(&warning.path));
        let next = move |reason: &&Reason| match (reason.kind, &reason.by) {
            (ReasonKind::Needed | ReasonKind::Interpreter | ReasonKind::Shebang | ReasonKind::Symlink, Some(by)) => {
                reason_of(by)
            }
            _ => None,
        };
        // A chain is never longer than the plan; a circle, which no plan has, would end here too.
        std::iter::successors(first, next).take(self.entries.len() + 1)
    }
}

/// A program beside the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryPoint {
    /// The name that starts it.
    pub name: String,
    /// Where it was found, before links.
    pub path: RootPath,
}

/// One path of the image.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// What it is, with what its kind needs.
    pub node: Node,
    /// Permission bits with setuid, setgid and sticky: `st_mode & 0o7777`.
    pub mode: u32,
    /// Owner, numeric.
    pub uid: u32,
    /// Group, numeric.
    pub gid: u32,
    /// Modification time, seconds since the epoch, as in the root file system (clamped by the image writer).
    pub mtime: i64,
    /// Why it is there: the first reason that brought it in. The chain goes on at the reason's `by`.
    pub reason: Reason,
}

/// Kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Node {
    /// Regular file, its bytes read from the root file system at the same path when the image is written.
    File {
        /// Size in bytes when planned. A file that has changed since is an error.
        size: u64,
    },
    /// Regular file whose bytes the plan brings (such as an `/etc/passwd` where the root file system has none).
    Synthetic {
        /// The bytes.
        #[serde(skip)]
        contents: Vec<u8>,
    },
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink {
        /// Target as stored, bytes need not be UTF-8 (shown lossily in JSON).
        #[serde(serialize_with = "crate::rootfs::serialize_bytes_lossy")]
        target: Vec<u8>,
    },
}

/// Why an entry is in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Reason {
    /// The rule that brought it in.
    pub kind: ReasonKind,
    /// The entry that the rule was applied to; none for roots of the closure.
    pub by: Option<RootPath>,
    /// What was asked for: a soname, an interpreter line, a pattern, …
    pub detail: String,
}

/// The rules that bring entries in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// The command itself.
    Command,
    /// `--as`.
    As,
    /// A fixed argument of the command.
    Argument,
    /// `--also`.
    Also,
    /// `--include`.
    Include,
    /// `--trace`.
    Trace,
    /// `--add-misses`; the detail is the file.
    Missed,
    /// PT_INTERP.
    Interpreter,
    /// DT_NEEDED.
    Needed,
    /// The same soname at another hwcaps level, or another expansion of a token.
    Alternative,
    /// DT_FILTER, DT_AUXILIARY.
    Filter,
    /// DT_AUDIT, DT_DEPAUDIT.
    Audit,
    /// /etc/ld.so.preload.
    Preload,
    /// `#!`.
    Shebang,
    /// Target of a symbolic link, or a link on the way to an entry.
    Symlink,
    /// Directory on the way to an entry.
    Parent,
    /// The base set: the /etc skeleton, standard directories, loader cache, …
    Base,
    /// terminfo, because a terminal library is in the closure.
    Terminfo,
    /// A rule; the detail is its name.
    Rule,
    /// A library that an ELF note says is opened: `.note.dlopen`.
    DlopenNote,
    /// A library named in the constants of what opens libraries.
    LibraryName,
    /// A path in the constants of a program or its libraries, or in a script.
    PathMention,
    /// A program named in the constants of one that starts programs, or in a shell script.
    CommandMention,
    /// A module that a script imports.
    Import,
    /// The package of a program, or one that it depends on; the detail is its name.
    Package,
    /// A locale that was asked for.
    Locale,
    /// The base set's threads rule: libgcc_s, which glibc loads on pthread_cancel and pthread_exit.
    ThreadCancel,
}

/// A file that something brought and that was kept out, since whoever gets the bundle gets what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file.
    pub path: RootPath,
    /// What it holds.
    pub secret: Secret,
    /// Whether the file itself is packed, without the secret in it.
    pub locked: bool,
    /// What brought it.
    pub reason: Reason,
}

/// What nobody wants to give away with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// Hashes of passwords.
    PasswordHashes,
    /// A private key, or what belongs to one.
    PrivateKey,
    /// Passwords and tokens for services.
    Credentials,
    /// What tells the machine from others.
    MachineIdentity,
    /// What somebody typed.
    History,
}

impl Refusal {
    /// The same as a warning, for who asks what keeps the program from starting.
    fn warning(&self) -> Warning {
        Warning {
            kind: WarningKind::Refused,
            path: self.path.clone(),
            message: format!("refused: it holds {}", self.secret),
            wanted: Some(self.reason.clone()),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PasswordHashes => "password hashes",
            Self::PrivateKey => "a private key",
            Self::Credentials => "credentials",
            Self::MachineIdentity => "the identity of the machine",
            Self::History => "a history of what somebody typed",
        })
    }
}

/// Something that did not stop the plan but may stop the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// Entry that it is about.
    pub path: RootPath,
    /// One line, without the path.
    pub message: String,
    /// Why it was wanted, where that is not told by an entry of the plan.
    #[serde(skip)]
    pub wanted: Option<Reason>,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// A library that the loader will not find: the app stops at its start, or when it wants it.
    MissingLibrary,
    /// A file that makes the loader stop although the library may be found elsewhere: a directory, a loop of links, not ELF.
    LoaderStops,
    /// An ELF file for another architecture, or damaged.
    ForeignFile,
    /// Something that was needed was excluded.
    Excluded,
    /// Something lies where the app will not see it: in a directory that is made anew when it runs.
    Hidden,
    /// An interpreter or a helper that is named but is not there.
    MissingProgram,
    /// A path of a trace that is not there any more.
    Gone,
    /// A pattern that matched nothing.
    EmptyPattern,
    /// A device, socket or FIFO, which an image does not hold.
    Skipped,
    /// Something works only under a condition, such as a working directory.
    Condition,
    /// Something that was needed holds a secret and was refused.
    Refused,
    /// A file with more than one name in the plan: the app sees as many files.
    HardLink,
    /// A file that asks for a newer kernel or processor than polecat itself.
    Machine,
}

#[cfg(test)]
mod tests;
