use super::*;
use crate::section::SectionError;

fn sample() -> Inventory {
    Inventory {
        distribution: Distribution {
            id: Some("debian".to_owned()),
            version: None,
        },
        packages: vec![PackageRecord {
            ecosystem: "deb".to_owned(),
            name: "a".to_owned(),
            version: "1".to_owned(),
            depends: vec![0],
            files: vec!["/usr/bin/a".to_owned()],
            ..PackageRecord::default()
        }],
    }
}

fn compressed(json: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(json.len()));
    zstd_safe::compress(&mut bytes, json, 3).expect("compressed");
    bytes
}

#[test]
fn the_section_holds_the_inventory() {
    let bytes = sample().to_bytes().expect("encoded");
    assert_eq!(Inventory::parse(&bytes).expect("right"), sample());
    assert_eq!(bytes, sample().to_bytes().expect("encoded"));
}

#[test]
fn what_is_no_inventory_is_refused() {
    let mut huge = compressed(b"{}");
    // The frame's content size: a single segment's one byte becomes eight.
    huge.splice(4..6, [0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
    for (bytes, problem) in [
        (b"".to_vec(), "no zstd frame"),
        (b"nonsense".to_vec(), "no zstd frame"),
        (huge, "no zstd frame"),
        (compressed(b"[]"), "invalid"),
        (compressed(br#"{"packages":[{"name":"a"}]}"#), "missing field"),
        (
            compressed(br#"{"packages":[{"ecosystem":"deb","name":"a","version":"1","depends":[1],"files":[]}]}"#),
            "no package 1",
        ),
    ] {
        let error = Inventory::parse(&bytes).expect_err("refused").to_string();
        assert!(error.contains(problem), "{error}");
    }
    let later = br#"{"packages":[],"somethingNew":1}"#;
    assert_eq!(
        Inventory::parse(&compressed(later)).expect("right"),
        Inventory::default()
    );
}

#[test]
fn paths_are_text_without_loss() {
    for (path, text) in [
        (&b"/usr/bin/a"[..], "/usr/bin/a"),
        (b"/50%", "/50%25"),
        (b"/\xff\xc3\xbc", "/%FF\u{fc}"),
    ] {
        assert_eq!(path_text(path), text);
        assert_eq!(from_path_text(text), path);
    }
}

#[test]
fn the_golden_bundle_is_read_as_it_was() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/v1/packages.bundle");
    let mut bytes = std::fs::read(golden).expect("a bundle");
    let manifest =
        Manifest::parse(bundle::Bundle::read(&bytes).expect("a bundle").manifest_bytes()).expect("a manifest");
    let inventory = Inventory::read(&bytes, &manifest).expect("right").expect("there");
    assert_eq!(inventory.distribution.id.as_deref(), Some("debian"));
    let names: Vec<&str> = inventory.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["hello", "libc6"]);
    assert_eq!(inventory.packages[0].depends, [1]);
    assert_eq!(inventory.packages[1].source.as_deref(), Some("glibc"));

    // The section is covered by no signature but through its digest.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    bundle::Bundle::read(&bytes).expect("ignorable");
    let error = Inventory::read(&bytes, &manifest).expect_err("changed");
    assert!(error.is_tampering());
    bytes.truncate(last);
    assert!(matches!(
        Inventory::read(&bytes, &manifest),
        Err(InventoryError::Section(SectionError::Read(_)))
    ));
    let without = Manifest {
        packages: None,
        paths: None,
        ..manifest
    };
    assert!(Inventory::read(&bytes, &without).expect("right").is_none());
}
