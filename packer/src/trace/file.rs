//! The file of a trace: lines of JSON. `docs/trace.md` describes it.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{Form, LineFault};
use super::lines::{self, Head, VERSION, path_of};
use super::{Trace, TraceError, TraceKind};

/// Each line after it: a path with its kinds, or with a warning.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The bytes of a path that is not UTF-8, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<TraceKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Line {
    fn of(path: &[u8]) -> Self {
        match std::str::from_utf8(path) {
            Ok(text) => Self {
                path: Some(text.to_owned()),
                ..Self::default()
            },
            Err(_) => Self {
                path_bytes: Some(path.iter().map(|byte| format!("{byte:02x}")).collect()),
                ..Self::default()
            },
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        path_of(self.path.as_deref(), self.path_bytes.as_deref())
    }
}

/// Writes a trace. The same trace gives the same bytes.
///
/// # Errors
/// What writing says.
pub fn write(trace: &Trace, mut out: impl Write) -> io::Result<()> {
    let head = Head {
        polecat_trace: Some(VERSION),
        commands: trace.commands.clone(),
        ..Head::default()
    };
    write_line(&mut out, &head)?;
    for (path, kinds) in &trace.paths {
        let kinds = kinds.iter().copied().collect();
        write_line(
            &mut out,
            &Line {
                kinds,
                ..Line::of(path)
            },
        )?;
    }
    for (path, text) in &trace.warnings {
        let warning = Some(text.clone());
        write_line(
            &mut out,
            &Line {
                warning,
                ..Line::of(path)
            },
        )?;
    }
    out.flush()
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Reads the trace in the file `path`.
///
/// # Errors
/// See [`TraceError`].
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    parse(&lines::read(path, Form::Trace)?, path)
}

/// The trace that is in the bytes of the file `path`.
fn parse(bytes: &[u8], path: &Path) -> Result<Trace, TraceError> {
    let mut trace = Trace::default();
    trace.commands = lines::parse(bytes, path, Form::Trace, |line| add(&mut trace, line))?;
    Ok(trace)
}

fn add(trace: &mut Trace, line: &[u8]) -> Result<(), LineFault> {
    let line: Line = serde_json::from_slice(line).map_err(LineFault::Json)?;
    let path = line.bytes().ok_or(LineFault::Path)?;
    for kind in line.kinds {
        trace.note(&path, kind);
    }
    if let Some(text) = line.warning {
        trace.warnings.insert((path, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Trace, TraceError> {
        parse(text.as_bytes(), Path::new("f"))
    }

    #[test]
    fn what_is_written_is_read() {
        let mut trace = Trace {
            commands: vec![vec!["sh".into(), "-c".into(), "a\nb".into()]],
            ..Trace::default()
        };
        trace.note(b"/usr/bin/sh", TraceKind::Stat);
        trace.note(b"/usr/bin/sh", TraceKind::Exec);
        trace.note(b"/new\nline \"x\"", TraceKind::Missing);
        trace.note(b"/bytes\xff", TraceKind::CreateParent);
        trace.warnings.insert((b"/usr/bin/su".to_vec(), "w".into()));
        let mut bytes = Vec::new();
        write(&trace, &mut bytes).expect("a vector takes all");
        let text = String::from_utf8(bytes).expect("JSON");
        let expected = "\
            {\"polecatTrace\":1,\"commands\":[[\"sh\",\"-c\",\"a\\nb\"]]}\n\
            {\"pathBytes\":\"2f6279746573ff\",\"kinds\":[\"create-parent\"]}\n\
            {\"path\":\"/new\\nline \\\"x\\\"\",\"kinds\":[\"missing\"]}\n\
            {\"path\":\"/usr/bin/sh\",\"kinds\":[\"exec\",\"stat\"]}\n\
            {\"path\":\"/usr/bin/su\",\"warning\":\"w\"}\n";
        assert_eq!(text, expected);
        assert_eq!(parsed(&text).expect("as written"), trace);
    }

    #[test]
    fn what_is_no_trace() {
        let head = "{\"polecatTrace\":1}";
        for (text, expected) in [
            (String::new(), "f: is not a trace"),
            ("#!/bin/sh\n".into(), "f: is not a trace"),
            ("{}".into(), "f: is not a trace"),
            ("{\"polecatMisses\":1}\n".into(), "f: is what a bundle missed"),
            ("{\"polecatTrace\":2,\"more\":1}".into(), "version 2"),
            (format!("{head}\n{{\"kinds\":[\"open\"]}}"), "line 2: no absolute path"),
            (format!("{head}\n\n{{\"path\":\"x\"}}"), "line 3: no absolute path"),
            (
                format!("{head}\n{{\"path\":\"/x\\u0000\"}}"),
                "line 2: no absolute path",
            ),
            (
                format!("{head}\n{{\"path\":\"/x\",\"pathBytes\":\"2f\"}}"),
                "line 2: no absolute path",
            ),
            (format!("{head}\n{{\"pathBytes\":\"2f6\"}}"), "line 2: no absolute path"),
            (
                format!("{head}\n{{\"path\":\"/x\",\"kinds\":[\"run\"]}}"),
                "line 2: unknown variant",
            ),
            (format!("{head}\n{{\"path\":\"/x\""), "line 2: EOF"),
        ] {
            let error = parsed(&text).expect_err(&text);
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert!(error.hint().is_some(), "{text}");
        }
        assert!(parsed(head).is_ok_and(|trace| trace == Trace::default()));
    }
}
