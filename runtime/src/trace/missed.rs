//! What an app looked for in vain, as plain values, and the log that init writes them to and the monitor reads.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::error::errno;

/// Most notes that are kept: more than any program misses that can do anything.
const NOTES_MAX: usize = 100_000;

/// A record is a letter, a number, and a path of so many bytes; or an errno instead of both.
const HEAD_LENGTH: usize = 3;

/// What the app of a bundle looked for in vain although the root file system that it was packed from had it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// Where it was looked for: directories on the way are no links, as far as they are in the bundle. Sorted.
    pub paths: Vec<PathBuf>,
    /// Paths behind links among those, links that are not in the bundle: whether there was something is not known. Sorted.
    pub uncertain: Vec<PathBuf>,
    /// Programs of another architecture that it ran: what they looked for was not seen. Sorted.
    pub unseen: Vec<PathBuf>,
    /// There was more than could be kept.
    pub incomplete: bool,
}

/// One thing to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing is there, and something was.
    Missing(PathBuf),
    /// Nothing is there, and whether something was is not known.
    Uncertain(PathBuf),
    /// The link there leads to nothing, and led to something.
    Dangling(PathBuf),
    /// A program of another architecture.
    Unseen(PathBuf),
    /// The app runs unobserved.
    Unavailable(Errno),
    /// No more notes follow, although there would be more.
    Full,
}

impl Note {
    fn encode(&self) -> Vec<u8> {
        let (tag, path) = match self {
            Self::Missing(path) => (b'm', path),
            Self::Uncertain(path) => (b'u', path),
            Self::Dangling(path) => (b'd', path),
            Self::Unseen(path) => (b'f', path),
            Self::Unavailable(errno) => {
                return [&b"e"[..], &short(usize::try_from(*errno as i32).unwrap_or(0))].concat();
            }
            Self::Full => return [&b"x"[..], &short(0)].concat(),
        };
        let path = path.as_os_str().as_bytes();
        [&[tag][..], &short(path.len()), path].concat()
    }

    /// The first note, and the rest of the log.
    fn decode(log: &[u8]) -> Option<(Self, &[u8])> {
        let ([tag, low, high], rest) = log.split_first_chunk::<HEAD_LENGTH>()?;
        let number = u16::from_le_bytes([*low, *high]);
        match tag {
            b'e' => return Some((Self::Unavailable(Errno::from_raw(i32::from(number))), rest)),
            b'x' => return Some((Self::Full, rest)),
            _ => {}
        }
        let (path, rest) = rest.split_at_checked(usize::from(number))?;
        let path = PathBuf::from(OsString::from_vec(path.to_vec()));
        let note = match tag {
            b'm' => Self::Missing(path),
            b'u' => Self::Uncertain(path),
            b'd' => Self::Dangling(path),
            b'f' => Self::Unseen(path),
            _ => return None,
        };
        Some((note, rest))
    }
}

/// No path is longer than two bytes can say, linux/limits.h, and no errno larger.
fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

/// Writes each note once.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// Those that need no telling, sorted.
    settled: Vec<Vec<u8>>,
}

impl Log {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            settled: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, note: &Note) -> Result<(), Errno> {
        match self.settle(note) {
            true if self.settled.len() == NOTES_MAX => self.write(&Note::Full),
            true => self.write(note),
            false => Ok(()),
        }
    }

    /// What would be told later is not; whether it was not told yet.
    pub(super) fn settle(&mut self, note: &Note) -> bool {
        let record = note.encode();
        match self.settled.binary_search(&record) {
            Err(place) if self.settled.len() < NOTES_MAX => {
                self.settled.insert(place, record);
                true
            }
            _ => false,
        }
    }

    /// Tells without asking whether it was told.
    pub(super) fn write(&self, note: &Note) -> Result<(), Errno> {
        (&self.file).write_all(&note.encode()).map_err(|error| errno(&error))
    }
}

/// What the log says, but for what is at a path that `is_packed`: the app took that away itself. What init did not write to
/// its end, since it was killed, is left out.
///
/// # Errors
/// The app ran unobserved; why.
pub(super) fn decode(mut log: &[u8], is_packed: impl Fn(&[u8]) -> bool) -> Result<Missed, Errno> {
    let mut missed = Missed::default();
    while let Some((note, rest)) = Note::decode(log) {
        log = rest;
        match note {
            Note::Missing(path) | Note::Uncertain(path) if is_packed(path.as_os_str().as_bytes()) => {}
            Note::Missing(path) | Note::Dangling(path) => insert(&mut missed.paths, path),
            Note::Uncertain(path) => insert(&mut missed.uncertain, path),
            Note::Unseen(path) => insert(&mut missed.unseen, path),
            Note::Unavailable(errno) => return Err(errno),
            Note::Full => missed.incomplete = true,
        }
    }
    Ok(missed)
}

/// In its place: few, so that it takes less code than sorting.
fn insert(sorted: &mut Vec<PathBuf>, path: PathBuf) {
    let path_bytes = path.as_os_str().as_bytes();
    let place = sorted.partition_point(|other| other.as_os_str().as_bytes() < path_bytes);
    sorted.insert(place, path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::read;

    #[test]
    fn notes_come_out_as_they_went_in() {
        let notes = [
            Note::Missing("/usr/lib/x\n".into()),
            Note::Uncertain("/usr/lib/java/bin".into()),
            Note::Dangling("/etc/alternatives/x".into()),
            Note::Unseen("/usr/bin/y".into()),
            Note::Unavailable(Errno::EBUSY),
            Note::Full,
        ];
        let log: Vec<u8> = notes.iter().flat_map(Note::encode).collect();
        let mut left = log.as_slice();
        for note in &notes {
            let (decoded, rest) = Note::decode(left).unwrap();
            assert_eq!(&decoded, note);
            left = rest;
        }
        assert!(left.is_empty());
        let record = Note::Missing("/x".into()).encode();
        for length in 0..record.len() {
            assert_eq!(Note::decode(&record[..length]), None);
        }
    }

    #[test]
    fn each_is_told_once_and_what_was_made_never() {
        let file = tempfile::tempfile().unwrap();
        let mut log = Log::new(file.try_clone().unwrap());
        log.settle(&Note::Missing("/made".into()));
        for path in ["/b", "/a", "/b", "/made"] {
            log.tell(&Note::Missing(path.into())).unwrap();
        }
        let missed = decode(&read(file).unwrap(), |_| false).unwrap();
        assert_eq!(missed.paths, [PathBuf::from("/a"), "/b".into()]);
    }

    #[test]
    fn what_the_app_took_away_is_not_missed() {
        let notes = [
            Note::Missing("/packed".into()),
            Note::Missing("/not".into()),
            Note::Dangling("/packed".into()),
            Note::Uncertain("/packed".into()),
        ];
        let log: Vec<u8> = notes.iter().flat_map(Note::encode).collect();
        let missed = decode(&log, |path| path == b"/packed").unwrap();
        assert_eq!(missed.paths, [PathBuf::from("/not"), "/packed".into()]);
        assert!(missed.uncertain.is_empty());
        let unobserved = Note::Unavailable(Errno::EBUSY).encode();
        assert_eq!(decode(&unobserved, |_| false), Err(Errno::EBUSY));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let file = tempfile::tempfile().unwrap();
        let mut log = Log::new(file.try_clone().unwrap());
        // Sorted, as each finds its place at the end.
        for number in 0..NOTES_MAX + 10 {
            log.tell(&Note::Missing(format!("/{number:06}").into())).unwrap();
        }
        let missed = decode(&read(file).unwrap(), |_| false).unwrap();
        assert!(missed.incomplete);
        assert_eq!(missed.paths.len(), NOTES_MAX - 1);
    }
}
