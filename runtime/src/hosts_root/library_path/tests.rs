use super::*;
use crate::hosts_root::launch::tests::tree;

#[test]
fn libraries_are_looked_for_in_the_tree_only() {
    let scratch = tree();
    let tree = ImageTree(scratch.path());
    let inside = |path: &str| scratch.path().join(path);
    let loader = Path::new("/usr/lib/ld-musl.so.1");
    let usual = ["opt/app/lib", "usr/lib/x", "usr/bin", "usr/lib"];
    for (search_path, named, strays) in [
        (&b""[..], &[][..], false),
        (b"$ORIGIN", &["usr/bin"], false),
        (b"$ORIGIN/../lib/x/:${ORIGIN}/nowhere", &["usr/lib/x"], false),
        (b"$ORIGIN/../$LIB", &["usr/lib"], false),
        // Up to the host's, by itself and by a link.
        (b"$ORIGIN/../../../../../../opt/app", &["opt/app"], true),
        (b"$ORIGIN/../../bin", &["usr/bin"], true),
        // Nobody has made that yet.
        (b"$ORIGIN/../../../../../nowhere", &[], true),
        (b"$ORIGIN/nowhere/../../../../../tmp", &[], true),
        (b"$ORIGIN/../../bin/nowhere", &[], true),
        (b"$ORIGIN/gone", &[], true),
        (b"$ORIGIN/nowhere/nor/here", &[], false),
        (b"/opt/app:/etc/../opt/app", &["opt/app"], true),
        (b"/nowhere", &[], true),
        (b"lib", &[], true),
        (b"$ORIGIN:", &["usr/bin"], true),
        (b"$ORIGINAL/x", &[], true),
        (b"/opt/app:$ORIGIN", &["opt/app", "usr/bin"], true),
    ] {
        let facts = ElfFacts {
            interpreter: None,
            search_path: search_path.to_vec(),
            needed: vec![b"liby.so".to_vec()],
        };
        let found = tree.search(loader, &inside("usr/lib/ld-musl.so.1"), &inside("usr/bin/real"), facts);
        let mut expected: Vec<PathBuf> = named.iter().map(|path| inside(path)).collect();
        expected.extend(
            usual
                .iter()
                .filter(|path| !named.contains(path))
                .map(|path| inside(path)),
        );
        let text = String::from_utf8_lossy(search_path);
        assert_eq!(
            std::env::split_paths(&found.path).collect::<Vec<_>>(),
            expected,
            "{text}"
        );
        // The program has no name.
        assert_eq!(found.inhibited, strays.then(OsString::new), "{text}");
    }
}

#[test]
fn a_library_that_cannot_be_read_is_not_heeded() {
    let scratch = tree();
    // read(2) fails.
    let library = scratch.path().join("usr/lib/liby.so");
    fs::create_dir(&library).unwrap();
    let facts = ElfFacts {
        needed: vec![b"liby.so".to_vec()],
        ..ElfFacts::default()
    };
    let loader = scratch.path().join("usr/lib/ld-musl.so.1");
    let program = scratch.path().join("usr/bin/real");
    let found = ImageTree(scratch.path()).search(Path::new("/usr/lib/ld-musl.so.1"), &loader, &program, facts);
    assert_eq!(found.inhibited, Some(library.into_os_string()));
}
