//! Private keys by their contents, in files of any name: PEM (RFC 7468, and OpenSSH's, PGP's and SSH2's likes of it), DER (RFC 5208,
//! RFC 8017, RFC 5915), PuTTY's, age's, signify's and minisign's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What every armoured private key has in its first line.
const ARMOUR: &[u8] = b"PRIVATE KEY";

/// What an age identity begins with.
const AGE: &[u8] = b"AGE-SECRET-KEY-1";

/// How much of a file is read at once.
const PIECE: usize = 256 << 10;

/// Bytes in front of [`ARMOUR`] that matter: dashes, BEGIN, a kind.
const BEFORE: u64 = 48;

/// Bytes behind it that matter: headers and the first lines.
const BEHIND: u64 = 4096;

/// Bytes that tell what kind of file it is.
const HEAD: usize = 256;

/// Larger files are no single key.
const MAX_SINGLE: u64 = 64 << 10;

/// Letters of base64 that a key has at least: an Ed25519 key in PKCS#8 has 64.
const MIN_BODY: usize = 60;

/// Letters of a line that may be a key's, and of one of several words in a line, which prose and programs have as well.
const MIN_LINE: usize = 16;
const MIN_WORD: usize = 48;

/// Different letters among them at least: placeholders have few.
const MIN_LETTERS: usize = 16;

static ARMOUR_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ARMOUR));
static AGE_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(AGE));

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The file is one.
    File,
    /// It is among other things.
    Within {
        /// Of a program or a script.
        code: bool,
    },
}

/// Looks for a private key in a file of `size` bytes.
pub(super) fn find(file: &File, size: u64) -> io::Result<Option<Place>> {
    let mut piece = read(file, 0, size)?;
    let head = piece[..piece.len().min(HEAD)].to_vec();
    if is_single_key(&piece, size) {
        return Ok(Some(Place::File));
    }
    let mut offset = 0;
    loop {
        for at in ARMOUR_FINDER.find_iter(&piece) {
            let at = offset + at as u64;
            let start = at.saturating_sub(BEFORE);
            let before = read(file, start, at - start)?;
            if begins(&before) && is_key_behind(&read(file, at + ARMOUR.len() as u64, BEHIND)?) {
                return Ok(Some(place(&head)));
            }
        }
        // What begins in this piece and ends in the next is found in the next.
        offset += piece.len().saturating_sub(ARMOUR.len() - 1) as u64;
        if offset + (ARMOUR.len() as u64) > size || piece.len() < PIECE {
            return Ok(None);
        }
        piece = read(file, offset, size - offset)?;
    }
}

fn place(head: &[u8]) -> Place {
    let trimmed = head.trim_ascii_start();
    match trimmed.starts_with(b"-----BEGIN") || trimmed.starts_with(b"---- BEGIN") {
        true => Place::File,
        false => Place::Within {
            code: [&b"\x7fELF"[..], b"!<arch>\n", b"#!"]
                .iter()
                .any(|magic| head.starts_with(magic)),
        },
    }
}

/// Reads at most `length` bytes, and a piece at most; fewer where the file ends.
pub(super) fn read(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(PIECE).min(PIECE)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Is a whole file a key? `head` is as much of it as fits into a piece.
fn is_single_key(head: &[u8], size: u64) -> bool {
    if size > MAX_SINGLE {
        return false;
    }
    let first_line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let signify = first_line.starts_with(b"untrusted comment:") && contains(first_line, b"secret key");
    let age = AGE_FINDER.find_iter(head).any(|at| {
        head[at + AGE.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
            >= 58
    });
    head.starts_with(b"PuTTY-User-Key-File-") || signify || age || is_der_key(head, size)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    Finder::new(wanted).find(bytes).is_some()
}

/// A SEQUENCE as long as the file that begins as PKCS#8's, PKCS#1's or SEC 1's private keys do, or as an encrypted one.
fn is_der_key(bytes: &[u8], size: u64) -> bool {
    let Some((contents, length)) = der_sequence(bytes) else {
        return false;
    };
    if bytes.len() as u64 != size || contents.len() != length {
        return false;
    }
    // version 0 or 1 and an algorithm; version 0 and a long number; version 1 and the key
    let plain = match contents {
        [0x02, 0x01, 0x00 | 0x01, rest @ ..] => match rest {
            [0x30, ..] => der_sequence(rest).is_some_and(|(algorithm, length)| {
                algorithm.first() == Some(&0x06) && algorithm.get(length) == Some(&0x04)
            }),
            [0x02, 0x81 | 0x82, ..] => true,
            [0x04, 0x1c..=0x42, ..] => true,
            _ => false,
        },
        _ => false,
    };
    // pkcs-5 (1.2.840.113549.1.5) or pkcs-12PbeIds (1.2.840.113549.1.12.1), and what they encrypted
    let encrypted = der_sequence(contents).is_some_and(|(algorithm, length)| {
        let oid = algorithm.get(2..).unwrap_or_default();
        let password_based = oid.starts_with(b"\x2a\x86\x48\x86\xf7\x0d\x01\x05")
            || oid.starts_with(b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01");
        algorithm.first() == Some(&0x06) && password_based && algorithm.get(length) == Some(&0x04)
    });
    plain || encrypted
}

/// What stands behind the head of a SEQUENCE, and how much of it the SEQUENCE says is its own.
fn der_sequence(bytes: &[u8]) -> Option<(&[u8], usize)> {
    match bytes {
        [0x30, length @ 0..=0x7f, rest @ ..] => Some((rest, usize::from(*length))),
        [0x30, 0x81, length, rest @ ..] => Some((rest, usize::from(*length))),
        [0x30, 0x82, high, low, rest @ ..] => Some((rest, usize::from(*high) << 8 | usize::from(*low))),
        _ => None,
    }
}

/// Is what stands behind the words PRIVATE KEY the rest of a key, so that they are not only mentioned?
fn is_key_behind(behind: &[u8]) -> bool {
    body(behind).is_some_and(is_body)
}

/// Dashes, BEGIN and the kind of key, at the end of what stands before the words.
fn begins(before: &[u8]) -> bool {
    let kind = before
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ')
        .count();
    let (dashes, words) = before.split_at(before.len() - kind);
    dashes.ends_with(b"----") && words.trim_ascii_start().starts_with(b"BEGIN ")
}

/// What stands behind the rest of the first line.
fn body(behind: &[u8]) -> Option<&[u8]> {
    let behind = behind.strip_prefix(b" BLOCK").unwrap_or(behind);
    let behind = behind.trim_ascii_start();
    let dashes = behind.iter().take_while(|byte| **byte == b'-').count();
    (dashes >= 4).then(|| &behind[dashes..])
}

/// Lines of base64, after headers: as they are, as a string of JSON or of a program has them, or, as variables do, in one line.
fn is_body(text: &[u8]) -> bool {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let text = String::from_utf8_lossy(&text[..end])
        .replace("\\n", "\n")
        .replace("\\r", "\n");
    let is_quote = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | ',' | ';' | '(' | ')' | '\\');
    let text = text.split("----").next().unwrap_or_default();
    let bare = |word: &str| word.bytes().all(is_base64);
    let lines = text
        .lines()
        .map(|line| line.trim_matches(is_quote))
        .map(|line| line.trim_end_matches(" +").trim_end_matches(is_quote))
        .flat_map(|line| {
            let least = if bare(line) { MIN_LINE } else { MIN_WORD };
            line.split(is_quote).filter(move |word| word.len() >= least)
        })
        .filter(|word| bare(word));
    let (mut length, mut letters) = (0, [false; 256]);
    for byte in lines.flat_map(str::bytes) {
        length += 1;
        letters[usize::from(byte)] = true;
    }
    length >= MIN_BODY && letters.iter().filter(|met| **met).count() >= MIN_LETTERS
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests;
