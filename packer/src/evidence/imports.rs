//! Modules that scripts import, by the first component of their names.

use std::collections::BTreeSet;

/// Modules of a Python script: `import a.b, c` and `from d.e import f`.
pub(crate) fn python(text: &[u8]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for line in String::from_utf8_lossy(text).lines() {
        // Several statements may stand in a line, and one in the middle of a line of code.
        for statement in line.split([';', ':']) {
            let mut words = statement.split_whitespace();
            match words.next() {
                Some("import") => {
                    let list = statement.trim_start().trim_start_matches("import");
                    modules.extend(list.split(',').filter_map(top_level));
                }
                Some("from") => modules.extend(words.next().and_then(top_level)),
                _ => {}
            }
        }
    }
    modules
}

fn top_level(name: &str) -> Option<String> {
    let name = name.split_whitespace().next()?.split('.').next()?;
    is_identifier(name).then(|| name.to_owned())
}

/// Modules of a Perl script: `use A::B`, `require A::B`. The path that Perl looks for: `A/B`.
pub(crate) fn perl(text: &[u8]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for line in String::from_utf8_lossy(text).lines() {
        let mut words = line.trim_start().split([' ', '\t', ';', '(']);
        if matches!(words.next(), Some("use" | "require" | "no"))
            && let Some(name) = words.find(|word| !word.is_empty())
            && name.split("::").all(is_identifier)
            && name.starts_with(|first: char| first.is_ascii_uppercase())
        {
            modules.insert(name.replace("::", "/"));
        }
    }
    modules
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_imports() {
        let text = "import sys,csv , os.path as p\nfrom json.decoder import X\n  import numpy\n#import no\nx = 'import'\nfrom . import y\nif x: import late\n";
        let found: Vec<String> = python(text.as_bytes()).into_iter().collect();
        assert_eq!(found, ["csv", "json", "late", "numpy", "os", "sys"]);
    }

    #[test]
    fn perl_imports() {
        let text = "use strict;\nuse 5.10.0;\nuse Text::Wrap qw(wrap);\nrequire Cwd;\nno Foo::Bar;\nuse lib 'x';\n";
        let found: Vec<String> = perl(text.as_bytes()).into_iter().collect();
        assert_eq!(found, ["Cwd", "Foo/Bar", "Text/Wrap"]);
    }
}
