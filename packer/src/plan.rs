//! The plan: what will be in the image and why, as a value. Made by [`crate::closure`], read by everything after it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::rootfs::RootPath;

/// What is to be packed: nothing has been read of the files' contents but what the closure needed, nothing written.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The root file system, as a path on this machine.
    pub rootfs: PathBuf,
    /// The program that is run, resolved inside the root: the path it was found at, before links.
    pub entry: RootPath,
    /// Machine of the entry point, as `uname -m` says it.
    pub architecture: String,
    /// PATH of the root file system, as the app will get it.
    pub search_path: String,
    /// Every path of the image, sorted bytewise; parents are always there.
    pub entries: BTreeMap<RootPath, Entry>,
    /// What the person packing should know: unresolved libraries, skipped devices, …
    pub warnings: Vec<Warning>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The rule that brought it in.
    pub kind: ReasonKind,
    /// The entry that the rule was applied to; none for roots of the closure.
    pub by: Option<RootPath>,
    /// What was asked for: a soname, an interpreter line, a pattern, …
    pub detail: String,
}

/// The rules that bring entries in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// The command itself.
    Command,
    /// `--also`.
    Also,
    /// `--include`.
    Include,
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
    /// The base set's threads rule: libgcc_s, which glibc loads on pthread_cancel and pthread_exit.
    ThreadCancel,
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
    /// An interpreter or a helper that is named but is not there.
    MissingProgram,
    /// A pattern that matched nothing.
    EmptyPattern,
    /// A device, socket or FIFO, which an image does not hold.
    Skipped,
    /// Something works only under a condition, such as a working directory.
    Condition,
    /// A file with secrets (password hashes, private keys, …) that a wildcard would have taken along: it was left out.
    Secret,
}
