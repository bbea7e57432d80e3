use super::*;
use crate::inventory::PackageRecord;
use crate::listing::tests::{image, plan};
use crate::plan::{Node, Plan};
use crate::rootfs::RootPath;

const MANIFEST: &str = r#"{"name":"a","stub":{"length":1,"sha256":"00"},"image":{"offset":1},"hashTree":{"salt":"1"},
    "process":{"args":["a"],"cwd":"/"},"isolation":{"contain":false},"packages":{"offset":1,"length":2,"sha256":"00"}}"#;

/// Compares two plans with these manifests.
fn difference(a: (&Plan, &str), b: (&Plan, &str)) -> Difference {
    let images = [a.0, b.0].map(image);
    let listings: Vec<Listing> = images
        .iter()
        .map(|image| Listing::read(image, 100).expect("listed"))
        .collect();
    let side = |number: usize, manifest: &'static str, digest: &'static str| Side {
        manifest_bytes: manifest.as_bytes(),
        image_digest: (digest, ""),
        image: &images[number],
        listing: &listings[number],
        inventory: None,
        signers: vec!["one".to_owned(), digest.to_owned()],
        sizes: vec![("file", 10), ("image", number as u64)],
    };
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    Difference::between(&side(0, leak(a.1), "x"), &side(1, leak(b.1), "y"), &mut |_| ()).expect("compared")
}

fn fields(changes: &[FieldChange]) -> Vec<&str> {
    changes.iter().map(|change| change.field.as_str()).collect()
}

#[test]
fn files_are_compared_path_by_path() {
    let old = [
        ("/a", "same"),
        ("/b", "one"),
        ("/c", "-> x"),
        ("/d", "gone"),
        ("/e", "longer than it was"),
        ("/f", "a file"),
        ("/g", ""),
        ("/h", "x"),
    ];
    let new = [
        ("/a", "same"),
        ("/b", "two"),
        ("/c", "-> y"),
        ("/e", "short"),
        ("/f", "-> a link"),
        ("/g", ""),
        ("/g/new", "new"),
        ("/h", "x"),
    ];
    let mut new = plan(&new);
    let changed = new.entries.get_mut(&RootPath::new("/g")).expect("there");
    (changed.mode, changed.uid) = (0o700, 7);
    new.entries.get_mut(&RootPath::new("/h")).expect("there").mtime = 99;
    let found = difference((&plan(&old), MANIFEST), (&new, MANIFEST));
    let paths = |files: &[FileDescription]| files.iter().map(|file| file.path.to_string()).collect::<Vec<_>>();
    assert_eq!(paths(&found.files.added), ["/g/new"]);
    assert_eq!(paths(&found.files.removed), ["/d"]);
    let changed: Vec<(String, &[FilePart])> = found
        .files
        .changed
        .iter()
        .map(|change| (change.path.to_string(), change.parts.as_slice()))
        .collect();
    let expected: [(&str, &[FilePart]); 6] = [
        ("/b", &[FilePart::Content]),
        ("/c", &[FilePart::Target]),
        ("/e", &[FilePart::Content]),
        ("/f", &[FilePart::Kind]),
        ("/g", &[FilePart::Mode, FilePart::Owner]),
        ("/h", &[FilePart::Time]),
    ];
    assert_eq!(changed, expected.map(|(path, parts)| (path.to_owned(), parts)));
    assert!(!found.stored_otherwise);
    assert_eq!(found.signers.added, ["y"]);
    assert_eq!(found.signers.removed, ["x"]);
    assert_eq!(found.sizes.len(), 1);
}

#[test]
fn a_byte_is_found_wherever_it_is() {
    let long = |at: usize| {
        let mut contents = vec![b'x'; 3 << 20];
        contents[at] = b'y';
        let mut plan = plan(&[("/a", "x")]);
        plan.entries.get_mut(&RootPath::new("/a")).expect("there").node = Node::Synthetic { contents };
        plan
    };
    let first = long(0);
    for at in [1, (1 << 20) - 1, 1 << 20, (3 << 20) - 1] {
        let found = difference((&first, MANIFEST), (&long(at), MANIFEST));
        assert_eq!(found.files.changed.len(), 1, "{at}");
    }
    let found = difference((&first, MANIFEST), (&first, MANIFEST));
    assert!(
        found.files.is_empty() && found.stored_otherwise,
        "another digest of the same files"
    );
}

#[test]
fn every_field_of_the_manifest_counts() {
    let new = r#"{"name":"b","stub":{"length":2,"sha256":"11"},"image":{"offset":2},"hashTree":{"salt":"2"},
        "process":{"args":["a","b"]},"isolation":{"contain":true,"tomorrow":{"door":["open"]}},"capabilities":["all"]}"#;
    let empty = plan(&[]);
    let found = difference((&empty, MANIFEST), (&empty, new));
    assert_eq!(fields(&found.about), ["name", "packages", "stub.sha256"]);
    assert_eq!(fields(&found.start), ["process.args", "process.cwd"]);
    assert_eq!(
        fields(&found.permissions),
        ["capabilities", "isolation.contain", "isolation.tomorrow.door"]
    );
    assert_eq!((&found.start[1].a, &found.start[1].b), (&Some("/".into()), &None));
}

#[test]
fn packages_are_compared_by_name_and_architecture() {
    let inventory = |packages: &[(&str, &str, &str)]| {
        let record = |(name, architecture, version): &(&str, &str, &str)| PackageRecord {
            name: (*name).to_owned(),
            architecture: (*architecture).to_owned(),
            version: (*version).to_owned(),
            ..PackageRecord::default()
        };
        Inventory {
            packages: packages.iter().map(record).collect(),
            ..Inventory::default()
        }
    };
    let a = inventory(&[("libc6", "amd64", "1"), ("libc6", "i386", "1"), ("old", "all", "3")]);
    let b = inventory(&[("libc6", "amd64", "2"), ("libc6", "i386", "1"), ("new", "all", "4")]);
    let found = packages::compare(Some(&a), Some(&b));
    assert_eq!(
        found
            .changed
            .iter()
            .map(|change| (change.name.as_str(), change.a.as_str(), change.b.as_str()))
            .collect::<Vec<_>>(),
        [("libc6", "1", "2")]
    );
    assert_eq!(
        (found.added[0].name.as_str(), found.removed[0].name.as_str()),
        ("new", "old")
    );
    assert!(packages::compare(Some(&a), Some(&a)).is_empty());
    assert_eq!(packages::compare(None, Some(&b)).added.len(), 3);
}
