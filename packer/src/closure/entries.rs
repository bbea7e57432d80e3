//! The entries of the plan as they are brought in: each path with every link and directory on the way to it.

mod made;
mod refusals;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use self::warnings::is_needed;
use super::guard::{Guard, Verdict};
use crate::elf::is_absence;
use crate::plan::{Entry, Node, Reason, ReasonKind, Refusal, Warning, WarningKind};
use crate::rootfs::{
    KERNEL_DIRECTORIES, Kind, Last, Metadata, Pattern, Resolution, RootPath, Rootfs, RootfsError, printable,
};

/// Directories that are private and empty when the app runs.
const PRIVATE: [&str; 2] = ["/tmp", "/run"];

/// Why what is at `path` is not what the app sees there; none where it is. The directories themselves are seen, links in their place
/// are not.
fn hidden_by(path: &RootPath, kind: Kind) -> Option<String> {
    let hides = |directory: &&&str| {
        let directory = RootPath::new(directory);
        path.is_within(&directory) && (*path != directory || kind == Kind::Symlink)
    };
    let hidden = |directory: &&str, what: &str| format!("hidden when the app runs: {directory} is {what} then");
    let private = PRIVATE
        .iter()
        .find(hides)
        .map(|found| hidden(found, "private and empty"));
    private.or_else(|| {
        KERNEL_DIRECTORIES
            .iter()
            .find(hides)
            .map(|found| hidden(found, "the kernel's"))
    })
}

/// Entries and warnings.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    rootfs: &'a Rootfs,
    excluded: Vec<Pattern>,
    guard: Guard<'a>,
    refusals: BTreeMap<RootPath, Refusal>,
    entries: BTreeMap<RootPath, Entry>,
    warnings: Vec<Warning>,
    warned: BTreeSet<(WarningKind, RootPath, String)>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(rootfs: &'a Rootfs, excluded: Vec<Pattern>, allowed: Vec<Pattern>) -> Self {
        Self {
            rootfs,
            excluded,
            guard: Guard::new(rootfs, allowed),
            refusals: BTreeMap::new(),
            entries: BTreeMap::new(),
            warnings: Vec::new(),
            warned: BTreeSet::new(),
        }
    }

    pub(super) fn rootfs(&self) -> &'a Rootfs {
        self.rootfs
    }

    pub(super) fn finish(self) -> (BTreeMap<RootPath, Entry>, Vec<Warning>, Vec<Refusal>) {
        (self.entries, self.warnings, self.refusals.into_values().collect())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &RootPath> {
        self.entries.keys()
    }

    pub(super) fn contains(&self, path: &RootPath) -> bool {
        self.entries.contains_key(path)
    }

    /// The regular files that come from the root file system.
    pub(super) fn files(&self) -> Vec<RootPath> {
        let is_file = |entry: &Entry| matches!(entry.node, Node::File { .. });
        let files = self.entries.iter().filter(|(_, entry)| is_file(entry));
        files.map(|(path, _)| path.clone()).collect()
    }

    /// Does the app see what a look-up found, and come to it the same way?
    pub(super) fn is_seen(&self, found: &Resolution) -> bool {
        let seen = |path: &RootPath, kind| self.contains(path) && hidden_by(path, kind).is_none();
        seen(&found.path, found.metadata.kind) && found.links.iter().all(|link| seen(link, Kind::Symlink))
    }

    /// The pattern that excludes the path or a directory above it.
    pub(super) fn excluding(&self, path: &RootPath) -> Option<&str> {
        if self.excluded.is_empty() {
            return None;
        }
        let matches =
            |pattern: &&Pattern| pattern.matches(path) || path.ancestors().any(|above| pattern.matches(&above));
        self.excluded.iter().find(matches).map(Pattern::text)
    }

    /// Adds what is at `path` (relative paths as seen from the root) and what it leads to. A link at its end gets the reason, its
    /// target is there because of the link. Returns where it leads; none where it is excluded or leads nowhere.
    pub(super) fn add(&mut self, path: &[u8], reason: &Reason) -> Result<Option<Resolution>, RootfsError> {
        let asked = match self.rootfs.resolve(path, Last::Keep) {
            Ok(asked) => asked,
            Err(error) if is_absence(error.errno()) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.add_way(&asked, &asked.path)?;
        if !self.insert_as(&RootPath::new(path), &asked.path, asked.metadata, reason.clone())? {
            return Ok(None);
        }
        match asked.metadata.kind {
            Kind::Symlink if self.is_link(&asked.path) => self.add_targets(path, asked),
            Kind::Symlink => Ok(None),
            _ => Ok(Some(asked)),
        }
    }

    /// Adds what is at `path`, if anything; a link without its target.
    pub(super) fn add_alone(&mut self, path: &RootPath, reason: &Reason) -> Result<(), RootfsError> {
        let asked = self.rootfs.resolve(path.as_bytes(), Last::Keep)?;
        self.add_way(&asked, &asked.path)?;
        self.insert(&asked.path, asked.metadata, reason.clone())?;
        Ok(())
    }

    /// Follows the link that `asked` ends at, and the links after it.
    fn add_targets(&mut self, path: &[u8], asked: Resolution) -> Result<Option<Resolution>, RootfsError> {
        match self.rootfs.resolve(path, Last::Follow) {
            Ok(end) if is_kernels(&end.path) => {
                self.warn_of_kernels(&end, &asked.path);
                return Ok(None);
            }
            Ok(_) => {}
            // A link may dangle: that is how it is in the root file system.
            Err(error) if is_absence(error.errno()) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut at = asked;
        while at.metadata.kind == Kind::Symlink {
            let target = self.rootfs.read_link(&at.path)?;
            let reason = Reason {
                kind: ReasonKind::Symlink,
                by: Some(at.path.clone()),
                detail: printable(&target),
            };
            let directory = at.path.parent().unwrap_or_else(RootPath::root);
            let next = if target.starts_with(b"/") {
                target
            } else {
                [directory.as_bytes(), b"/", &target].concat()
            };
            at = self.rootfs.resolve(next, Last::Keep)?;
            self.add_way(&at, &at.path)?;
            let is_packed = self.insert(&at.path, at.metadata, reason)?;
            if !is_packed || at.metadata.kind == Kind::Symlink && !self.is_link(&at.path) {
                return Ok(None);
            }
        }
        Ok(Some(at))
    }

    /// Is a link packed as one, and not as a file without the secret that it leads to?
    fn is_link(&self, path: &RootPath) -> bool {
        let entry = self.entries.get(path);
        entry.is_some_and(|entry| matches!(entry.node, Node::Symlink { .. }))
    }

    /// Adds the links and directories that were passed through.
    fn add_way(&mut self, way: &Resolution, end: &RootPath) -> Result<(), RootfsError> {
        let links = way.links.iter().map(|path| (path, ReasonKind::Symlink));
        let directories = way
            .directories
            .iter()
            .filter(|path| *path != end)
            .map(|path| (path, ReasonKind::Parent));
        for (path, kind) in links.chain(directories) {
            if !self.entries.contains_key(path) {
                let metadata = self.rootfs.lstat(path)?;
                self.insert(
                    path,
                    metadata,
                    Reason {
                        kind,
                        by: Some(end.clone()),
                        detail: String::new(),
                    },
                )?;
            }
        }
        Ok(())
    }

    /// Inserts one path, which has no links on the way to it, and its parents. False where it is not packed.
    fn insert(&mut self, path: &RootPath, metadata: Metadata, reason: Reason) -> Result<bool, RootfsError> {
        self.insert_as(path, path, metadata, reason)
    }

    /// The same for a path that was asked for by another name, through links.
    fn insert_as(
        &mut self,
        asked: &RootPath,
        path: &RootPath,
        mut metadata: Metadata,
        reason: Reason,
    ) -> Result<bool, RootfsError> {
        if self.entries.contains_key(path) {
            return Ok(true);
        }
        if let Some(pattern) = self.excluding(path) {
            let pattern = pattern.to_owned();
            self.warn_excluded(path, &reason, &pattern);
            return Ok(false);
        }
        let hidden = hidden_by(path, metadata.kind).filter(|_| matches!(metadata.kind, Kind::File | Kind::Symlink));
        if let Some(message) = hidden.filter(|_| !is_kernels(path) || is_needed(reason.kind)) {
            self.warn_of(WarningKind::Hidden, path, message, Some(reason.clone()));
        }
        if is_kernels(path)
            && !KERNEL_DIRECTORIES
                .iter()
                .any(|directory| path.as_bytes() == directory.as_bytes())
        {
            return Ok(false);
        }
        let verdict = self.guard.judge(path, asked, &metadata)?;
        if let Verdict::Refused(secret) = verdict {
            self.refuse(path, secret, false, reason);
            return Ok(false);
        }
        let node = match (metadata.kind, verdict) {
            (_, Verdict::Locked(contents, secret)) => {
                metadata = self.rootfs.resolve(path.as_bytes(), Last::Follow)?.metadata;
                self.refuse(path, secret, true, reason.clone());
                Node::Synthetic { contents }
            }
            (Kind::File, _) => Node::File { size: metadata.size },
            (Kind::Directory, _) => Node::Directory,
            (Kind::Symlink, _) => Node::Symlink {
                target: self.rootfs.read_link(path)?,
            },
            (Kind::Device | Kind::Fifo | Kind::Socket, _) => {
                self.warn(
                    WarningKind::Skipped,
                    path,
                    format!("left out: {}", describe(metadata.kind)),
                );
                return Ok(false);
            }
        };
        self.insert_parents(path)?;
        self.entries.insert(path.clone(), entry(node, metadata, reason));
        Ok(true)
    }

    fn insert_parents(&mut self, path: &RootPath) -> Result<(), RootfsError> {
        let mut child = path.clone();
        while let Some(parent) = child.parent() {
            if self.entries.contains_key(&parent) {
                break;
            }
            let metadata = self.rootfs.lstat(&parent)?;
            let reason = Reason {
                kind: ReasonKind::Parent,
                by: Some(path.clone()),
                detail: String::new(),
            };
            self.entries
                .insert(parent.clone(), entry(Node::Directory, metadata, reason));
            child = parent;
        }
        Ok(())
    }
}

fn is_kernels(path: &RootPath) -> bool {
    KERNEL_DIRECTORIES
        .iter()
        .any(|directory| path.is_within(&RootPath::new(directory)))
}

fn entry(node: Node, metadata: Metadata, reason: Reason) -> Entry {
    let Metadata {
        mode, uid, gid, mtime, ..
    } = metadata;
    Entry {
        node,
        mode,
        uid,
        gid,
        mtime,
        reason,
    }
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a regular file",
        Kind::Directory => "a directory",
        Kind::Symlink => "a symbolic link",
        Kind::Device => "a device",
        Kind::Fifo => "a FIFO",
        Kind::Socket => "a socket",
    }
}
