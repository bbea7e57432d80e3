use super::*;

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[test]
fn later_words_win() {
    let mut options = Options::read(["contain", "hostname=a", "env=A=1"]).unwrap();
    assert!(options.contain);
    options
        .extend(["contain=no", "hostname=b.c", "env=B=2=3"], PREFIX)
        .unwrap();
    let expected = Options {
        hostname: Some("b.c".into()),
        env: vec!["A=1".into(), "B=2=3".into()],
        ..Options::default()
    };
    assert_eq!(options, expected);
}

#[test]
fn words_that_mean_nothing() {
    for (word, told) in [
        ("", ": no option"),
        ("Contain", "Contain: no option"),
        ("contain=maybe", "contain=maybe: expected yes or no"),
        ("contain=", "contain=: expected yes or no"),
        ("hostname", "hostname: the option wants a value"),
        ("hostname=", "expected 1 to 64"),
        ("hostname=a b", "expected 1 to 64"),
        ("hostname=-a", "expected 1 to 64"),
        ("workdir=x", "expected an absolute path"),
        ("workdir=/a/../b", "expected an absolute path"),
        ("env==x", "expected NAME=VALUE"),
        ("env=x", "expected NAME=VALUE"),
        ("keep=-1", "expected seconds"),
        ("keep=1000001", "expected seconds"),
        ("keep=1h", "expected seconds"),
    ] {
        let fault = Options::read([word]).unwrap_err();
        assert!(fault.to_string().contains(told), "{word}: {fault}");
    }
}

#[test]
fn ours_end_at_the_first_without_the_prefix() {
    let cases: [(&[&str], &[&str], &[&str]); 8] = [
        (&[], &[], &[]),
        (&["x", "--polecat-contain"], &[], &["x", "--polecat-contain"]),
        (&["--", "--polecat-contain"], &[], &["--", "--polecat-contain"]),
        (
            &["--polecat-contain", "x", "--polecat-y"],
            &["contain"],
            &["x", "--polecat-y"],
        ),
        (&["--polecat-contain", "--", "--", "x"], &["contain"], &["--", "x"]),
        (
            &["--polecat-hostname=a", "--polecat-hostname", "b", "c"],
            &["hostname=a", "hostname=b"],
            &["c"],
        ),
        (
            &["--polecat-hostname", "--polecat-x", "-y"],
            &["hostname=--polecat-x"],
            &["-y"],
        ),
        (&["--polecat-hostname", "--", "--"], &["hostname=--"], &[]),
    ];
    let takes_value = |name: &OsStr| Flag::named(name).is_some_and(|flag| flag.value.is_some());
    for (arguments, ours, rest) in cases {
        let taken = take_prefixed(words(arguments), takes_value).unwrap();
        assert_eq!(taken, (words(ours), words(rest)), "{arguments:?}");
    }
    let fault = take_prefixed(words(&["--polecat-hostname"]), takes_value).unwrap_err();
    assert!(matches!(fault, OptionFault::NoValue { .. }));
}

#[test]
fn what_needs_a_root_of_its_own() {
    for (word, needed) in [
        ("strict", Some("strict")),
        ("contain", Some("contain")),
        ("persist=/srv/kept", Some("persist")),
        ("read-only", Some("read-only")),
        ("net=none", Some("net=none")),
        ("unshare=cgroup", Some("unshare")),
        ("unshare=time", Some("unshare")),
        ("user=1000", Some("user")),
        ("bind=/srv:/mnt", Some("bind")),
        ("bind=/srv::ro", Some("bind")),
        ("bind=/srv", None),
        ("bind=/srv:/srv", None),
        ("net=host", None),
        ("share=home,x11", None),
        ("hostname=a", None),
        ("memory=1G", None),
        ("seccomp=none", None),
    ] {
        let asks = Options::read([word]).unwrap().need_own_root();
        assert_eq!(asks.map(|name| name.split(',').next().unwrap()), needed, "{word}");
    }
}

#[test]
fn the_table_is_in_order() {
    for (index, flag) in FLAGS.iter().enumerate() {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(flag.name.bytes().all(is_name), "{}", flag.name);
        assert!(!flag.help.ends_with('.') && flag.help.len() < 110, "{}", flag.name);
        let same = |other: &Flag| other.name == flag.name;
        assert_eq!(FLAGS.iter().position(same), Some(index), "{}", flag.name);
    }
}
