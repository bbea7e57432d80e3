//! What the processes of a run tell each other. One message is one packet.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::ladder::Rung;

/// Longest packet in bytes; the text of a failure is cut to fit.
pub(crate) const LONGEST: usize = 4096;

/// What init tells the monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FromInit {
    /// Serve the image through the FUSE connection that comes with this.
    Serve,
    /// Hand on what comes through the socket that comes with this to the service manager.
    Relay,
    /// What comes with this stays open as long as the image is served.
    Hold,
    /// The app's process is all that it should be; the app comes next.
    Started(Rung),
    /// There will be no app in this way; there may be in another.
    Left(Failure),
    /// There will be no app.
    Failed(Failure),
    /// execve(2) refused. `present`: the file is there, so something that it needs is not.
    NotExecuted {
        /// Why.
        errno: i32,
        /// Whether there is a file of that name.
        present: bool,
    },
    /// This signal stopped the app.
    Stopped(i32),
    /// The app goes on.
    Continued,
    /// The app ended by itself.
    Exited(u8),
    /// This signal killed the app.
    Signalled(i32),
}

/// What the monitor tells init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToInit {
    /// Hand this signal on to the app.
    Signal(i32),
    /// The image is checked, and shown by the loop device of this number, which comes with this; none: init has to see for
    /// itself. The first message, where it is sent at all.
    Loop(Option<u32>),
}

/// An error of another process, as text: it is printed by the one that the caller started, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit status that it deserves.
    pub status: u8,
    /// What failed and where.
    pub message: OsString,
    /// What to try.
    pub hint: Option<OsString>,
}

impl FromInit {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let number = |tag: u8, number: i32| [&[tag][..], &number.to_le_bytes()].concat();
        match self {
            Self::Serve => vec![b'V'],
            Self::Relay => vec![b'M'],
            Self::Hold => vec![b'H'],
            Self::Left(failure) => [&b"L"[..], &failure.encode()].concat(),
            Self::Started(rung) => [b"R", rung.name().as_bytes()].concat(),
            Self::Failed(failure) => [&b"F"[..], &failure.encode()].concat(),
            Self::NotExecuted { errno, present } => [number(b'N', *errno), vec![u8::from(*present)]].concat(),
            Self::Stopped(signal) => number(b'S', *signal),
            Self::Continued => vec![b'C'],
            Self::Exited(status) => vec![b'E', *status],
            Self::Signalled(signal) => number(b'K', *signal),
        }
    }

    pub(crate) fn decode(packet: &[u8]) -> Option<Self> {
        let (tag, rest) = packet.split_first()?;
        let number = |bytes: &[u8]| Some(i32::from_le_bytes(bytes.try_into().ok()?));
        match (tag, rest) {
            (b'V', []) => Some(Self::Serve),
            (b'M', []) => Some(Self::Relay),
            (b'H', []) => Some(Self::Hold),
            (b'L', rest) => Failure::decode(rest).map(Self::Left),
            (b'R', name) => rung(name).map(Self::Started),
            (b'F', rest) => Failure::decode(rest).map(Self::Failed),
            (b'N', [errno @ .., present]) => Some(Self::NotExecuted {
                errno: number(errno)?,
                present: *present != 0,
            }),
            (b'S', rest) => number(rest).map(Self::Stopped),
            (b'C', []) => Some(Self::Continued),
            (b'E', [status]) => Some(Self::Exited(*status)),
            (b'K', rest) => number(rest).map(Self::Signalled),
            _ => None,
        }
    }
}

fn rung(name: &[u8]) -> Option<Rung> {
    let name = std::str::from_utf8(name).ok()?;
    let unforced = [Rung::Directory, Rung::Kept]
        .into_iter()
        .find(|rung| rung.name() == name);
    unforced.or_else(|| Rung::from_name(name))
}

impl ToInit {
    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Self::Signal(signal) => [&b"S"[..], &signal.to_le_bytes()].concat(),
            Self::Loop(Some(number)) => [&b"L"[..], &number.to_le_bytes()].concat(),
            Self::Loop(None) => vec![b'L'],
        }
    }

    pub(crate) fn decode(packet: &[u8]) -> Option<Self> {
        match packet.split_first()? {
            (b'S', signal) => Some(Self::Signal(i32::from_le_bytes(signal.try_into().ok()?))),
            (b'L', []) => Some(Self::Loop(None)),
            (b'L', number) => Some(Self::Loop(Some(u32::from_le_bytes(number.try_into().ok()?)))),
            _ => None,
        }
    }
}

impl Failure {
    /// What `error` says, and the status that it deserves.
    pub(crate) fn of(error: &dyn fmt::Display, hint: Option<String>, status: u8) -> Self {
        Self {
            status,
            message: error.to_string().into(),
            hint: hint.map(OsString::from),
        }
    }

    /// The same with what is behind it, whose hint stands in for a missing one.
    pub(crate) fn because(mut self, reason: Self) -> Self {
        self.message.push("; ");
        self.message.push(reason.message);
        self.hint = self.hint.or(reason.hint);
        self
    }

    /// Status, message, and behind a NUL byte the hint.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.status];
        bytes.extend(self.message.as_bytes());
        if let Some(hint) = &self.hint {
            bytes.push(0);
            bytes.extend(hint.as_bytes());
        }
        bytes.truncate(LONGEST - 1);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (status, text) = bytes.split_first()?;
        let mut parts = text
            .splitn(2, |&byte| byte == 0)
            .map(|part| OsString::from_vec(part.to_vec()));
        Some(Self {
            status: *status,
            message: parts.next()?,
            hint: parts.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str, hint: Option<&str>) -> Failure {
        Failure {
            status: 125,
            message: message.into(),
            hint: hint.map(OsString::from),
        }
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let messages = [
            FromInit::Serve,
            FromInit::Relay,
            FromInit::Hold,
            FromInit::Left(failure("mount x: no", Some("try y"))),
            FromInit::Started(Rung::Loop),
            FromInit::Started(Rung::Disk),
            FromInit::Started(Rung::Directory),
            FromInit::Failed(failure("mount x: no", Some("try y"))),
            FromInit::Failed(failure("mount x: no", None)),
            FromInit::NotExecuted {
                errno: 2,
                present: true,
            },
            FromInit::NotExecuted {
                errno: 13,
                present: false,
            },
            FromInit::Stopped(20),
            FromInit::Continued,
            FromInit::Exited(255),
            FromInit::Signalled(37),
        ];
        for message in messages {
            assert_eq!(FromInit::decode(&message.encode()).as_ref(), Some(&message));
        }
        for message in [ToInit::Signal(15), ToInit::Loop(Some(7)), ToInit::Loop(None)] {
            assert_eq!(ToInit::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn packets_that_mean_nothing() {
        for packet in [&b""[..], b"X", b"E", b"E12", b"S123", b"Rsideways", b"C1", b"N\0"] {
            assert_eq!(FromInit::decode(packet), None, "{packet:?}");
        }
        for packet in [&b""[..], b"S123", b"L123", b"X1234"] {
            assert_eq!(ToInit::decode(packet), None, "{packet:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let message = FromInit::Failed(failure(&"x".repeat(2 * LONGEST), None));
        let packet = message.encode();
        assert_eq!(packet.len(), LONGEST);
        assert!(matches!(FromInit::decode(&packet), Some(FromInit::Failed(_))));
    }
}
