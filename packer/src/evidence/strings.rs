//! The constants of a binary file: runs of printable bytes that a NUL ends, as strings(1) finds them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Shorter ones are no names of anything.
const SHORTEST: usize = 3;
/// Longer ones are no paths: PATH_MAX.
const LONGEST: usize = 4096;
/// Read at once.
const CHUNK: usize = 1 << 20;

/// Calls `take` for each constant of the file. Memory is bounded whatever the file's size.
pub(crate) fn for_each(file: &File, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut offset = 0;
    let mut scanner = Scanner::default();
    loop {
        let length = match file.read_at(&mut chunk, offset) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        scanner.scan(&chunk[..length], &mut take);
        offset += length as u64;
    }
}

/// What has been read of a constant that is not ended.
#[derive(Debug, Default)]
struct Scanner {
    run: Vec<u8>,
    too_long: bool,
}

impl Scanner {
    fn scan(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        for &byte in bytes {
            if is_text(byte) {
                if self.run.len() < LONGEST {
                    self.run.push(byte);
                } else {
                    self.too_long = true;
                }
                continue;
            }
            if byte == 0 && self.run.len() >= SHORTEST && !self.too_long {
                take(&self.run);
            }
            self.run.clear();
            self.too_long = false;
        }
    }
}

/// Printable ASCII, what is beyond it, and blanks.
fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(pieces: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut scanner = Scanner::default();
        for piece in pieces {
            scanner.scan(piece, &mut |text: &[u8]| {
                found.push(String::from_utf8_lossy(text).into_owned())
            });
        }
        found
    }

    #[test]
    fn runs_end_with_a_nul_and_go_over_pieces() {
        for (pieces, expected) in [
            (&[&b"\x01/etc/magic\0ab\0"[..]][..], &["/etc/magic"][..]),
            (&[b"/usr/sh", b"are/x\0"], &["/usr/share/x"]),
            (&[b"abc\x01def\0"], &["def"]),
            (&[b"abc"], &[]),
            (&["grün\0".as_bytes()], &["grün"]),
        ] {
            assert_eq!(scan(pieces), expected, "{pieces:?}");
        }
        let long = vec![b'a'; LONGEST + 1];
        assert!(scan(&[&long, b"\0"]).is_empty());
        assert_eq!(scan(&[&long[..LONGEST], b"\0b c\0"]).len(), 2);
    }
}
