use super::*;

const X86_64: Target = Target {
    class: Class::Elf64,
    encoding: Encoding::Little,
    machine: header::EM_X86_64,
};
const AARCH64: Target = Target {
    machine: header::EM_AARCH64,
    ..X86_64
};
const ARM: Target = Target {
    class: Class::Elf32,
    encoding: Encoding::Little,
    machine: header::EM_ARM,
};

/// Flags, name, path, and the index of a glibc-hwcaps name or the mask of the older scheme.
type Row = (u32, &'static str, &'static str, Option<Result<u32, u64>>);

/// Writes the new format as `ldconfig` does, starting at file offset `start`.
fn new_format(start: usize, rows: &[Row], hwcaps: &[&str]) -> Vec<u8> {
    let strings_at = NEW_HEADER + rows.len() * NEW_ENTRY;
    let mut strings = Vec::new();
    let mut add = |text: &str| {
        let offset = u32::try_from(strings_at + strings.len()).expect("small");
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
        offset
    };
    let mut entries = Vec::new();
    for (flags, name, path, hwcap) in rows {
        let hwcap = match hwcap {
            None => 0,
            Some(Ok(index)) => 1 << 62 | u64::from(*index),
            Some(Err(mask)) => *mask,
        };
        for word in [*flags, add(name), add(path), 0] {
            entries.extend_from_slice(&word.to_le_bytes());
        }
        entries.extend_from_slice(&hwcap.to_le_bytes());
    }
    let names: Vec<u32> = hwcaps
        .iter()
        .map(|name| add(name) + u32::try_from(start).expect("small"))
        .collect();
    let extension = (start + strings_at + strings.len()).next_multiple_of(4);
    let mut file = MAGIC_NEW.to_vec();
    for word in [rows.len(), strings.len(), 2, extension, 0, 0, 0] {
        file.extend_from_slice(&u32::try_from(word).expect("small").to_le_bytes());
    }
    file.extend(entries);
    file.extend(strings);
    file.resize(extension - start, 0);
    let size = u32::try_from(names.len() * 4).expect("small");
    let data = u32::try_from(extension + 24).expect("small");
    for word in [MAGIC_EXTENSION, 1, EXTENSION_HWCAPS, 0, data, size]
        .into_iter()
        .chain(names)
    {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file
}

fn old_format(rows: &[Row]) -> Vec<u8> {
    let mut file = MAGIC_OLD.to_vec();
    file.push(0);
    file.extend_from_slice(&u32::try_from(rows.len()).expect("small").to_le_bytes());
    let mut strings = Vec::new();
    for (flags, name, path, _) in rows {
        let mut words = vec![*flags];
        for text in [name, path] {
            words.push(u32::try_from(strings.len()).expect("small"));
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
        }
        words
            .iter()
            .for_each(|word| file.extend_from_slice(&word.to_le_bytes()));
    }
    file.extend(strings);
    file
}

fn levels(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

const ROWS: &[Row] = &[
    (0x303, "libh.so.1", "/lib/glibc-hwcaps/x86-64-v2/libh.so.1", Some(Ok(0))),
    (0x303, "libh.so.1", "/lib/glibc-hwcaps/x86-64-v3/libh.so.1", Some(Ok(1))),
    (0x303, "libh.so.1", "/lib/haswell/libh.so.1", Some(Err(1 << 50))),
    (0x303, "libh.so.1", "/lib/libh.so.1", None),
    (0x803, "libh.so.1", "/libx32/libh.so.1", None),
    (3, "libh.so.1", "/lib32/libh.so.1", None),
    (0xa03, "liba.so", "/arm64/liba.so", None),
    (3, "libm.so", "/armel/libm.so", None),
    (0x903, "libm.so", "/armhf/libm.so", None),
    (1, "libelf.so", "/old/libelf.so", None),
];

#[test]
fn lookup_respects_flags_and_processor() {
    let cache = Cache::parse(&new_format(0, ROWS, &["x86-64-v2", "x86-64-v3"]), Encoding::Little).expect("a cache");
    let all = ["x86-64-v4", "x86-64-v3", "x86-64-v2"];
    for (name, target, names, expected) in [
        (
            "libh.so.1",
            X86_64,
            &all[..],
            Some("/lib/glibc-hwcaps/x86-64-v3/libh.so.1"),
        ),
        (
            "libh.so.1",
            X86_64,
            &all[2..],
            Some("/lib/glibc-hwcaps/x86-64-v2/libh.so.1"),
        ),
        ("libh.so.1", X86_64, &[], Some("/lib/libh.so.1")),
        ("libh.so.1", AARCH64, &[], None),
        ("liba.so", AARCH64, &[], Some("/arm64/liba.so")),
        ("liba.so", X86_64, &all[..], None),
        ("libm.so", ARM, &[], Some("/armhf/libm.so")),
        ("libelf.so", X86_64, &[], Some("/old/libelf.so")),
        ("libelf.so", AARCH64, &[], None),
        ("libnone.so", X86_64, &[], None),
    ] {
        let found = cache.lookup(name.as_bytes(), target, &levels(names));
        assert_eq!(found, expected.map(str::as_bytes), "{name} {target} {names:?}");
    }
    assert!(cache.depends_on_processor(b"libh.so.1", X86_64));
    assert!(!cache.depends_on_processor(b"libelf.so", X86_64));
    assert_eq!(cache.alternatives(b"libh.so.1", X86_64).count(), 4);
}

#[test]
fn old_format_and_the_new_one_behind_it() {
    let old: &[Row] = &[(0x303, "libh.so.1", "/lib/old/libh.so.1", None)];
    let mut file = old_format(old);
    let alone = Cache::parse(&file, Encoding::Little).expect("a cache");
    assert_eq!(
        alone.lookup(b"libh.so.1", X86_64, &[]),
        Some(&b"/lib/old/libh.so.1"[..])
    );

    // Behind the entries of the old format, in place of its strings.
    let start = (OLD_HEADER + OLD_ENTRY).next_multiple_of(ALIGNMENT);
    file.truncate(OLD_HEADER + OLD_ENTRY);
    file.resize(start, 0);
    file.extend(new_format(start, ROWS, &["x86-64-v2", "x86-64-v3"]));
    let both = Cache::parse(&file, Encoding::Little).expect("a cache");
    let expected = &b"/lib/glibc-hwcaps/x86-64-v3/libh.so.1"[..];
    assert_eq!(
        both.lookup(b"libh.so.1", X86_64, &levels(&["x86-64-v3"])),
        Some(expected)
    );
}

#[test]
fn what_is_no_cache_is_none() {
    let good = new_format(0, ROWS, &["x86-64-v2"]);
    assert_eq!(Cache::parse(b"", Encoding::Little), None);
    assert_eq!(Cache::parse(b"glibc-ld.so.cache1.2", Encoding::Little), None);
    assert_eq!(Cache::parse(&good, Encoding::Big), None, "the other byte order");
    // Cut anywhere, or with any word changed: no panic, and no cache without all its entries.
    for length in 0..good.len() {
        let entries = NEW_HEADER + ROWS.len() * NEW_ENTRY;
        assert_eq!(
            Cache::parse(&good[..length], Encoding::Little).is_some(),
            length >= entries,
            "{length}"
        );
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        if let Some(cache) = Cache::parse(&bad, Encoding::Little) {
            cache.lookup(b"libh.so.1", X86_64, &levels(&["x86-64-v3"]));
        }
    }
}
