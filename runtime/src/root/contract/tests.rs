//! The table, row by row.

use super::*;
use crate::root::tests::survey;

pub(super) fn chosen(words: &[&str]) -> Contract {
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
        ("nsswitch", Bundled, "bundled merged host"),
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
pub(super) fn surveyed(contract: &Contract, offer: &Offer, held: &[(&str, Standing)]) -> Survey {
    let mut questions = Questions::default();
    ask(contract, offer, &mut questions);
    let parents = held.iter().filter_map(|(path, _)| Path::new(path).parent()?.to_str());
    let mut all: Vec<(&str, Standing)> = held.to_vec();
    all.extend(parents.map(|path| (path, Standing::Directory)));
    survey(
        &[questions.directories, questions.targets, vec!["/etc".into()]].concat(),
        &all,
    )
}

fn arranged(contract: &Contract, offer: &Offer, survey: &Survey) -> (Vec<Entry>, Vec<Op>) {
    let (mut layer, mut mounts) = (Vec::new(), Vec::new());
    arrange(contract, offer, survey, &mut layer, &mut mounts);
    (layer, mounts)
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
        let (entries, _) = arranged(&contract, &offer, &surveyed(&contract, &offer, held));
        let expected = added.then(|| Entry::File {
            path: place.into(),
            contents: b"compiled".to_vec(),
        });
        assert_eq!(entries, Vec::from_iter(expected), "{words:?} {held:?}");
    }
}

#[test]
fn services_are_the_hosts_as_far_as_the_image_has_them() {
    let offer = Offer {
        nsswitch: Some(b"passwd: files sss\nhosts: nis dns\n".to_vec()),
        ..Offer::default()
    };
    let known: [&[&str]; 2] = [&[], &["nis"]];
    for (word, asked, modules, expected) in [
        ("nsswitch=host", false, known[0], "passwd: files\nhosts: dns\n"),
        (
            "nsswitch=merged",
            true,
            known[0],
            "passwd: files\nhosts: dns\nrpc: db\n",
        ),
        (
            "nsswitch=merged",
            true,
            known[1],
            "passwd: files\nhosts: nis dns\nrpc: db\n",
        ),
    ] {
        let contract = chosen(&[word]);
        let mut questions = Questions::default();
        ask(&contract, &offer, &mut questions);
        assert_eq!(questions.nsswitch, asked, "{word}");
        let survey = Survey {
            nsswitch: asked.then(|| b"rpc: db\n".to_vec()),
            modules: modules.iter().map(|name| name.as_bytes().to_vec()).collect(),
            ..surveyed(&contract, &offer, &[])
        };
        let expected = file(NSSWITCH.into(), expected.as_bytes());
        assert_eq!(arranged(&contract, &offer, &survey).0, [expected], "{word}");
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
        let whole = surveyed(&contract, &offer, &[(LOCALE, standing)]);
        let linked = surveyed(&contract, &offer, &[(LOCALE, standing), ("/etc", Standing::Other)]);
        let (entries, steps) = arranged(&contract, &offer, &whole);
        assert_eq!((entries.len(), steps.len()), (1, bound), "{standing:?}");
        assert_eq!(arranged(&contract, &offer, &linked).0, []);
    }
}
