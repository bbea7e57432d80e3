//! Values that make sense, and those that do not.

use super::*;

fn asked(command: &[&str]) -> Asked {
    Asked {
        rootfs: "/root".into(),
        command: command.iter().map(OsString::from).collect(),
        ..Asked::default()
    }
}

#[test]
fn defaults() {
    let options = asked(&["/usr/bin/top", "-b"]).resolve().expect("valid");
    assert_eq!(options.output, Path::new("top.run"));
    assert_eq!(options.name, "/usr/bin/top");
    assert_eq!(options.args, ["/usr/bin/top", "-b"]);
    assert_eq!(options.image.level, DEFAULT_LEVEL);
    assert_eq!(options.image.block_size, DEFAULT_BLOCK_SIZE);
    assert_eq!(options.image.epoch, None);
    assert!(options.image.workers > 0);
}

#[test]
fn block_sizes() {
    for (text, expected) in [
        ("4096", Some(4096)),
        ("4K", Some(4096)),
        ("128k", Some(131_072)),
        ("1M", Some(1 << 20)),
        ("2M", None),
        ("2048", None),
        ("5000", None),
        ("K", None),
        ("4KK", None),
        ("-4K", None),
        ("99999999999M", None),
        ("", None),
    ] {
        assert_eq!(block_size(text).ok(), expected, "{text}");
    }
}

#[test]
fn sizes_of_the_startup_set() {
    for (text, expected) in [
        ("0", Some(0)),
        ("5000", Some(5000)),
        ("4M", Some(4 << 20)),
        ("99999999999999M", None),
        ("M", None),
        ("-1", None),
        ("", None),
    ] {
        assert_eq!(store_startup(text).ok(), expected, "{text}");
    }
}

#[test]
fn workdirs() {
    for (text, expected) in [
        ("/", Some("/")),
        ("/srv", Some("/srv")),
        ("//srv/./app/", Some("/srv/app")),
        ("/srv/..app", Some("/srv/..app")),
        ("/srv/../app", None),
        ("srv", None),
        ("./srv", None),
        ("", None),
    ] {
        assert_eq!(workdir(text).ok().as_deref(), expected, "{text}");
    }
}

#[test]
fn epochs() {
    for (text, expected) in [
        ("0", Some(0)),
        ("1700000000", Some(1_700_000_000)),
        ("99999999999", Some(u32::MAX)),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("now", None),
        ("1.5", None),
    ] {
        assert_eq!(epoch(OsStr::new(text)).ok(), expected, "{text}");
    }
}

#[test]
fn senseless_values_are_told() {
    type Change = fn(&mut Asked);
    let cases: [(Change, &str); 14] = [
        (|asked| asked.command.clear(), "no command given"),
        (|asked| asked.command = vec!["".into()], "no command given"),
        (|asked| asked.command = vec!["/".into()], "cannot make a file name"),
        (|asked| asked.command = vec!["a\nb".into()], "cannot be a name"),
        (|asked| asked.level = Some(0), "levels 1 to 22"),
        (|asked| asked.level = Some(23), "levels 1 to 22"),
        (|asked| asked.block_size = Some("3M".into()), "no block of a squashfs"),
        (|asked| asked.name = Some(String::new()), "cannot be a name"),
        (|asked| asked.env = vec!["A".into()], "not NAME=VALUE"),
        (|asked| asked.env = vec!["=A".into()], "not NAME=VALUE"),
        (|asked| asked.workdir = Some("srv".into()), "not an absolute path"),
        (
            |asked| asked.workdir = Some("/srv/..".into()),
            "not an absolute path without ..",
        ),
        (|asked| asked.include = vec!["usr/**".into()], "not an absolute path"),
        (|asked| asked.exclude = vec!["/[".into()], "/["),
    ];
    for (change, expected) in cases {
        let mut given = asked(&["top"]);
        change(&mut given);
        let error = given.resolve().expect_err("senseless");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn words_that_are_not_utf8_are_told() {
    use std::os::unix::ffi::OsStringExt;
    let mut given = asked(&["top"]);
    given.command.push(OsString::from_vec(vec![b'a', 0xff]));
    let error = given.resolve().expect_err("not UTF-8");
    assert_eq!(error.to_string(), "argument: a\u{fffd}: not UTF-8");
}

#[test]
fn entry_points_are_names_and_programs() {
    let resolved = |values: &[&str]| {
        let asked = Asked {
            entry_points: values.iter().map(OsString::from).collect(),
            ..asked(&["top"])
        };
        let requests = asked.resolve().map(|options| options.request.entry_points);
        requests.map(|requests| {
            requests
                .into_iter()
                .map(|one| (one.name, one.program))
                .collect::<Vec<_>>()
        })
    };
    let expected = [("a", "/x=y"), ("b c", "z")].map(|(name, program)| (name.to_owned(), program.into()));
    assert_eq!(resolved(&["b c=z", "a=/x=y"]), Ok(expected.to_vec()));
    for value in ["", "=", "a", "a=", "=a", "-a=b", ".=b", "..=b", "a/b=c", "a\t=b"] {
        let error = OptionsError::EntryPoint {
            value: value.to_owned(),
        };
        assert_eq!(resolved(&["ok=x", value]), Err(error), "{value}");
    }
    let twice = OptionsError::EntryPointTwice { name: "a".to_owned() };
    assert_eq!(resolved(&["a=x", "b=y", "a=x"]), Err(twice));
}
