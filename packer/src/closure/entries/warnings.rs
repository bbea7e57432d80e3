//! What the person packing is told of the paths that do not come, or are not seen.

use super::{Entries, hidden_by};
use crate::plan::{Reason, ReasonKind, Warning, WarningKind};
use crate::rootfs::{Resolution, RootPath};

impl Entries<'_> {
    /// Adds a warning, once.
    pub(in crate::closure) fn warn(&mut self, kind: WarningKind, path: &RootPath, message: impl Into<String>) {
        self.warn_of(kind, path, message.into(), None);
    }

    /// Adds a warning about something that is not packed, or not seen, with the reason for which it was wanted.
    pub(super) fn warn_of(&mut self, kind: WarningKind, path: &RootPath, message: String, wanted: Option<Reason>) {
        if self.warned.insert((kind, path.clone(), message.clone())) {
            self.warnings.push(Warning {
                kind,
                path: path.clone(),
                message,
                wanted,
            });
        }
    }

    /// Something needed is excluded. What a person asked for, or what is there just in case, was excluded on purpose.
    pub(super) fn warn_excluded(&mut self, path: &RootPath, reason: &Reason, pattern: &str) {
        if !is_needed(reason.kind) {
            return;
        }
        let message = match &reason.by {
            Some(by) => format!("needed by {by}, but excluded by {pattern}"),
            None => format!("needed, but excluded by {pattern}"),
        };
        self.warn_of(WarningKind::Excluded, path, message, Some(reason.clone()));
    }

    /// The link at `link` leads to what is the kernel's when the app runs. Where nothing needs it, as `/etc/mtab`, that is as meant.
    pub(super) fn warn_of_kernels(&mut self, end: &Resolution, link: &RootPath) {
        let needed = self.entries.get(link).is_some_and(|entry| is_needed(entry.reason.kind));
        let message = hidden_by(&end.path, end.metadata.kind).filter(|_| needed);
        let reason = Reason {
            kind: ReasonKind::Symlink,
            by: Some(link.clone()),
            detail: String::new(),
        };
        if let Some(message) = message {
            self.warn_of(WarningKind::Hidden, &end.path, message, Some(reason));
        }
    }
}

/// Does something depend on it? What a person asked for beside the command, and what is there just in case, is not needed.
pub(super) fn is_needed(kind: ReasonKind) -> bool {
    !matches!(
        kind,
        ReasonKind::Include
            | ReasonKind::Argument
            | ReasonKind::Trace
            | ReasonKind::Missed
            | ReasonKind::Base
            | ReasonKind::Terminfo
            | ReasonKind::Parent
    )
}
