//! `#!` lines, as the kernel's `fs/binfmt_script.c` reads them, and what `env` makes of its arguments.

/// Bytes of a file that the kernel looks at: BINPRM_BUF_SIZE.
pub(super) const LINE_MAX: usize = 256;
/// Scripts interpreted by scripts, as deep as the kernel goes: `exec_binprm` in `fs/exec.c`.
pub(super) const DEPTH_MAX: usize = 5;

/// A `#!` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shebang {
    /// The interpreter's path.
    pub(super) interpreter: Vec<u8>,
    /// The rest of the line, which is one argument.
    pub(super) argument: Option<Vec<u8>>,
}

impl Shebang {
    /// Parses the first bytes of a file; none where the kernel would not take it for a script.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(LINE_MAX)];
        let rest = head.strip_prefix(b"#!")?;
        let line = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => &rest[..end],
            // A line that does not end in what the kernel reads must at least have the whole interpreter in it.
            None if head.len() == LINE_MAX && !trim(rest).iter().any(|&byte| is_blank(byte)) => return None,
            None => rest,
        };
        let line = trim(line.split(|&byte| byte == 0).next().unwrap_or_default());
        let end = line.iter().position(|&byte| is_blank(byte)).unwrap_or(line.len());
        let (interpreter, argument) = (line[..end].to_vec(), trim(&line[end..]));
        (!interpreter.is_empty()).then(|| Self {
            interpreter,
            argument: (!argument.is_empty()).then(|| argument.to_vec()),
        })
    }

    /// The line as it stands.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = [b"#!", self.interpreter.as_slice()].concat();
        if let Some(argument) = &self.argument {
            line.push(b' ');
            line.extend_from_slice(argument);
        }
        line
    }

    /// The program that `env` will look up in PATH; none where the interpreter is not `env`, or starts nothing.
    pub(super) fn through_env(&self) -> Option<Vec<u8>> {
        let name = self.interpreter.rsplit(|&byte| byte == b'/').next();
        let argument = self.argument.as_deref().filter(|_| name == Some(b"env"))?;
        env_program(argument)
    }
}

/// What `env` starts when it gets this one argument: itself a name, or with `-S` a line to be split.
fn env_program(argument: &[u8]) -> Option<Vec<u8>> {
    let Some(line) = split_string(argument) else {
        return (!argument.starts_with(b"-") && !argument.contains(&b'=')).then(|| argument.to_vec());
    };
    let mut words = split(line).into_iter();
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--" => return words.find(|word| !word.contains(&b'=')),
            b"-u" | b"-C" | b"--unset" | b"--chdir" => {
                words.next();
            }
            word if word.starts_with(b"-") || word.contains(&b'=') => {}
            _ => return Some(word),
        }
    }
    None
}

/// What follows `-S`, which may have `-v`, `-i` and `-0` written together with it, or `--split-string`.
fn split_string(argument: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = argument.strip_prefix(b"--split-string") {
        return Some(rest.strip_prefix(b"=").unwrap_or(rest));
    }
    let options = argument.strip_prefix(b"-")?;
    let flags = options
        .iter()
        .take_while(|byte| matches!(byte, b'v' | b'i' | b'0'))
        .count();
    options[flags..].strip_prefix(b"S")
}

/// Splits at blanks; quotes keep words together, a backslash takes the next byte as it is.
fn split(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (Some(open), _) if byte == open => quote = None,
            (None | Some(b'"'), b'\\') => word.get_or_insert_default().extend(bytes.next()),
            (None, _) if byte.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_blank(byte)).unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|&byte| !is_blank(byte))
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let long = format!("#!/{}", "x".repeat(300));
        let long_argument = format!("#!/bin/sh {}", "x".repeat(300));
        for (head, expected) in [
            ("#!/bin/sh\necho", Some(("/bin/sh", None))),
            ("#! /bin/sh -e \n", Some(("/bin/sh", Some("-e")))),
            ("#!\t/bin/sh\t-e  -x\n", Some(("/bin/sh", Some("-e  -x")))),
            ("#!/usr/bin/env python3", Some(("/usr/bin/env", Some("python3")))),
            ("#!\n", None),
            ("#!   ", None),
            (" #!/bin/sh\n", None),
            ("\x7fELF", None),
            ("", None),
            (&long, None),
        ] {
            let found = Shebang::parse(head.as_bytes());
            let expected = expected.map(|(interpreter, argument)| Shebang {
                interpreter: interpreter.into(),
                argument: argument.map(Into::into),
            });
            assert_eq!(found, expected, "{head}");
        }
        let cut = Shebang::parse(long_argument.as_bytes()).expect("the interpreter is whole");
        assert_eq!(cut.interpreter, b"/bin/sh");
    }

    #[test]
    fn through_env() {
        for (line, expected) in [
            ("#!/usr/bin/env python3\n", Some("python3")),
            ("#!/bin/env perl\n", Some("perl")),
            ("#!/usr/bin/env python3 -u\n", Some("python3 -u")),
            ("#!/usr/bin/env -S python3 -u\n", Some("python3")),
            ("#!/usr/bin/env -Spython3 -u\n", Some("python3")),
            ("#!/usr/bin/env -vS python3\n", Some("python3")),
            ("#!/usr/bin/env -iS A=b python3\n", Some("python3")),
            ("#!/usr/bin/env --split-string=python3 -u\n", Some("python3")),
            ("#!/usr/bin/env -S -u HOME -i A=1 'my python' -x\n", Some("my python")),
            ("#!/usr/bin/env -S -- A=1 awk\n", Some("awk")),
            ("#!/usr/bin/env -S a\\ b\n", Some("a b")),
            ("#!/usr/bin/env -S A=1\n", None),
            ("#!/usr/bin/env -i\n", None),
            ("#!/usr/bin/env\n", None),
            ("#!/usr/bin/environment x\n", None),
            ("#!/bin/sh -e\n", None),
        ] {
            let shebang = Shebang::parse(line.as_bytes()).expect("a script");
            assert_eq!(shebang.through_env().as_deref(), expected.map(str::as_bytes), "{line}");
        }
    }
}
