//! What the guard keeps out of the plan.

use super::Entries;
use crate::plan::{Node, Reason, Refusal, Secret, WarningKind};
use crate::rootfs::{Last, RootPath};

impl Entries<'_> {
    /// What was refused of a path, or of what it leads to.
    pub(in crate::closure) fn refusal(&self, path: &RootPath) -> Option<&Refusal> {
        self.refusals.get(path).or_else(|| {
            let end = self.rootfs.resolve(path.as_bytes(), Last::Follow).ok()?;
            self.refusals.get(&end.path)
        })
    }

    /// Notes what is kept out; of several things that bring it the first is told.
    pub(super) fn refuse(&mut self, path: &RootPath, secret: Secret, locked: bool, reason: Reason) {
        self.refusals.entry(path.clone()).or_insert_with(|| Refusal {
            path: path.clone(),
            secret,
            locked,
            reason,
        });
    }

    /// Warns of each `--allow` that was for nothing.
    pub(in crate::closure) fn warn_of_unused_allowances(&mut self) {
        let unused: Vec<RootPath> = self
            .guard
            .unused()
            .map(|pattern| RootPath::new(pattern.text()))
            .collect();
        for path in unused {
            let message = "nothing that is refused matches this --allow (try: --include to bring something)";
            self.warn(WarningKind::EmptyPattern, &path, message);
        }
    }

    /// Replaces the bytes of a file that is in the plan by the same without a secret, unless a person lets that in.
    pub(in crate::closure) fn lock(&mut self, path: &RootPath, secret: Secret, contents: Vec<u8>) {
        if self.guard.allows(path) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(path) {
            entry.node = Node::Synthetic { contents };
            let reason = entry.reason.clone();
            self.refuse(path, secret, true, reason);
        }
    }
}
