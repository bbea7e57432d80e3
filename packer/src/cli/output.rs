//! What verbs print: reports on standard output, for people or as JSON, warnings and errors on standard error.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use super::error::CliError;

/// Prints a report for people.
pub(super) fn print(write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out)?;
    Ok(out.flush()?)
}

/// Prints a report as JSON.
pub(super) fn print_json(report: &impl Serialize) -> Result<(), CliError> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, report)?;
        out.write_all(b"\n")
    })
}

/// Says something that is no error, on standard error.
pub(super) fn note(text: &str) {
    // With standard error gone there is nobody to tell.
    drop(writeln!(io::stderr(), "polecat: {text}"));
}

/// An error, in one line, with what to try.
pub(super) fn complain(text: &str, hint: Option<&str>) {
    match hint {
        Some(hint) => note(&format!("{text} (try: {hint})")),
        None => note(text),
    }
}

/// A number of bytes for people: three digits or more, in decimal units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 1000 {
            return write!(f, "{} bytes", self.0);
        }
        let mut tenths = self.0 / 100;
        let mut units = UNITS.iter();
        let mut unit = units.next();
        while tenths >= 10_000 {
            tenths /= 1000;
            unit = units.next().or(unit);
        }
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&"EB"))
    }
}

/// A number with its noun, in the singular or with an s.
pub(super) fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('y') => format!("{number} {}ies", &noun[..noun.len() - 1]),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1999, "1.9 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (12_345_678, "12.3 MB"),
            (5_000_000_000, "5.0 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn nouns() {
        assert_eq!(counted(0, "file"), "0 files");
        assert_eq!(counted(1, "directory"), "1 directory");
        assert_eq!(counted(2, "directory"), "2 directories");
    }
}
