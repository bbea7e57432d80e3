//! Keys that a case types, and what is left of a screen when its control sequences are taken out.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;
use support::pty::Terminal;

/// The output has been quiet for so long: the program waits for a key.
const QUIET: Duration = Duration::from_millis(500);

/// A program that prints nothing gets its first key after this.
const SILENT: Duration = Duration::from_secs(5);

/// The keys of a `tty:` word: by commas, with the escapes of C, and `~` for a space.
pub(crate) fn parse(word: &str) -> Vec<String> {
    word.split(',').map(unescape).collect()
}

fn unescape(key: &str) -> String {
    let mut typed = String::new();
    let mut rest = key.chars();
    while let Some(character) = rest.next() {
        typed.push(match character {
            '~' => ' ',
            '\\' => match rest.next() {
                Some('r') => '\r',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('e') => '\x1b',
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    let byte = u8::from_str_radix(&digits, 16).expect("two hexadecimal digits");
                    char::from(byte)
                }
                other => panic!("unknown escape {other:?} in the keys {key:?}"),
            },
            other => other,
        });
    }
    typed
}

/// Types one key after the other, each when the output is quiet, the last until the program ends or the time is over.
/// Gives whether it ended.
pub(crate) fn type_until_end(terminal: &mut Terminal, keys: &[String], deadline: Instant) -> bool {
    let mut next = keys.iter();
    let mut key = next.next();
    let (mut length, mut changed) = (0, Instant::now());
    while terminal.is_running() {
        let now = Instant::now();
        if now > deadline {
            return false;
        }
        let printed = terminal.text().len();
        if printed != length {
            (length, changed) = (printed, now);
        }
        let patience = if length == 0 { SILENT } else { QUIET };
        if now - changed > patience
            && let Some(typed) = key
        {
            terminal.send(typed);
            key = next.next().or(key);
            changed = now;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Text without the control sequences of ECMA-48 and the older ones of the VT100 family.
pub(crate) fn without_control_sequences(text: &str) -> String {
    static SEQUENCE: LazyLock<Regex> = LazyLock::new(|| {
        let sequences = [
            r"\x1b\[[0-?]*[ -/]*[@-~]",               // CSI
            r"\x1b[\]PX^_][^\x07\x1b]*(\x07|\x1b\\)", // OSC, DCS, SOS, PM, APC
            r"\x1b[ -/]+[0-~]",                       // designations of character sets and the like
            r"\x1b[0-~]",                             // all others
            r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",
        ];
        Regex::new(&sequences.join("|")).expect("a regular expression")
    });
    SEQUENCE.replace_all(text, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unescaped() {
        assert_eq!(parse(r"echo~a$((1+1))b\r,exit\r"), ["echo a$((1+1))b\r", "exit\r"]);
        assert_eq!(parse(r"\x1b0,:q!\r,\x18"), ["\x1b0", ":q!\r", "\x18"]);
    }

    #[test]
    fn control_sequences_are_taken_out() {
        let screen = "\x1b[?1049h\x1b[1;24r\x1b(B\x1b[mload \x1b[7maverage\x1b[27m\x1b]0;title\x07\x1b=\x1b7\x0f!\r\n";
        assert_eq!(without_control_sequences(screen), "load average!\r\n");
    }
}
