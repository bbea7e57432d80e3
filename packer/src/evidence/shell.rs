//! Commands and paths in shell scripts. No shell is emulated: words are looked at where a command may stand.

use std::collections::BTreeSet;

/// What a script names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// Words where a command may stand, without slashes.
    pub(crate) commands: BTreeSet<Vec<u8>>,
    /// Absolute paths.
    pub(crate) paths: BTreeSet<Vec<u8>>,
    /// Ends of paths that are relative to the script's own directory, such as `../lib/x` of `"$HERE/../lib/x"`.
    pub(crate) relative: BTreeSet<Vec<u8>>,
}

/// Words that a command follows.
const BEFORE_COMMANDS: [&[u8]; 22] = [
    b"then", b"do", b"else", b"elif", b"if", b"while", b"until", b"!", b"{", b"exec", b"command", b"eval", b"time",
    b"nice", b"nohup", b"env", b"sudo", b"xargs", b"builtin", b"trap", b"setsid", b"chroot",
];

/// Reads a script.
pub(crate) fn read(text: &[u8]) -> Script {
    let mut script = Script::default();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        if !line.starts_with(b"#") {
            script.read_line(line);
        }
    }
    script
}

impl Script {
    fn read_line(&mut self, line: &[u8]) {
        let mut at_command = true;
        for token in Tokens(line) {
            match token {
                Token::Separator => at_command = true,
                Token::Word(word) => {
                    self.read_paths(word);
                    if at_command && !is_assignment(word) {
                        if is_name(word) {
                            self.commands.insert(word.to_vec());
                        }
                        at_command = BEFORE_COMMANDS.contains(&word) || word.starts_with(b"-") && word != b"-";
                    } else if !at_command {
                        at_command = BEFORE_COMMANDS.contains(&word);
                    }
                    if let Some(value) = assigned(word).filter(|value| is_name(value)) {
                        // `awk=gawk`, to be run as `$awk`.
                        self.commands.insert(value.to_vec());
                    }
                }
            }
        }
    }

    fn read_paths(&mut self, word: &[u8]) {
        let word = assigned(word).unwrap_or(word);
        for part in word.split(|byte| matches!(byte, b':' | b'=' | b',')) {
            let part = part.strip_suffix(b"/").unwrap_or(part);
            let plain = |path: &[u8]| {
                !path
                    .iter()
                    .any(|byte| matches!(byte, b'$' | b'*' | b'?' | b'`' | b'[' | b'<' | b'>'))
            };
            if part.starts_with(b"/") && part.len() > 4 && plain(part) {
                self.paths.insert(part.to_vec());
            } else if let Some(at) = find(part, b"/../") {
                let end = &part[at + 1..];
                let whole = end
                    .iter()
                    .position(|byte| matches!(byte, b'$' | b'*' | b'`'))
                    .unwrap_or(end.len());
                // Of a name that is filled in, the directory is known.
                let known = if whole == end.len() {
                    end
                } else {
                    end[..whole].rsplitn(2, |&byte| byte == b'/').nth(1).unwrap_or_default()
                };
                if known.len() > 3 {
                    self.relative.insert(known.to_vec());
                }
            }
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn is_name(word: &[u8]) -> bool {
    word.len() > 1
        && word.first().is_some_and(u8::is_ascii_alphanumeric)
        && word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-'))
}

fn is_assignment(word: &[u8]) -> bool {
    assigned(word).is_some()
}

/// The value of `NAME=value`, without quotes.
fn assigned(word: &[u8]) -> Option<&[u8]> {
    let at = word.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&word[..at], &word[at + 1..]);
    let is_variable = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_variable.then_some(value)
}

enum Token<'a> {
    Word(&'a [u8]),
    Separator,
}

/// Words between blanks, quotes and what separates commands.
struct Tokens<'a>(&'a [u8]);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self
            .0
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\''))?;
        let rest = &self.0[start..];
        if rest[0] == b'#' && (start > 0 || rest.len() == self.0.len()) {
            return None;
        }
        if is_separator(rest[0]) {
            self.0 = &rest[1..];
            return Some(Token::Separator);
        }
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'') || is_separator(*byte);
        let end = rest.iter().position(blank).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(Token::Word(&rest[..end]))
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b';' | b'|' | b'&' | b'(' | b')' | b'`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_where_commands_may_stand() {
        for (text, commands) in [
            ("grep -q x file | sort\n", &["grep", "sort"][..]),
            ("# comment\nls # more\n", &["ls"]),
            ("if ! cmp -s a b; then rm a; fi\n", &["cmp", "fi", "if", "rm", "then"]),
            ("x=$(readlink -f \"$0\")\n", &["readlink"]),
            ("awk=mawk\n", &["mawk"]),
            ("A=1 B=2 exec python3 -c x\n", &["exec", "python3"]),
            ("printf foo | xargs -0 gzip\n", &["gzip", "printf", "xargs"]),
            ("echo sort\n", &["echo"]),
        ] {
            let found = read(text.as_bytes()).commands;
            let expected: BTreeSet<Vec<u8>> = commands.iter().map(|name| name.as_bytes().to_vec()).collect();
            for name in &expected {
                assert!(found.contains(name), "{text}: {}", String::from_utf8_lossy(name));
            }
            assert!(!found.contains(&b"file"[..]), "{text}");
        }
    }

    #[test]
    fn paths_absolute_and_beside_the_script() {
        let text = ". \"$HERE/../lib/shwrap/env.sh\"\nexec \"$HERE/../lib/shwrap/real-$WHICH\" \"$@\"\nDIR=/usr/share/x\n/bin/true\n";
        let script = read(text.as_bytes());
        let texts = |set: &BTreeSet<Vec<u8>>| -> Vec<String> {
            set.iter()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .collect()
        };
        assert_eq!(texts(&script.relative), ["../lib/shwrap", "../lib/shwrap/env.sh"]);
        assert_eq!(texts(&script.paths), ["/bin/true", "/usr/share/x"]);
    }
}
