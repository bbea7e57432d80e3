use super::*;
use crate::manifest::encode_hex;

fn built(paths: impl IntoIterator<Item = String>) -> Vec<u8> {
    let mut builder = Builder::new([7; SALT_LENGTH]);
    for path in paths {
        builder.insert(Member::Path(path.as_bytes()));
    }
    builder.finish().expect("short enough")
}

fn numbered(range: std::ops::Range<u32>) -> impl DoubleEndedIterator<Item = String> {
    range.map(|number| format!("/usr/share/doc/package{number}/copyright"))
}

#[test]
fn all_that_was_put_in_is_in_it() {
    for count in [0, 1, 2, 1000] {
        let section = built(numbered(0..count));
        let set = PathSet::parse(&section).expect("a set");
        assert_eq!(set.count(), count);
        for path in numbered(0..count) {
            assert!(set.contains(Member::Path(path.as_bytes())), "{path}");
        }
        assert!(!set.contains(Member::Path(b"/usr/share/doc")));
        assert_eq!(section, built(numbered(0..count).rev()), "whatever the order");
    }
}

#[test]
fn links_are_no_paths() {
    let mut builder = Builder::new([0; SALT_LENGTH]);
    builder.insert(Member::Path(b"/bin"));
    builder.insert(Member::Link(b"/bin"));
    builder.insert(Member::Path(b"/usr"));
    let set = PathSet::parse(&builder.finish().unwrap()).unwrap();
    assert!(set.contains(Member::Link(b"/bin")) && set.contains(Member::Path(b"/bin")));
    assert!(!set.contains(Member::Link(b"/usr")) && set.contains(Member::Path(b"/usr")));
}

#[test]
fn hundred_thousand_paths_take_less_than_300_kib_and_few_strangers_seem_to_be_among_them() {
    let section = built(numbered(0..100_000));
    assert!(section.len() < 300 << 10, "{} bytes", section.len());
    let bits = (section.len() - HEADER_LENGTH) as u64 * 8;
    assert!(bits < 100_000 * 217 / 10, "{bits} bits");
    let set = PathSet::parse(&section).unwrap();
    // One in 2^20 on average: of 400,000, five are less likely than one in ten thousand.
    let strangers = numbered(100_000..500_000).filter(|path| set.contains(Member::Path(path.as_bytes())));
    assert!(strangers.count() < 5);
}

#[test]
fn salts_make_sets_different() {
    let section = |salt| {
        let mut builder = Builder::new([salt; SALT_LENGTH]);
        builder.insert(Member::Path(b"/etc/passwd"));
        builder.insert(Member::Path(b"/etc/group"));
        builder.finish().unwrap()
    };
    assert_ne!(section(1)[HEADER_LENGTH..], section(2)[HEADER_LENGTH..]);
}

#[test]
fn sections_that_are_no_sets() {
    let good = built(numbered(0..5));
    assert!(PathSet::parse(&good).is_some());
    for length in 0..good.len() {
        assert!(PathSet::parse(&good[..length]).is_none(), "cut to {length} bytes");
    }
    let changed = |place: usize, value: u8| {
        let mut section = good.clone();
        section[place] = value;
        section
    };
    for (section, what) in [
        ([good.as_slice(), &[0]].concat(), "a byte too many"),
        ([good.as_slice(), &[0xff]].concat(), "more bits"),
        (changed(16, 4), "fewer than there are"),
        (changed(16, 6), "more than there are"),
        (changed(19, 0xff), "far more"),
        (changed(20, 15), "a parameter that says little"),
        (changed(20, 33), "a parameter beyond what fits"),
        (changed(24, 0xff), "a number above the range"),
    ] {
        assert!(PathSet::parse(&section).is_none(), "{what}");
    }
}

#[test]
fn a_byte_of_padding_is_too_much_wherever_the_code_ends() {
    for count in 0..64 {
        let mut section = built(numbered(0..count));
        assert!(PathSet::parse(&section).is_some(), "{count}");
        section.push(0);
        assert!(PathSet::parse(&section).is_none(), "{count}");
    }
}

#[test]
fn only_what_has_the_digest_is_read() {
    let section = built(numbered(0..10));
    let mut record = SectionRecord {
        offset: 3,
        length: section.len() as u64,
        sha256: encode_hex(&Sha256::digest(&section)),
    };
    let mut file = [b"abc", section.as_slice()].concat();
    assert_eq!(PathSet::read(&file, &record).unwrap().count(), 10);
    file[20] ^= 1;
    let error = PathSet::read(&file, &record).unwrap_err();
    assert!(error.is_tampering() && error.hint().is_some(), "{error}");
    record.length = 1000;
    let error = PathSet::read(&file, &record).unwrap_err();
    assert!(
        matches!(error, PathSetError::Section(_)) && !error.is_tampering(),
        "{error}"
    );
}

#[test]
fn whatever_the_bytes_there_is_an_answer() {
    let good = built(numbered(0..50));
    let mut state: u64 = 1;
    let mut random = move || {
        // Knuth's, MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap()
    };
    let mut sets = 0;
    for _ in 0..20_000 {
        let mut section = good.clone();
        for _ in 0..=random() % 3 {
            let place = SALT_LENGTH + random() % (section.len() - SALT_LENGTH);
            section[place] = u8::try_from(random() % 256).unwrap();
        }
        section.truncate(section.len() - random() % 3);
        if let Some(set) = PathSet::parse(&section) {
            sets += 1;
            assert!(set.values.is_sorted() && set.values.len() <= 50);
            let _answer = set.contains(Member::Path(b"/x"));
        }
    }
    assert!(sets > 0, "some changes are of the numbers only");
}
