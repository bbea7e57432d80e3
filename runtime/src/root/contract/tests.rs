//! The table, row by row.

use super::*;
use crate::root::tests::survey;

fn chosen(words: &[&str]) -> Contract {
    let mut contract = Contract::default();
    for word in words {
        contract.choose(word).unwrap_or_else(|| panic!("{word}"));
    }
    contract
}

#[test]
fn what_everything_is_and_may_be() {
    let defaults = [
        ("resolv.conf", Host, "host bundled"),
        ("hosts", Host, "host bundled"),
        ("nsswitch", Bundled, "bundled host"),
        ("passwd", Merged, "merged host bundled"),
        ("localtime", Host, "host bundled"),
        ("ca", Merged, "merged host bundled"),
        ("terminfo", Merged, "merged host bundled"),
        ("locale", Bundled, "bundled host"),
        ("machine-id", Bundled, "bundled host"),
    ];
    assert_eq!(defaults.len(), TABLE.len());
    for (row, (name, default, origins)) in TABLE.iter().zip(defaults) {
        let may_be: Vec<&str> = row.origins.iter().map(|origin| origin.name()).collect();
        assert_eq!((row.name, may_be.join(" ").as_str()), (name, origins));
        assert_eq!(Contract::default().origin(row.item), default, "{name}");
        for origin in [Host, Bundled, Merged] {
            let mut contract = Contract::default();
            let result = contract.choose(&format!("{name}={origin}"));
            assert_eq!(result.is_some(), row.origins.contains(&origin), "{name}={origin}");
            assert_eq!(
                contract.origin(row.item),
                if result.is_some() { origin } else { default }
            );
        }
    }
}

#[test]
fn the_last_word_counts_and_nonsense_is_none() {
    let contract = chosen(&["ca=host", "ca=bundled", "hosts=bundled"]);
    assert_eq!(contract.origin(Item::Certificates), Bundled);
    assert_eq!(contract.origin(Item::ResolvConf), Host);
    for word in [
        "",
        "ca",
        "ca=",
        "=host",
        "CA=host",
        "ca=Host",
        "locale=merged",
        "ca=host=host",
        "/etc/hosts=host",
    ] {
        assert_eq!(Contract::default().choose(word), None, "{word}");
    }
}

/// An image that holds `held`, each in a directory, unless that is held as something else.
fn surveyed(contract: &Contract, offer: &Offer, held: &[(&str, Standing)]) -> Survey {
    let parents = held.iter().filter_map(|(path, _)| Path::new(path).parent()?.to_str());
    let mut all: Vec<(&str, Standing)> = held.to_vec();
    all.extend(parents.map(|path| (path, Standing::Directory)));
    survey(&questions(contract, offer), &all)
}

fn certificates() -> Offer {
    Offer {
        certificates: Some("/etc/pki/real.pem".into()),
        ..Offer::default()
    }
}

/// Paths of what is bound, and of links, in an image that holds `held`.
fn made(words: &[&str], held: &[(&str, Standing)]) -> (Vec<String>, usize) {
    let offer = certificates();
    let contract = chosen(words);
    let survey = surveyed(&contract, &offer, held);
    let entries = entries(&contract, &offer, &survey);
    let files: Vec<_> = entries
        .iter()
        .filter(|entry| matches!(entry, Entry::File { .. }))
        .collect();
    let steps = steps(&contract, &offer, &survey);
    assert_eq!(files.len(), steps.len(), "there is a file to mount each on");
    let bound = steps.iter().filter_map(|op| match op {
        Op::Bind(bind) => {
            assert_eq!((bind.kind, bind.optional), (BindKind::File, true));
            bind.path.to_str().map(str::to_owned)
        }
        _ => None,
    });
    let links = entries.iter().filter(|entry| matches!(entry, Entry::Link { .. }));
    (bound.collect(), links.count())
}

#[test]
fn certificates_of_the_host_where_the_image_has_none() {
    let [debian, fedora, ..] = CERTIFICATES;
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, Standing)], &'a [&'a str], usize);
    let cases: [Case<'_>; 7] = [
        (&[], &[], &[debian], ALIASES.len()),
        (
            &[],
            &[("/usr/lib/ssl/cert.pem", Standing::Other)],
            &[debian],
            ALIASES.len() - 1,
        ),
        (&[], &[(fedora, Standing::Other)], &[], 0),
        (&[], &[(debian, Standing::Other)], &[], 0),
        (&["ca=host"], &[(debian, Standing::Other)], &[debian], ALIASES.len()),
        (
            &["ca=host"],
            &[(debian, Standing::Other), ("/etc/ssl/certs", Standing::Other)],
            &[],
            0,
        ),
        (
            &["ca=host"],
            &[(fedora, Standing::Other)],
            &[fedora, debian],
            ALIASES.len() - 1,
        ),
    ];
    for (words, held, bound, links) in cases {
        assert_eq!(
            made(words, held),
            (bound.iter().map(ToString::to_string).collect(), links),
            "{words:?} {held:?}"
        );
    }
}

#[test]
fn a_terminal_is_described_where_the_image_cannot() {
    let offer = Offer {
        terminal: Some(("foot".into(), b"compiled".to_vec())),
        ..Offer::default()
    };
    let place = "/usr/share/terminfo/f/foot";
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, Standing)], bool);
    let cases: [Case<'_>; 7] = [
        (&[], &[], true),
        (&[], &[(place, Standing::Other)], false),
        (&[], &[("/etc/terminfo/f/foot", Standing::Other)], false),
        // A link in the way of /lib says nothing.
        (&[], &[("/lib/terminfo/f/foot", Standing::Other)], true),
        (&["terminfo=host"], &[(place, Standing::Other)], true),
        (
            &["terminfo=host"],
            &[(place, Standing::Other), ("/usr/share/terminfo/f", Standing::Other)],
            false,
        ),
        (&["terminfo=host"], &[("/etc/terminfo/f/foot", Standing::Other)], true),
    ];
    for (words, held, added) in cases {
        let contract = chosen(words);
        let entries = entries(&contract, &offer, &surveyed(&contract, &offer, held));
        let expected = added.then(|| Entry::File {
            path: place.into(),
            contents: b"compiled".to_vec(),
        });
        assert_eq!(entries, Vec::from_iter(expected), "{words:?} {held:?}");
    }
}

#[test]
fn services_that_need_no_library() {
    let cases = [
        ("passwd: files sss systemd\n", "passwd: files\n"),
        (
            "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
            "hosts: files dns\n",
        ),
        ("# a comment\n\nshadow:\tcompat # more\n", "shadow: files\n"),
        ("nonsense\n", ""),
    ];
    for (text, plain) in cases {
        assert_eq!(plain_services(text.as_bytes()), plain.as_bytes(), "{text}");
    }
}

#[test]
fn files_are_copied_and_locales_bound() {
    let offer = Offer {
        files: vec![("/etc/machine-id", b"0123\n".to_vec())],
        locale: Some("/usr/lib/locale".into()),
        ..Offer::default()
    };
    let contract = chosen(&["machine-id=host", "locale=host"]);
    for (standing, bound) in [(Standing::Missing, 1), (Standing::Directory, 1), (Standing::Other, 0)] {
        let asked = [questions(&contract, &offer), vec!["/etc".into()]].concat();
        let whole = survey(&asked, &[(LOCALE, standing)]);
        let linked = survey(&asked, &[(LOCALE, standing), ("/etc", Standing::Other)]);
        assert_eq!(entries(&contract, &offer, &whole).len(), 1);
        assert_eq!(entries(&contract, &offer, &linked), []);
        assert_eq!(steps(&contract, &offer, &whole).len(), bound, "{standing:?}");
    }
}
