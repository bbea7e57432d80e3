//! Rule files: TOML, an array of tables `rule`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{NamePattern, Rule, RulesError, Then, When};
use crate::elf::WATCHED_IMPORTS;
use crate::rootfs::{Pattern, PatternError, RootPath};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    rule: Vec<RuleText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    when: WhenText,
    then: ThenText,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct WhenText {
    program: Vec<String>,
    library: Vec<String>,
    imports: Vec<String>,
    program_imports: Vec<String>,
    path: Vec<String>,
    package: Vec<String>,
    locales: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct ThenText {
    files: Vec<String>,
    except: Vec<String>,
    programs: Vec<String>,
    libraries: Vec<String>,
    directories: Vec<String>,
}

/// The rules of all files `*.toml` in a directory, by their names.
pub(super) fn read_directory(directory: &Path) -> Result<Vec<Rule>, RulesError> {
    let read_error = |path: &Path| {
        let path = path.to_owned();
        move |source| RulesError::Read { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(read_error(directory))? {
        let path = entry.map_err(read_error(directory))?.path();
        if path.extension() == Some(OsStr::new("toml")) {
            files.push(path);
        }
    }
    files.sort_unstable();
    let mut rules = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(read_error(&file))?;
        rules.extend(parse(&file, &text)?);
    }
    Ok(rules)
}

/// The rules of one file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Rule>, RulesError> {
    let document: Document = toml::from_str(text).map_err(|source| RulesError::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let rules = document.rule.into_iter().map(|text| {
        let name = text.name.clone();
        rule(path, text).map_err(|problem| RulesError::Value {
            path: path.to_owned(),
            rule: name,
            problem,
        })
    });
    rules.collect()
}

fn rule(path: &Path, text: RuleText) -> Result<Rule, String> {
    let when = text.when;
    let conditions = [
        &when.program,
        &when.library,
        &when.imports,
        &when.program_imports,
        &when.path,
        &when.package,
    ];
    if conditions.iter().all(|list| list.is_empty()) && !when.locales {
        return Err("has no condition".to_owned());
    }
    for symbol in when.imports.iter().chain(&when.program_imports) {
        if !WATCHED_IMPORTS.contains(&symbol.as_str()) {
            return Err(format!("imports: {symbol} is none of the symbols that are looked for"));
        }
    }
    Ok(Rule {
        name: text.name,
        origin: path.to_owned(),
        when: When {
            program: names(&when.program)?,
            package: names(&when.package)?,
            library: names(&when.library)?,
            imports: when.imports,
            program_imports: when.program_imports,
            path: patterns(&when.path)?,
            locales: when.locales,
        },
        then: Then {
            files: {
                patterns(&text.then.files)?;
                text.then.files
            },
            except: patterns(&text.then.except)?,
            programs: text.then.programs,
            libraries: text.then.libraries,
            directories: directories(&text.then.directories)?,
        },
    })
}

fn names(texts: &[String]) -> Result<Vec<NamePattern>, String> {
    collect(texts, NamePattern::new)
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, String> {
    collect(texts, |text| super::pattern(text, "/prefix"))
}

fn collect<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, PatternError>) -> Result<Vec<T>, String> {
    let parsed = texts.iter().map(|text| parse(text).map_err(|error| error.to_string()));
    parsed.collect()
}

fn directories(texts: &[String]) -> Result<Vec<RootPath>, String> {
    let directory = |text: &String| match text.starts_with('/') {
        true => Ok(RootPath::new(text)),
        false => Err(format!("directories: {text} is not an absolute path")),
    };
    texts.iter().map(directory).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Trigger;
    use super::*;

    #[test]
    fn what_is_wrong_is_told() {
        for (text, expected) in [
            ("[[rule]]\nname = 'x'\nwhen = {}\nthen = {}", "rule x: has no condition"),
            (
                "[[rule]]\nname = 'x'\nwhen = { program = ['a/b'] }\nthen = {}",
                "not an absolute path",
            ),
            (
                "[[rule]]\nname = 'x'\nwhen = { imports = ['foo'] }\nthen = {}",
                "foo is none of the symbols",
            ),
            (
                "[[rule]]\nname = 'x'\nwhen = { program = ['a'] }\nthen = { directories = ['b'] }",
                "b is not an absolute",
            ),
            (
                "[[rule]]\nname = 'x'\nwhen = { programs = ['a'] }\nthen = {}",
                "unknown field",
            ),
            ("[[rule]]\nname = 3", "invalid type"),
        ] {
            let error = parse(Path::new("x.toml"), text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.starts_with("rules x.toml: "), "{error}");
        }
    }

    #[test]
    fn library_directories_are_a_choice_and_the_prefix_is_the_triggers() {
        let text =
            "[[rule]]\nname = 'x'\nwhen = { program = ['a'] }\nthen = { files = ['$LIB/gconv/**', '$PREFIX/lib/jvm'] }";
        let rules = parse(Path::new("x.toml"), text).expect("valid");
        for (path, expected) in [
            ("/usr/lib/x86_64-linux-gnu/gconv/EUC-KR.so", true),
            ("/lib64/gconv/EUC-KR.so", true),
            ("/usr/lib/gconv/gconv-modules", true),
            ("/usr/local/lib/gconv/x", false),
        ] {
            let trigger = |by: &str| Trigger {
                by: Some(RootPath::new(by)),
            };
            let files = rules[0].then.files(&trigger("/opt/java/bin/java"));
            assert_eq!(files[0].matches(&RootPath::new(path)), expected, "{path}");
            assert_eq!(files[1].text(), "/opt/java/lib/jvm");
            assert_eq!(rules[0].then.files(&trigger("/bin/java"))[1].text(), "/lib/jvm");
        }
    }
}
