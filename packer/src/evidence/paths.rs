//! Paths, libraries and commands in the constants of a program.

/// What a constant may be a name of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mention {
    /// An absolute path, whole.
    Path(Vec<u8>),
    /// A directory: what stands before the first part that is filled in at run time, such as `/usr/share/figlet` in
    /// `/usr/share/figlet/%s.flf`.
    Directory(Vec<u8>),
    /// A library, by its soname or file name.
    Library(Vec<u8>),
    /// A program: the first word of what looks like a command line, or the name alone.
    Command(Vec<u8>),
}

/// All that a constant may name.
pub(crate) fn mentions(constant: &[u8], mut take: impl FnMut(Mention)) {
    if constant.contains(&b'/') {
        // Search paths, options and URLs have paths behind these.
        for word in
            constant.split(|byte| matches!(byte, b':' | b' ' | b'=' | b',' | b';' | b'"' | b'\'' | b'\n' | b'\t'))
        {
            let word = word.strip_prefix(b"-I").or(word.strip_prefix(b"-L")).unwrap_or(word);
            let doubled = word
                .iter()
                .zip(word.iter().skip(1))
                .take_while(|pair| *pair == (&b'/', &b'/'))
                .count();
            let word = &word[doubled..];
            if let Some(mention) = path(word) {
                take(mention);
            }
        }
    }
    if let Some(library) = library(constant) {
        take(Mention::Library(library.to_vec()));
    }
    if let Some(command) = command(constant) {
        take(Mention::Command(command.to_vec()));
    }
}

fn path(word: &[u8]) -> Option<Mention> {
    if !word.starts_with(b"/") || word.len() < 4 {
        return None;
    }
    let Some(variable) = word
        .iter()
        .position(|byte| matches!(byte, b'%' | b'*' | b'$' | b'{' | b'<' | b'?' | b'['))
    else {
        let path = trim(word);
        return (components(path) >= 2).then(|| Mention::Path(path.to_vec()));
    };
    let end = word[..variable].iter().rposition(|&byte| byte == b'/')?;
    let directory = trim(&word[..end]);
    (components(directory) >= 2).then(|| Mention::Directory(directory.to_vec()))
}

/// Without slashes and a full stop at the end.
fn trim(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix(b"/").or(path.strip_suffix(b".")) {
        path = shorter;
    }
    path
}

fn components(path: &[u8]) -> usize {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).count()
}

/// `libNAME.so`, with a version behind it or not.
fn library(constant: &[u8]) -> Option<&[u8]> {
    let name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-');
    let rest = constant.strip_prefix(b"lib")?;
    let at = rest.windows(3).position(|window| window == b".so")?;
    let version = &rest[at + 3..];
    let is_version = version.is_empty()
        || version.starts_with(b".") && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    (at > 0 && is_version && constant.iter().all(name_byte)).then_some(constant)
}

/// The first word of a command line. English text has such words too; the caller asks for those that are programs.
fn command(constant: &[u8]) -> Option<&[u8]> {
    let constant = constant.strip_prefix(b"exec ").unwrap_or(constant);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-');
    let end = constant
        .iter()
        .position(|byte| !is_name(byte))
        .unwrap_or(constant.len());
    let (name, rest) = constant.split_at(end);
    let begins_well = name
        .first()
        .is_some_and(|byte| byte.is_ascii_lowercase() || *byte == b'X');
    if !begins_well || name.len() < 3 {
        return None;
    }
    let alone = rest.is_empty();
    // Options, redirections and parameters follow a command, other words follow a noun.
    let with_arguments = [&b" -"[..], b" '", b" \"", b" %s", b" <", b" >", b" |", b" 2>", b" $"]
        .iter()
        .any(|beginning| rest.starts_with(beginning));
    (alone || with_arguments).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(constant: &str) -> Vec<String> {
        let mut found = Vec::new();
        mentions(constant.as_bytes(), |mention| {
            let (kind, bytes) = match mention {
                Mention::Path(bytes) => ("path", bytes),
                Mention::Directory(bytes) => ("directory", bytes),
                Mention::Library(bytes) => ("library", bytes),
                Mention::Command(bytes) => ("command", bytes),
            };
            found.push(format!("{kind} {}", String::from_utf8_lossy(&bytes)));
        });
        found
    }

    #[test]
    fn constants_and_what_they_name() {
        for (constant, expected) in [
            ("/usr/share/misc/magic.mgc", &["path /usr/share/misc/magic.mgc"][..]),
            (
                "/etc/magic:/usr/share/misc/magic",
                &["path /etc/magic", "path /usr/share/misc/magic"],
            ),
            ("/usr/share/figlet/%s.flf", &["directory /usr/share/figlet"]),
            ("/usr/lib/x/", &["path /usr/lib/x"]),
            ("file:///usr/share/xml/catalog", &["path /usr/share/xml/catalog"]),
            ("/usr", &[]),
            ("%s/bin", &[]),
            ("libidn2.so.0", &["library libidn2.so.0", "command libidn2.so.0"]),
            ("lib%s.so", &[]),
            ("gzip", &["command gzip"]),
            ("gzip -dc %s", &["command gzip"]),
            ("sort of things", &[]),
            ("Usage", &[]),
            ("exec gpg-agent --daemon", &["command gpg-agent"]),
        ] {
            assert_eq!(all(constant), expected, "{constant}");
        }
    }
}
