//! Licences in the words of distributions, as SPDX licence expressions (SPDX 2.3, annex D).
//!
//! What has no SPDX identifier keeps its name as a `LicenseRef-`; nothing is guessed from the text of a licence.

use crate::packages::deb822::Stanza;

/// Licences that distributions call otherwise than SPDX does, in lower case. The names of Debian are those of the machine-readable
/// copyright format and of the archive's habit, the names of Fedora those it had before it took SPDX's.
const NAMES: [(&str, &str); 33] = [
    ("apache", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("artistic", "Artistic-1.0"),
    ("artistic-1", "Artistic-1.0"),
    ("artistic 2.0", "Artistic-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("boost", "BSL-1.0"),
    ("bsd-2", "BSD-2-Clause"),
    ("bsd-3", "BSD-3-Clause"),
    ("bsd-4", "BSD-4-Clause"),
    ("bsd (3 clause)", "BSD-3-Clause"),
    ("bzip2", "bzip2-1.0.6"),
    ("cc0", "CC0-1.0"),
    ("expat", "MIT"),
    ("gfdl-niv-1.2+", "GFDL-1.2-no-invariants-or-later"),
    ("gfdl-niv-1.3", "GFDL-1.3-no-invariants-only"),
    ("gfdl-niv-1.3+", "GFDL-1.3-no-invariants-or-later"),
    ("gnu-all-permissive-license", "FSFAP"),
    ("mit/x11", "MIT"),
    ("mplv1.1", "MPL-1.1"),
    ("mplv2.0", "MPL-2.0"),
    ("ofl", "OFL-1.1"),
    ("openldap", "OLDAP-2.8"),
    ("openldap-2.8", "OLDAP-2.8"),
    ("perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
    ("psf-2", "PSF-2.0"),
    ("sil-ofl-1.1", "OFL-1.1"),
    ("vim", "Vim"),
    ("wtfpl-2", "WTFPL"),
    ("zlib/libpng", "Zlib"),
    ("zpl-2.1", "ZPL-2.1"),
    ("zplv2.1", "ZPL-2.1"),
];

/// Exceptions, in lower case and without the word "exception".
const EXCEPTIONS: [(&str, &str); 8] = [
    ("autoconf", "Autoconf-exception-generic"),
    ("bison", "Bison-exception-2.2"),
    ("classpath", "Classpath-exception-2.0"),
    ("font", "Font-exception-2.0"),
    ("gcc", "GCC-exception-3.1"),
    ("libtool", "Libtool-exception"),
    ("linux-syscall-note", "Linux-syscall-note"),
    ("llvm", "LLVM-exception"),
];

/// Brackets inside brackets that are followed.
const MAX_DEPTH: usize = 16;

/// The licences of all files together, of a copyright file of Debian's in the machine-readable format
/// (<https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>); none where it is in another one.
pub(super) fn of_copyright(text: &str) -> Option<String> {
    let stanzas = Stanza::parse_all(text).ok()?;
    stanzas.first()?.get("Format")?;
    let mut expressions: Vec<String> = Vec::new();
    for stanza in stanzas.iter().filter(|stanza| stanza.get("Files").is_some()) {
        let synopsis = stanza.get("License").and_then(|licence| licence.lines().next());
        let expression = synopsis.and_then(of_words);
        expressions.extend(expression);
    }
    expressions.sort_unstable();
    expressions.dedup();
    conjunction(expressions, "AND")
}

/// What a database calls the licence: an SPDX expression, or names with "and" and "or" between them. None for nothing.
pub(super) fn of_words(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(expression) = spdx::Expression::parse(text) {
        return (!text.is_empty()).then(|| expression.to_string());
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        depth: 0,
    };
    match parser.list() {
        Some(expression) if parser.words.is_empty() => Some(expression),
        // Not a sentence of names: the whole of it is the name.
        _ if words.is_empty() => None,
        _ => Some(reference(text)),
    }
}

/// A recursive descent: a list of alternatives of conjunctions of names, where a comma binds less than "or", and "or" less than "and".
struct Parser<'w> {
    words: &'w [&'w str],
    depth: usize,
}

impl Parser<'_> {
    fn list(&mut self) -> Option<String> {
        let mut parts = vec![self.alternatives()?];
        let mut operator = "AND";
        while self.takes(&[","]) {
            if self.takes(&["or"]) {
                operator = "OR";
            } else {
                self.takes(&["and", "and/or"]);
            }
            parts.push(self.alternatives()?);
        }
        conjunction(parts, operator)
    }

    fn alternatives(&mut self) -> Option<String> {
        let mut parts = vec![self.all_of()?];
        while self.takes(&["or", "|", "||"]) {
            parts.push(self.all_of()?);
        }
        conjunction(parts, "OR")
    }

    fn all_of(&mut self) -> Option<String> {
        let mut parts = vec![self.term()?];
        while self.takes(&["and", "&", "&&", "and/or"]) {
            parts.push(self.term()?);
        }
        conjunction(parts, "AND")
    }

    fn term(&mut self) -> Option<String> {
        if self.takes(&["("]) {
            self.depth += 1;
            let inner = (self.depth <= MAX_DEPTH).then(|| self.list())??;
            self.depth -= 1;
            return self.takes(&[")"]).then_some(inner);
        }
        let is_end = |word: &&str| {
            matches!(
                word.to_ascii_lowercase().as_str(),
                "and" | "or" | "and/or" | "|" | "&" | "||" | "&&" | "," | "(" | ")"
            )
        };
        let length = self.words.iter().position(is_end).unwrap_or(self.words.len());
        let (name, rest) = self.words.split_at(length);
        self.words = rest;
        (!name.is_empty()).then(|| named(name))
    }

    fn takes(&mut self, words: &[&str]) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if words.iter().any(|word| first.eq_ignore_ascii_case(word)) => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

/// The parts in one expression, each once; in brackets where it has another operator.
fn conjunction(parts: Vec<String>, operator: &str) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    for part in parts {
        if !kept.contains(&part) {
            kept.push(part);
        }
    }
    if kept.len() > 1 {
        for part in &mut kept {
            if part.contains(" AND ") || part.contains(" OR ") {
                *part = format!("({part})");
            }
        }
    }
    (!kept.is_empty()).then(|| kept.join(&format!(" {operator} ")))
}

/// The licence of that name, perhaps with an exception.
fn named(words: &[&str]) -> String {
    let with = words.iter().position(|word| word.eq_ignore_ascii_case("with"));
    let found = match with {
        None => identifier(&words.join(" ")),
        Some(with) => identifier(&words[..with].join(" "))
            .filter(|licence| !licence.contains(' '))
            .zip(exception(&words[with + 1..]))
            .map(|(licence, exception)| format!("{licence} WITH {exception}")),
    };
    found.unwrap_or_else(|| reference(&words.join(" ")))
}

/// SPDX's identifier, or an expression that the name stands for.
fn identifier(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, expression)) = NAMES.iter().find(|(name, _)| *name == lower) {
        return Some((*expression).to_owned());
    }
    if let Some(gnu) = gnu(&lower) {
        return spdx::license_id(&gnu).map(|_| gnu);
    }
    let known = spdx::identifiers::LICENSES.iter().map(|licence| licence.name);
    known
        .into_iter()
        .find(|id| id.eq_ignore_ascii_case(name) && !id.starts_with("NOASSERTION"))
        .map(str::to_owned)
}

/// `gpl-2+`, `lgplv2.1`, `agpl-3.0+`, …: a version is meant to be the only one unless `+` or "or later" is behind it.
fn gnu(name: &str) -> Option<String> {
    let families = [
        ("agpl", "AGPL"),
        ("lgpl", "LGPL"),
        ("gpl", "GPL"),
        ("gfdl", "GFDL"),
        ("fdl", "GFDL"),
    ];
    let (family, rest) = families
        .iter()
        .find_map(|(prefix, family)| Some((*family, name.strip_prefix(prefix)?)))?;
    let rest = rest.trim_start_matches(['-', 'v', ' ']);
    let (version, later) = match rest.strip_suffix('+').or_else(|| rest.strip_suffix("-or-later")) {
        Some(version) => (version, true),
        None => (rest.strip_suffix("-only").unwrap_or(rest), false),
    };
    let version = match (family, version) {
        // Any version: the first one, or any later.
        ("GPL", "") if later => "1.0".to_owned(),
        (_, version) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{version}.0")
        }
        (_, version) => version.to_owned(),
    };
    Some(format!(
        "{family}-{version}-{}",
        if later { "or-later" } else { "only" }
    ))
}

fn exception(words: &[&str]) -> Option<&'static str> {
    let name = words.join(" ").to_ascii_lowercase();
    let name = name.trim_end_matches("exception").trim_end_matches([' ', '-']);
    EXCEPTIONS.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

/// A name of our own for what SPDX has none for: letters, digits, `-` and `.` are what one may be made of.
fn reference(name: &str) -> String {
    let mut text = String::from("LicenseRef-");
    for character in name.chars().take(100) {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => text.push(character),
            '+' => text.push_str("-plus"),
            _ if text.ends_with('-') => {}
            _ => text.push('-'),
        }
    }
    let trimmed = text.trim_end_matches(['-', '.']).len().max("LicenseRef".len());
    text.truncate(trimmed);
    match text.as_str() {
        "LicenseRef" => "LicenseRef-unnamed".to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_expressions() {
        for (words, expected) in [
            ("MIT", "MIT"),
            ("GPL-2.0-or-later", "GPL-2.0-or-later"),
            ("MIT AND (BSD-2-Clause OR ISC)", "MIT AND (BSD-2-Clause OR ISC)"),
            ("GPL-2+", "GPL-2.0-or-later"),
            ("GPL-2", "GPL-2.0-only"),
            ("LGPL-2.1+", "LGPL-2.1-or-later"),
            ("GPLv3+", "GPL-3.0-or-later"),
            ("GPL+", "GPL-1.0-or-later"),
            ("Expat", "MIT"),
            ("expat or GPL-3+", "MIT OR GPL-3.0-or-later"),
            ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0"),
            ("A or GPL-2, and Zlib", "(LicenseRef-A OR GPL-2.0-only) AND Zlib"),
            ("Zlib, ISC and MIT", "Zlib AND (ISC AND MIT)"),
            (
                "LGPLv2+ and (GPLv2 or ASL 2.0)",
                "LGPL-2.0-or-later AND (GPL-2.0-only OR Apache-2.0)",
            ),
            (
                "GPL-2+ with AutoConf exception",
                "GPL-2.0-or-later WITH Autoconf-exception-generic",
            ),
            (
                "GPL-2+ with FLOSS exception",
                "LicenseRef-GPL-2-plus-with-FLOSS-exception",
            ),
            ("public-domain", "LicenseRef-public-domain"),
            ("Public Domain", "LicenseRef-Public-Domain"),
            ("GPL", "LicenseRef-GPL"),
            ("bsd-3-clause", "BSD-3-Clause"),
            ("GPL-3+ and GPL-3+", "GPL-3.0-or-later"),
            ("(MIT", "LicenseRef-MIT"),
            ("and", "LicenseRef-and"),
            ("((((((((((((((((((((Expat))))))))))))))))))))", "LicenseRef-Expat"),
            ("日本", "LicenseRef-unnamed"),
        ] {
            let found = of_words(words).expect("not empty");
            assert_eq!(found, expected, "{words}");
            spdx::Expression::parse(&found).unwrap_or_else(|error| panic!("{found}: {error}"));
        }
        assert_eq!(of_words("  "), None);
    }

    #[test]
    fn copyright_files() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n\n\
            Files: *\nCopyright: A\nLicense: GPL-2+\n text\n\nFiles: b\nCopyright: B\nLicense: BSD-3-clause or GPL-2+\n\n\
            Files: c\nLicense: GPL-2+\n\nLicense: GPL-2+\n On Debian systems …\n";
        assert_eq!(
            of_copyright(text).as_deref(),
            Some("(BSD-3-Clause OR GPL-2.0-or-later) AND GPL-2.0-or-later")
        );
        for other in [
            "This package was debianized by X.\n\nLicense: GPL\n",
            "",
            "Format: x\n\nFiles: *\n",
        ] {
            assert_eq!(of_copyright(other), None, "{other}");
        }
    }
}
