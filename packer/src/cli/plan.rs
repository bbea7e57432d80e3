//! `polecat plan`: what would be packed, and why.

use std::fmt;
use std::io::Write;

use serde::Serialize;

use super::args::PlanArgs;
use super::error::CliError;
use super::output::{self, Bytes, counted};
use super::pack;
use super::trace;
use crate::plan::{Entry, Node, Plan, Reason, ReasonKind, Refusal, Warning};
use crate::reasons::phrase;
use crate::rootfs::{RootPath, Rootfs, printable};

/// Sums over a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    pub(super) files: u64,
    pub(super) directories: u64,
    pub(super) links: u64,
    pub(super) bytes: u64,
}

impl Totals {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut totals = Self::default();
        for entry in plan.entries.values() {
            match &entry.node {
                Node::Directory => totals.directories += 1,
                Node::Symlink { .. } => totals.links += 1,
                Node::File { .. } | Node::Synthetic { .. } => totals.files += 1,
            }
            totals.bytes += size(entry).unwrap_or(0);
        }
        totals
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, directories) = (counted(self.files, "file"), counted(self.directories, "directory"));
        write!(
            f,
            "{files}, {directories}, {}, {}",
            counted(self.links, "link"),
            Bytes(self.bytes)
        )
    }
}

/// What one kind of reason brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Share {
    pub(super) kind: ReasonKind,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Share {
    /// The files of all kinds, most bytes first. A link's target counts as what the link does.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let mut shares: Vec<Self> = Vec::new();
        for entry in plan.entries.values() {
            let Some(bytes) = size(entry) else { continue };
            let kind = origin(plan, &entry.reason);
            let share = match shares.iter_mut().find(|share| share.kind == kind) {
                Some(share) => share,
                None => {
                    shares.push(Self {
                        kind,
                        files: 0,
                        bytes: 0,
                    });
                    let last = shares.len() - 1;
                    &mut shares[last]
                }
            };
            share.files += 1;
            share.bytes += bytes;
        }
        shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
        shares
    }
}

/// The kind of the reason behind links.
fn origin(plan: &Plan, reason: &Reason) -> ReasonKind {
    let mut reason = reason;
    // Chains are short; a damaged one is no longer than the plan.
    for _ in 0..plan.entries.len() {
        match reason.by.as_ref().and_then(|by| plan.entries.get(by)) {
            Some(entry) if reason.kind == ReasonKind::Symlink => reason = &entry.reason,
            _ => break,
        }
    }
    reason.kind
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    totals: Totals,
    shares: Vec<Share>,
}

/// Plans and prints.
pub(super) fn run(args: PlanArgs) -> Result<(), CliError> {
    let PlanArgs { recipe, json, subject } = args;
    let mut options = recipe.asked(subject, std::env::var_os("SOURCE_DATE_EPOCH")).resolve()?;
    options.request.traces.push(trace::read_all(&options.traces)?);
    options.request.misses = trace::read_misses(&options.misses)?;
    let rootfs = Rootfs::open(&options.rootfs)?;
    let plan = crate::closure::plan(&rootfs, &options.request, &options.reach.extent()?)?;
    let totals = Totals::of(&plan);
    if json {
        output::print_json(&Report {
            plan: &plan,
            totals,
            shares: Share::all(&plan),
        })?;
    } else {
        print(&plan, totals)?;
    }
    // The plan shows why; what would not be packed is no success.
    pack::check(&plan)
}

fn print(plan: &Plan, totals: Totals) -> Result<(), CliError> {
    output::print(|out| {
        for (path, entry) in &plan.entries {
            writeln!(out, "{}", entry_line(path, entry))?;
        }
        writeln!(out, "{totals}; starts {} on {}", plan.entry, plan.architecture)?;
        for entry in &plan.entry_points {
            writeln!(out, "called {}, it starts {}", entry.name, entry.path)?;
        }
        for share in Share::all(plan) {
            writeln!(
                out,
                "  {:20} {:>7}  {}",
                rule(share.kind),
                counted(share.files, "file"),
                Bytes(share.bytes)
            )?;
        }
        for refusal in &plan.refusals {
            writeln!(out, "{}", refusal_line(refusal))?;
        }
        for warning in &plan.warnings {
            writeln!(out, "{}", warning_line(warning))?;
        }
        Ok(())
    })
}

/// Kind and permissions as ls(1) has them, size, path, and the reason.
fn entry_line(path: &RootPath, entry: &Entry) -> String {
    let kind = match &entry.node {
        Node::Directory => 'd',
        Node::Symlink { .. } => 'l',
        Node::File { .. } | Node::Synthetic { .. } => '-',
    };
    let size = size(entry).map_or(String::new(), |size| size.to_string());
    let target = match &entry.node {
        Node::Symlink { target } => format!(" -> {}", printable(target)),
        _ => String::new(),
    };
    let reason = phrase(&entry.reason);
    format!("{kind}{:04o} {size:>10} {path}{target}  ({reason})", entry.mode)
}

fn size(entry: &Entry) -> Option<u64> {
    match &entry.node {
        Node::File { size } => Some(*size),
        Node::Synthetic { contents } => u64::try_from(contents.len()).ok(),
        Node::Directory | Node::Symlink { .. } => None,
    }
}

fn rule(kind: ReasonKind) -> &'static str {
    match kind {
        ReasonKind::Command => "command",
        ReasonKind::As => "--as",
        ReasonKind::Argument => "argument",
        ReasonKind::Also => "--also",
        ReasonKind::Include => "--include",
        ReasonKind::Trace => "--trace",
        ReasonKind::Missed => "missed",
        ReasonKind::Interpreter => "interpreter",
        ReasonKind::Needed => "needed",
        ReasonKind::Alternative => "alternative",
        ReasonKind::Filter => "filter",
        ReasonKind::Audit => "audit",
        ReasonKind::Preload => "preload",
        ReasonKind::Shebang => "#!",
        ReasonKind::Symlink => "link",
        ReasonKind::Parent => "parent",
        ReasonKind::Base => "base set",
        ReasonKind::Terminfo => "terminfo",
        ReasonKind::Rule => "rule",
        ReasonKind::DlopenNote => "dlopen note",
        ReasonKind::LibraryName => "library name",
        ReasonKind::PathMention => "path mentioned",
        ReasonKind::CommandMention => "command mentioned",
        ReasonKind::Import => "import",
        ReasonKind::Package => "package",
        ReasonKind::Locale => "--locale",
        ReasonKind::ThreadCancel => "thread cancellation",
    }
}

/// A refusal in one line.
pub(super) fn refusal_line(refusal: &Refusal) -> String {
    let Refusal {
        path,
        secret,
        locked,
        reason,
    } = refusal;
    let how = match locked {
        true => "packed with every password locked",
        false => "left out",
    };
    format!("refused: {path}: it holds {secret}: {how}  ({})", phrase(reason))
}

/// A warning in one line.
pub(super) fn warning_line(warning: &Warning) -> String {
    format!("warning: {}: {}", warning.path, warning.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node: Node, mode: u32, reason: Reason) -> Entry {
        Entry {
            node,
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
            reason,
        }
    }

    fn reason(kind: ReasonKind, by: Option<&str>, detail: &str) -> Reason {
        Reason {
            kind,
            by: by.map(RootPath::new),
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn entries_in_lines() {
        let cases = [
            (
                entry(
                    Node::File { size: 1234 },
                    0o755,
                    reason(ReasonKind::Command, None, "top"),
                ),
                "-0755       1234 /x  (command: top)",
            ),
            (
                entry(Node::Directory, 0o1777, reason(ReasonKind::Base, None, "")),
                "d1777            /x  (base set)",
            ),
            (
                entry(
                    Node::Symlink {
                        target: b"lib\n6".to_vec(),
                    },
                    0o777,
                    reason(ReasonKind::Needed, Some("/bin/top"), "libc.so.6"),
                ),
                "l0777            /x -> lib\\n6  (needed by /bin/top as libc.so.6)",
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(entry_line(&RootPath::new("/x"), &entry), expected);
        }
    }
}
