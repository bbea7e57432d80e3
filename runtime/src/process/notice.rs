//! A message to a service manager, sd_notify(3): what of it may go on. Pure.

/// Longest message in bytes that systemd takes.
pub(crate) const LONGEST: usize = 4096;

/// A message without the lines that would make another process the main one. The monitor is: it ends as the app ends, and speaks for
/// all in the box; and a process id of the inside means somebody else outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What is left.
    pub(crate) text: Vec<u8>,
    /// Whether descriptors that came with it go on too; not the one that is a new main process.
    pub(crate) with_descriptors: bool,
}

impl Notice {
    /// None where nothing is left.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let mut notice = Self {
            text: Vec::with_capacity(message.len()),
            with_descriptors: true,
        };
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            let end = line.iter().position(|byte| matches!(byte, b'=' | b'\n'));
            match line.get(..end.unwrap_or(line.len())) {
                Some(b"MAINPID" | b"MAINPIDFDID") => {}
                Some(b"MAINPIDFD") => notice.with_descriptors = false,
                _ => notice.text.extend(line),
            }
        }
        let is_empty = notice.text.iter().all(|&byte| byte == b'\n');
        (!is_empty).then_some(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_process_stays_what_it_is() {
        let left = |message: &str| Notice::read(message.as_bytes()).map(|it| String::from_utf8(it.text).unwrap());
        for (message, expected) in [
            ("READY=1", Some("READY=1")),
            ("READY=1\nMAINPID=2\nSTATUS=a=b\n", Some("READY=1\nSTATUS=a=b\n")),
            ("MAINPID=2", None),
            ("MAINPID=2\nMAINPIDFDID=9\n", None),
            ("XMAINPID=2\nSTATUS=MAINPID=2", Some("XMAINPID=2\nSTATUS=MAINPID=2")),
            ("MAINPID", None),
            ("\n", None),
            ("", None),
        ] {
            assert_eq!(left(message).as_deref(), expected, "{message:?}");
        }
    }

    #[test]
    fn a_descriptor_of_a_process_stays_here() {
        let goes_on = |message: &[u8]| Notice::read(message).map(|it| it.with_descriptors);
        assert_eq!(goes_on(b"FDSTORE=1\nFDNAME=x"), Some(true));
        assert_eq!(goes_on(b"BARRIER=1"), Some(true));
        assert_eq!(goes_on(b"READY=1\nMAINPIDFD=1"), Some(false));
    }
}
