//! Command lines and what they come to.

use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<CommandLine, clap::Error> {
    let words = std::iter::once("polecat").chain(line.split(' ').filter(|word| !word.is_empty()));
    CommandLine::try_parse_from(with_verb(words.map(OsString::from)))
}

#[test]
fn the_definition_is_sound() {
    CommandLine::command().debug_assert();
}

#[test]
fn the_form_without_a_verb_packs() {
    for (line, rootfs, command, output) in [
        ("/ top", "/", "top", None),
        ("-o x / top", "/", "top", Some("x")),
        ("--output=x / top", "/", "top", Some("x")),
        ("pack -o x / top", "/", "top", Some("x")),
        ("pack plan top", "plan", "top", None),
        ("./plan top", "./plan", "top", None),
        ("-o x plan top", "plan", "top", Some("x")),
        ("-- -weird top", "-weird", "top", None),
        ("/ top -o x", "/", "top -o x", None),
        (
            "-o y / top -o x --help --version -h",
            "/",
            "top -o x --help --version -h",
            Some("y"),
        ),
        ("/ top -- x", "/", "top -- x", None),
        ("/ -- -x -y", "/", "-x -y", None),
        ("/ verify key", "/", "verify key", None),
        ("-q / verify", "/", "verify", None),
        ("-o x verify f", "verify", "f", Some("x")),
        ("-q -- verify f", "verify", "f", None),
        ("pack / plan", "/", "plan", None),
    ] {
        let parsed = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let Verb::Pack(pack) = parsed.verb else {
            panic!("{line}: {parsed:?}")
        };
        assert_eq!(pack.subject.rootfs, PathBuf::from(rootfs), "{line}");
        let command: Vec<_> = command.split(' ').map(OsString::from).collect();
        assert_eq!(pack.subject.command, command, "{line}");
        assert_eq!(pack.recipe.output, output.map(PathBuf::from), "{line}");
    }
}

#[test]
fn options_of_a_pack() {
    let line = "--also a --also b --as x=y --include /x/** --exclude /y --level 3 --block-size 1M --name n --env A=1 --env B=2 \
                --workdir /w --contain --stub s --key k -q --json / top";
    let Verb::Pack(pack) = parse(line).expect("valid").verb else {
        panic!("not a pack")
    };
    assert_eq!(pack.key.key, Some("k".into()));
    assert!(pack.quiet && pack.json);
    let asked = pack.recipe.asked(pack.subject, None);
    assert_eq!(asked.also, ["a", "b"]);
    assert_eq!(asked.entry_points, ["x=y"]);
    assert_eq!(asked.include, ["/x/**"]);
    assert_eq!(asked.exclude, ["/y"]);
    assert_eq!((asked.level, asked.block_size.as_deref()), (Some(3), Some("1M")));
    assert_eq!(asked.env, ["A=1", "B=2"]);
    assert_eq!(asked.stub, Some("s".into()));
    assert!(asked.contain);
}

#[test]
fn verbs() {
    for (line, expected) in [
        ("plan / top -x", "Plan"),
        ("inspect f --json", "Inspect"),
        ("verify f --key a --key b", "Verify"),
        ("-q verify f", "Verify"),
        ("verify -q f", "Verify"),
        ("--quiet --json verify f", "Verify"),
        ("--json plan / top", "Plan"),
        ("-q pack / top", "Pack"),
        ("extract f d", "Extract"),
        ("sign f --key k", "Sign"),
        ("key generate --out k --passphrase-prompt", "Generate"),
        ("key generate -o k", "out: Some(\"k\")"),
        ("key show", "Show"),
        ("key show --pem f", "Show"),
    ] {
        let parsed = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(format!("{parsed:?}").contains(expected), "{line}: {parsed:?}");
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for line in [
        "/",
        "-o",
        "--levle 3 / top",
        "/ --unknown top",
        "verify",
        "verify a b",
        "extract f",
        "key",
        "key generate --passphrase-file f --passphrase-prompt",
        "key show --pem --json",
        "--level x / top",
        "-o a -o b / top",
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for line in [
        "--help",
        "-h",
        "help",
        "help pack",
        "--version",
        "-V",
        "pack --help",
        "key generate --help",
        "-o x --help",
    ] {
        let shown = parse(line).expect_err(line);
        assert_eq!(shown.exit_code(), 0, "{line}");
    }
}
