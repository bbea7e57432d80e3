//! Reasons in words: those of a plan, of a bundle, and of what was refused.

use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{RootPath, printable};

/// A reason in a few words, without the path that it is about.
pub fn phrase(reason: &Reason) -> String {
    let Reason { kind, by, detail } = reason;
    let detail = printable(detail.as_bytes());
    let by = by.as_ref();
    match kind {
        ReasonKind::Command => told("command", &detail),
        ReasonKind::As => told("--as", &detail),
        ReasonKind::Argument => told("argument of the command", &detail),
        ReasonKind::Also => told("--also", &detail),
        ReasonKind::Include => told("--include", &detail),
        ReasonKind::Trace => told("--trace", &detail),
        ReasonKind::Missed => told("missed", &detail),
        ReasonKind::Locale => told("--locale", &detail),
        ReasonKind::Interpreter => told(&of("interpreter", by, "of"), &detail),
        ReasonKind::Needed => named(&of("needed", by, "by"), &detail),
        ReasonKind::Alternative => named(&of("alternative for other processors", by, "of"), &detail),
        ReasonKind::Filter => named(&of("filter", by, "of"), &detail),
        ReasonKind::Audit => named(&of("auditor", by, "of"), &detail),
        ReasonKind::Preload => told(&of("preloaded", by, "by"), &detail),
        ReasonKind::Shebang => told(&of("interpreter", by, "of the script"), &detail),
        ReasonKind::Symlink if detail.is_empty() => of("a link on the way", by, "to"),
        ReasonKind::Symlink => match by {
            Some(link) => format!("where the link {link} leads"),
            None => told("where a link leads", &detail),
        },
        ReasonKind::Parent => of("directory on the way", by, "to"),
        ReasonKind::Base => of(&told("base set", &detail), by, "for"),
        ReasonKind::Terminfo => told(&of("terminal description", by, "for"), &detail),
        ReasonKind::Rule => of(&format!("rule {detail:?}"), by, "for"),
        ReasonKind::DlopenNote => named(&of("named in the dlopen notes", by, "of"), &detail),
        ReasonKind::LibraryName => named(&of("mentioned in the data", by, "of"), &detail),
        ReasonKind::PathMention => named(&of("mentioned in the data", by, "of"), &detail),
        ReasonKind::CommandMention => named(&of("mentioned as a command", by, "in"), &detail),
        ReasonKind::Import => named(&of("imported", by, "by"), &detail),
        ReasonKind::Package => of(&told("package", &detail), by, "of"),
        ReasonKind::ThreadCancel => told("thread cancellation", &detail),
    }
}

/// A reason of a kind that a newer polecat wrote.
pub(super) fn phrase_of_unknown(kind: &str, by: Option<&RootPath>, detail: &str) -> String {
    let detail = printable(detail.as_bytes());
    of(&told(&printable(kind.as_bytes()), &detail), by, "by")
}

fn of(what: &str, by: Option<&RootPath>, preposition: &str) -> String {
    match by {
        Some(by) => format!("{what} {preposition} {by}"),
        None => what.to_owned(),
    }
}

fn told(what: &str, detail: &str) -> String {
    match detail {
        "" => what.to_owned(),
        detail => format!("{what}: {detail}"),
    }
}

fn named(what: &str, detail: &str) -> String {
    match detail {
        "" => what.to_owned(),
        detail => format!("{what} as {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        for (kind, by, detail, expected) in [
            (ReasonKind::Command, None, "top", "command: top"),
            (ReasonKind::Needed, Some("/a"), "libx.so", "needed by /a as libx.so"),
            (ReasonKind::Symlink, Some("/a"), "b", "where the link /a leads"),
            (ReasonKind::Symlink, Some("/a"), "", "a link on the way to /a"),
            (ReasonKind::Parent, Some("/a/b"), "", "directory on the way to /a/b"),
            (
                ReasonKind::Base,
                None,
                "the /etc skeleton",
                "base set: the /etc skeleton",
            ),
            (ReasonKind::Rule, Some("/a"), "Python", "rule \"Python\" for /a"),
            (ReasonKind::Trace, None, "exec, stat", "--trace: exec, stat"),
            (
                ReasonKind::PathMention,
                Some("/a"),
                "/b",
                "mentioned in the data of /a as /b",
            ),
            (ReasonKind::Package, None, "nginx", "package: nginx"),
            (ReasonKind::Package, Some("/a"), "nginx", "package: nginx of /a"),
            (ReasonKind::Include, None, "/a\n*", "--include: /a\\n*"),
        ] {
            let reason = Reason {
                kind,
                by: by.map(RootPath::new),
                detail: detail.to_owned(),
            };
            assert_eq!(phrase(&reason), expected);
        }
        let newer = phrase_of_unknown("tele\u{1b}pathy", Some(&RootPath::new("/a")), "x");
        assert_eq!(newer, "tele\\u{1b}pathy: x by /a");
    }
}
