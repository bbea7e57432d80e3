//! What the bundle lacks: a run that notes which files the app looks for in vain though its root file system had them.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bundle::PathSet;
use bundle::manifest::Process;
use runtime::control::{self, Control};
use runtime::exit::End;
use runtime::trace::{self, Missed};
use runtime::verify::Verified;

use crate::error::Error;
use crate::inspect::printable;

/// A run that notes what is missed, and where to say so.
#[derive(Debug)]
pub(crate) struct Misses {
    print: bool,
    output: Option<(PathBuf, File)>,
    paths: PathSet,
}

impl Misses {
    /// What is asked for, with `print` on stderr, and by the variable in a file. None where nothing is, and where the bundle does not know
    /// which files there were.
    pub(crate) fn wanted(print: bool, verified: &Verified) -> Result<Option<Self>, Error> {
        let path = env::var_os(control::MISSES).filter(|value| !value.is_empty());
        if !print && path.is_none() {
            return Ok(None);
        }
        let Some(record) = &verified.manifest().paths else {
            say(
                "what the program misses is not noted: the bundle does not know which files there were (try: pack it without --no-paths)",
            );
            return Ok(None);
        };
        let paths = PathSet::read(verified.file(), record).map_err(Error::Paths)?;
        let output = path.map(PathBuf::from).map(open).transpose()?;
        Ok(Some(Self { print, output, paths }))
    }

    /// Runs the app, and says what it missed once it has ended.
    pub(crate) fn run(
        self,
        verified: Verified,
        process: Process,
        arguments: Vec<OsString>,
        control: Control,
    ) -> Result<End, Error> {
        let packed = process.args.iter().map(OsString::from);
        let command: Vec<OsString> = packed.chain(arguments.iter().cloned()).collect();
        let watched = trace::run_noting_misses(verified, self.paths, process, arguments, control)?;
        if !has_run(&watched.end) {
            return Ok(watched.end);
        }
        match watched.missed {
            Ok(missed) => {
                if self.print {
                    print(&text(&missed));
                }
                if let Some((path, file)) = self.output {
                    // The app has run, and its status is what the caller wants to know.
                    write(&file, &lines(&command, &missed))
                        .unwrap_or_else(|source| say(&Error::Misses { path, source }.to_string()));
                }
            }
            Err(errno) => say(&format!(
                "what the program missed was not noted: seccomp: {} (try: x86_64 or aarch64 with Linux 5.5 or newer, where no container \
                 engine forbids seccomp's listeners and no other program uses one)",
                errno.desc()
            )),
        }
        Ok(watched.end)
    }
}

/// Whether there was a program; one that is there and whose loader or interpreter is not counts.
fn has_run(end: &End) -> bool {
    matches!(
        end,
        End::Exited(_) | End::Signalled(_) | End::Failed(runtime::error::Error::NotExecuted { .. })
    )
}

/// Opened before anything runs, and emptied only for what replaces it.
fn open(path: PathBuf) -> Result<(PathBuf, File), Error> {
    match File::options().write(true).create(true).truncate(false).open(&path) {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(Error::Misses { path, source }),
    }
}

fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(bytes)
}

fn say(text: &str) {
    print(&format!("polecat: {text}\n"));
}

/// On stderr. If that is closed there is nobody to tell.
fn print(text: &str) {
    match io::stderr().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => {}
    }
}

/// For people.
fn text(missed: &Missed) -> String {
    let count = missed.paths.len();
    let mut text = match count {
        0 => "polecat: nothing was looked for in vain that was there when the bundle was packed\n".to_owned(),
        1 => "polecat: looked for in vain, though it was there when the bundle was packed:\n".to_owned(),
        _ => format!(
            "polecat: {count} paths were looked for in vain, though they were there when the bundle was packed:\n"
        ),
    };
    for path in &missed.paths {
        text.push_str("  ");
        text.push_str(&printable(&path.to_string_lossy()));
        text.push('\n');
    }
    for path in &missed.unseen {
        let path = printable(&path.to_string_lossy());
        text.push_str(&format!("polecat: {path}: {UNSEEN}\n"));
    }
    if missed.incomplete {
        text.push_str("polecat: there was more\n");
    }
    if count > 0 {
        text.push_str(
            "polecat: POLECAT_MISSES=FILE writes this to a file, polecat pack --add-misses FILE packs it too\n",
        );
    }
    text
}

const UNSEEN: &str = "is for another architecture: what it looked for may not have been seen";

/// For `polecat pack --add-misses`: lines of JSON, as docs/misses.md has them.
fn lines(command: &[OsString], missed: &Missed) -> Vec<u8> {
    let words: Vec<String> = command.iter().map(|word| quoted(&word.to_string_lossy())).collect();
    let incomplete = if missed.incomplete { ",\"incomplete\":true" } else { "" };
    let mut lines = format!(
        "{{\"polecatMisses\":1,\"commands\":[[{}]]{incomplete}}}\n",
        words.join(",")
    );
    let mut line = |path: &Path, rest: &str| {
        lines.push('{');
        lines.push_str(&member(path));
        lines.push_str(rest);
        lines.push_str("}\n");
    };
    for path in &missed.paths {
        line(path, "");
    }
    for path in &missed.uncertain {
        line(path, ",\"uncertain\":true");
    }
    for path in &missed.unseen {
        line(path, &format!(",\"warning\":{}", quoted(UNSEEN)));
    }
    lines.into_bytes()
}

/// The path; in hexadecimal digits where it is not UTF-8.
fn member(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"path\":{}", quoted(text)),
        Err(_) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\"pathBytes\":\"{digits}\"")
        }
    }
}

/// A string of JSON, RFC 8259.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn missed() -> Missed {
        Missed {
            paths: vec!["/etc/a \"b\"\n".into(), OsString::from_vec(b"/x\xff".to_vec()).into()],
            uncertain: vec!["/link/\\y".into()],
            unseen: vec!["/usr/bin/z".into()],
            incomplete: true,
        }
    }

    #[test]
    fn for_people() {
        let shown = text(&missed());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 6, "{shown}");
        assert!(
            lines[0].starts_with("polecat: 2 paths were looked for in vain"),
            "{shown}"
        );
        assert_eq!(lines[1], "  /etc/a \"b\"\\n");
        assert_eq!(lines[2], "  /x\u{fffd}");
        assert!(!shown.contains("/link"));
        assert!(lines[3].starts_with("polecat: /usr/bin/z: "));
        assert_eq!(text(&Missed::default()).lines().count(), 1);
    }

    #[test]
    fn for_the_packer() {
        let command = ["x".into(), OsString::from("\u{1}\"")];
        let lines = String::from_utf8(lines(&command, &missed())).unwrap();
        let expected = "\
            {\"polecatMisses\":1,\"commands\":[[\"x\",\"\\u0001\\\"\"]],\"incomplete\":true}\n\
            {\"path\":\"/etc/a \\\"b\\\"\\u000a\"}\n\
            {\"pathBytes\":\"2f78ff\"}\n\
            {\"path\":\"/link/\\\\y\",\"uncertain\":true}\n\
            {\"path\":\"/usr/bin/z\",\"warning\":\"is for another architecture: what it looked for may not have been seen\"}\n";
        assert_eq!(lines, expected);
    }
}
