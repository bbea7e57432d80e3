//! What a program did with files, as plain values, and the log that init writes them to and the monitor reads.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// One thing that a program, or the kernel for it, did. Each is told once, where it happened first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// What it did.
    pub what: What,
    /// The file by the name that the program gave it, made absolute. Links are not followed, and `..` stays.
    pub path: PathBuf,
}

/// What was done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Opened, or loaded by the kernel as the loader of a program.
    Open,
    /// Executed, or started by the kernel as the interpreter of a script.
    Execute,
    /// Looked at or changed, and it was there.
    Look,
    /// Its entries were read.
    List,
    /// Made; it was not there before.
    Create,
    /// Something without a name was made in this directory.
    CreateIn,
    /// Looked for, and nothing was there.
    Missing,
    /// It was executed, and its set-user-id or set-group-id bit gave it nothing.
    Unprivileged,
    /// It was executed, and it makes system calls of another architecture, which are not seen.
    Unseen,
}

const ALL: [What; 9] = [
    What::Open,
    What::Execute,
    What::Look,
    What::List,
    What::Create,
    What::CreateIn,
    What::Missing,
    What::Unprivileged,
    What::Unseen,
];

impl What {
    fn tag(self) -> u8 {
        match self {
            Self::Open => b'o',
            Self::Execute => b'x',
            Self::Look => b's',
            Self::List => b'l',
            Self::Create => b'c',
            Self::CreateIn => b'i',
            Self::Missing => b'm',
            Self::Unprivileged => b'u',
            Self::Unseen => b'f',
        }
    }
}

/// Writes each event once.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    told: HashSet<Event>,
}

impl Log {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            told: HashSet::new(),
        }
    }

    pub(super) fn tell(&mut self, what: What, path: PathBuf) -> io::Result<()> {
        let event = Event { what, path };
        if self.told.contains(&event) {
            return Ok(());
        }
        self.file.write_all(&encode(&event))?;
        self.told.insert(event);
        Ok(())
    }
}

/// A letter, the path, and a NUL byte, which no path has.
fn encode(event: &Event) -> Vec<u8> {
    let mut bytes = vec![event.what.tag()];
    bytes.extend_from_slice(event.path.as_os_str().as_bytes());
    bytes.push(0);
    bytes
}

/// The events of a log. What init did not write to its end, since it was killed, is left out.
pub(super) fn decode(log: &[u8]) -> Vec<Event> {
    let whole = log.iter().rposition(|&byte| byte == 0).unwrap_or(0);
    let records = log[..whole].split(|&byte| byte == 0);
    let event = |record: &[u8]| {
        let (tag, path) = record.split_first()?;
        Some(Event {
            what: ALL.into_iter().find(|what| what.tag() == *tag)?,
            path: PathBuf::from(OsString::from_vec(path.to_vec())),
        })
    };
    records.filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_as_they_went_in() {
        let events: Vec<Event> = ALL
            .into_iter()
            .zip(["/", "/a b", "/\n", "/x", "/y", "/\u{fc}", "/1", "/2", "/3"])
            .map(|(what, path)| Event {
                what,
                path: path.into(),
            })
            .collect();
        let mut log: Vec<u8> = events.iter().flat_map(encode).collect();
        assert_eq!(decode(&log), events);
        log.extend(b"o/cut");
        assert_eq!(decode(&log), events);
        assert_eq!(decode(b""), []);
        assert_eq!(decode(b"o/cut"), []);
    }

    #[test]
    fn each_is_told_once() {
        let file = tempfile::tempfile().unwrap();
        let mut log = Log::new(file.try_clone().unwrap());
        for _ in 0..3 {
            log.tell(What::Open, "/a".into()).unwrap();
            log.tell(What::Look, "/a".into()).unwrap();
        }
        let mut bytes = vec![0; 64];
        let length = std::os::unix::fs::FileExt::read_at(&file, &mut bytes, 0).unwrap();
        assert_eq!(&bytes[..length], b"o/a\0s/a\0");
    }
}
