//! Password hashes by their contents, in files of any name: copies of shadow(5), and what a web server has in its place.

use std::fs::File;
use std::io;

use super::keys;

/// As much of a file as is looked at. Accounts of the system stand in front, some of them with a password.
const HEAD: u64 = 16 << 10;

/// Bytes that a hash has at least, the kind and the salt included: MD5's are the shortest, with 22 bytes behind those.
const MIN_HASH: usize = 24;

/// Longest name of a user.
const MAX_NAME: usize = 64;

/// Is there a line of a user and a hash, as crypt(5) writes them?
pub(super) fn are_in(file: &File, size: u64) -> io::Result<bool> {
    let head = keys::read(file, 0, size.min(HEAD))?;
    Ok(head.split(|&byte| byte == b'\n').any(is_account))
}

/// `name:$kind$...`, and the end of the line or more fields behind it.
fn is_account(line: &[u8]) -> bool {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let (Some(name), Some(hash)) = (fields.next(), fields.next()) else {
        return false;
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@');
    let is_hash = |byte: &u8| byte.is_ascii_alphanumeric() || b"./$+=,_-".contains(byte);
    // A locked account keeps its hash, behind one mark or more.
    let marks = hash.iter().take_while(|byte| **byte == b'!').count();
    let hash = hash[marks..].trim_ascii_end();
    let kind = hash
        .strip_prefix(b"$")
        .and_then(|rest| rest.split(|&byte| byte == b'$').next());
    (1..=MAX_NAME).contains(&name.len())
        && name.iter().all(is_name)
        && hash.len() >= MIN_HASH
        && hash.iter().all(is_hash)
        && kind.is_some_and(|kind| (1..=10).contains(&kind.len()) && kind.len() + 2 < hash.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn accounts_and_other_lines() {
        for (text, expected) in [
            (
                "root:*:19000:0:99999:7:::\nann:$y$j9T$abcdefghijklm$nopqrstuvwxyzABCDEFGH:1:::::\n",
                true,
            ),
            ("ann:$6$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789./\n", true),
            ("ann:!$6$saltsalt$abcdefghijklmnopqrstuvwxyz:1:::::\r\n", true),
            ("ann@example.org:$2y$05$abcdefghijklmnopqrstuvwxyz01234\r\n", true),
            ("web:$apr1$abcdefgh$ijklmnopqrstuvwxyz0123", true),
            ("root:*:19000:0:99999:7:::\nann:!:1::::::\n", false),
            ("root:x:0:0:root:/root:/bin/sh\n", false),
            ("PATH:$HOME/bin:/usr/local/bin:/usr/bin:/bin\n", false),
            ("path:$PREFIX/share/with/a/long/name/indeed\n", false),
            ("ann:$6$short\n", false),
            ("two words:$6$saltsalt$abcdefghijklmnopqrstuvwxyz\n", false),
            ("$6$saltsalt$abcdefghijklmnopqrstuvwxyz\n", false),
            ("", false),
        ] {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(text.as_bytes()).expect("written");
            assert_eq!(are_in(&file, text.len() as u64).expect("readable"), expected, "{text}");
        }
    }
}
