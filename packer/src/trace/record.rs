//! From what the runtime saw to a trace. Pure.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use runtime::trace::{Event, What};

use super::{Trace, TraceKind};

const UNPRIVILEGED: &str = "ran without the rights that its set-user-id or set-group-id bit gives";
const UNSEEN: &str = "is for another architecture: what it did may not have been seen";

/// The trace of one run of `command`.
///
/// What the command made itself is not recorded, but for the directory that it was made in: the next run makes it again.
pub fn record(command: &[OsString], events: &[Event]) -> Trace {
    let lossy = |word: &OsString| word.to_string_lossy().into_owned();
    let mut trace = Trace {
        commands: vec![command.iter().map(lossy).collect()],
        ..Trace::default()
    };
    let mut made: HashSet<PathBuf> = HashSet::new();
    for Event { what, path } in events {
        let is_made = path.ancestors().any(|above| made.contains(above));
        let bytes = path.as_os_str().as_bytes();
        match what {
            What::Create => {
                if let Some(parent) = path.parent().filter(|_| !is_made) {
                    trace.note(parent.as_os_str().as_bytes(), TraceKind::CreateParent);
                }
                made.insert(path.clone());
            }
            _ if is_made => {}
            What::Open => trace.note(bytes, TraceKind::Open),
            What::Execute => trace.note(bytes, TraceKind::Exec),
            What::Look => trace.note(bytes, TraceKind::Stat),
            What::List => trace.note(bytes, TraceKind::List),
            What::CreateIn => trace.note(bytes, TraceKind::CreateParent),
            What::Missing => trace.note(bytes, TraceKind::Missing),
            What::Unprivileged => {
                trace.warnings.insert((bytes.to_vec(), UNPRIVILEGED.into()));
            }
            What::Unseen => {
                trace.warnings.insert((bytes.to_vec(), UNSEEN.into()));
            }
        }
    }
    forget_what_was_to_be_made(&mut trace, &made);
    trace
}

/// A program that makes something looks whether it is there first.
fn forget_what_was_to_be_made(trace: &mut Trace, made: &HashSet<PathBuf>) {
    trace.paths.retain(|path, kinds| {
        if made.contains(Path::new(std::ffi::OsStr::from_bytes(path))) {
            kinds.remove(&TraceKind::Missing);
        }
        !kinds.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(events: &[(What, &str)]) -> Vec<String> {
        let events: Vec<Event> = events
            .iter()
            .map(|(what, path)| Event {
                what: *what,
                path: path.into(),
            })
            .collect();
        let trace = record(&["x".into()], &events);
        let line = |(path, kinds): (&Vec<u8>, &std::collections::BTreeSet<TraceKind>)| {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            format!("{} {}", String::from_utf8_lossy(path), kinds.join(","))
        };
        trace.paths.iter().map(line).collect()
    }

    #[test]
    fn events_become_paths() {
        /// What happened, and what is recorded.
        type Case<'a> = (&'a [(What, &'a str)], &'a [&'a str]);
        let cases: [Case<'_>; 9] = [
            (&[], &[]),
            (
                &[
                    (What::Look, "/bin/sh"),
                    (What::Execute, "/bin/sh"),
                    (What::Open, "/lib/ld.so"),
                    (What::List, "/etc/x.d"),
                ],
                &["/bin/sh exec,stat", "/etc/x.d list", "/lib/ld.so open"],
            ),
            (&[(What::Missing, "/etc/nope")], &["/etc/nope missing"]),
            // mkdir: the parent; what is inside is its own.
            (
                &[
                    (What::Create, "/var/lib/x"),
                    (What::Create, "/var/lib/x/y"),
                    (What::Open, "/var/lib/x/y"),
                    (What::List, "/var/lib/x"),
                    (What::Missing, "/var/lib/x/z"),
                ],
                &["/var/lib create-parent"],
            ),
            // Looked for and then made.
            (
                &[(What::Missing, "/var/lock"), (What::Create, "/var/lock")],
                &["/var create-parent"],
            ),
            // There before it was removed and made anew.
            (
                &[(What::Open, "/etc/a"), (What::Create, "/etc/a"), (What::Look, "/etc/a")],
                &["/etc create-parent", "/etc/a open"],
            ),
            (&[(What::Create, "/x")], &["/ create-parent"]),
            (&[(What::CreateIn, "/var/cache")], &["/var/cache create-parent"]),
            (&[(What::Open, "/usr/../etc/a")], &["/usr/../etc/a open"]),
        ];
        for (events, expected) in cases {
            assert_eq!(recorded(events), expected, "{events:?}");
        }
    }

    #[test]
    fn programs_that_could_not_be_what_they_are() {
        let event = |what| Event {
            what,
            path: "/usr/bin/su".into(),
        };
        let events = [What::Execute, What::Unprivileged, What::Unseen].map(event);
        let trace = record(&["su".into(), "-".into()], &events);
        assert_eq!(trace.commands, [["su", "-"]]);
        let texts: Vec<&str> = trace.warnings.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, [UNSEEN, UNPRIVILEGED]);
    }
}
