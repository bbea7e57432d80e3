use super::*;

fn valid() -> Manifest {
    let digest = "0123456789abcdef".repeat(4);
    Manifest {
        format_version: 1,
        name: "top".to_owned(),
        architecture: "x86_64".to_owned(),
        created: 1,
        generator: "polecat 0.1.0".to_owned(),
        stub: StubRecord {
            length: 132,
            sha256: digest.clone(),
        },
        image: ImageRecord {
            offset: 16384,
            length: 8192,
            entries: 3,
            unpacked_size: 14,
        },
        hash_tree: HashTreeRecord {
            offset: 24576,
            length: 4096,
            salt: digest.clone(),
            root_digest: digest,
        },
        process: Process {
            path: "/usr/bin/top".to_owned(),
            args: vec!["top".to_owned()],
            env: vec!["PATH=/usr/bin".to_owned()],
            cwd: Some("/".to_owned()),
        },
        isolation: Isolation {
            seccomp: None,
            contain: true,
            options: Vec::new(),
        },
        entry_points: Vec::new(),
        packages: None,
        reasons: None,
        paths: None,
        requires: Vec::new(),
    }
}

#[test]
fn bytes_and_back() {
    let bytes = valid().to_bytes().unwrap();
    assert_eq!(Manifest::parse(&bytes).unwrap(), valid());
    assert_eq!(bytes, valid().to_bytes().unwrap());
    assert!(bytes.starts_with(b"{\n  \"formatVersion\": 1,\n  \"name\": \"top\",\n") && bytes.ends_with(b"\n}\n"));
}

#[test]
fn unknown_fields_are_ignored_and_optional_ones_may_be_missing() {
    let text = String::from_utf8(valid().to_bytes().unwrap()).unwrap();
    let changed = text.replace("\"created\"", "\"weather\": {\"wind\": [1]}, \"created\"");
    assert_eq!(Manifest::parse(changed.as_bytes()).unwrap(), valid());
    let without = text
        .replace(",\n    \"cwd\": \"/\"", "")
        .replace("\"contain\": true", "");
    let manifest = Manifest::parse(without.as_bytes()).unwrap();
    assert_eq!((manifest.process.cwd, manifest.isolation.contain), (None, false));
}

/// The values of an object, as a list in the order of its fields.
fn as_list(value: &serde_json::Value) -> serde_json::Value {
    let object = value.as_object().unwrap();
    serde_json::Value::Array(object.values().cloned().collect())
}

#[test]
fn lists_are_no_objects() {
    let bytes = valid().to_bytes().unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let mut spellings = vec![as_list(&whole)];
    for name in ["stub", "image", "hashTree", "process", "isolation"] {
        let mut other = whole.clone();
        other[name] = as_list(&whole[name]);
        spellings.push(other);
    }
    for spelling in spellings {
        let error = Manifest::parse(spelling.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains("expected an object"), "{error}");
    }
    for behind in [&b"{}"[..], b"x", b"\0"] {
        assert!(
            Manifest::parse(&[&bytes, behind].concat()).is_err(),
            "{}",
            behind.escape_ascii()
        );
    }
}

#[test]
fn capacity_is_never_too_small() {
    let manifest = valid();
    let capacity = manifest.capacity().unwrap();
    let mut filled = manifest;
    filled.image = ImageRecord {
        offset: 1 << 51,
        length: 1 << 52,
        entries: u64::MAX,
        unpacked_size: u64::MAX,
    };
    filled.stub.length = u64::MAX;
    assert!(filled.encode().unwrap().len() as u64 <= capacity);
}

#[test]
fn too_long() {
    let mut manifest = valid();
    manifest.process.args.push("x".repeat(1 << 20));
    assert!(matches!(manifest.to_bytes(), Err(ManifestError::TooLong { .. })));
    assert!(matches!(manifest.capacity(), Err(ManifestError::TooLong { .. })));
}

fn point(name: &str, path: &str) -> EntryPoint {
    EntryPoint {
        name: name.to_owned(),
        path: path.to_owned(),
    }
}

#[test]
fn entry_points_are_started_by_their_names() {
    let mut manifest = valid();
    assert!(
        !String::from_utf8(manifest.to_bytes().unwrap())
            .unwrap()
            .contains("entryPoints")
    );
    manifest.entry_points = vec![point("git", "/usr/bin/git"), point("git foo", "/bin/busybox")];
    let manifest = Manifest::parse(&manifest.to_bytes().unwrap()).unwrap();
    let process = manifest.entry("git foo").unwrap();
    assert_eq!(
        (process.path.as_str(), process.args),
        ("/bin/busybox", vec!["git foo".to_owned()])
    );
    assert_eq!(
        (process.env, process.cwd),
        (manifest.process.env.clone(), manifest.process.cwd.clone())
    );
    for unknown in ["top", "", "gi", "git "] {
        assert_eq!(manifest.entry(unknown), None, "{unknown}");
    }
    let list = serde_json::to_string(&manifest).unwrap();
    let list = list.replace(r#"{"name":"git","path":"/usr/bin/git"}"#, r#"["git","/usr/bin/git"]"#);
    let error = Manifest::parse(list.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("expected an object"), "{error}");
}

type Change = fn(&mut Manifest);

#[test]
fn values_that_may_be() {
    let changes: [Change; 9] = [
        |m| m.hash_tree.salt.clear(),
        |m| m.hash_tree.salt = "ff".to_owned(),
        |m| (m.image.length, m.hash_tree.offset, m.hash_tree.length) = (4096, 20480, 0),
        |m| m.process.cwd = Some("/a b/ü".to_owned()),
        |m| m.process.args.push(String::new()),
        |m| m.process.args.push("line\nline\ttab".to_owned()),
        |m| m.process.env.push("EMPTY=".to_owned()),
        |m| m.process.env.push("EQUALS=a=b".to_owned()),
        |m| m.entry_points = vec![point("[", "/a"), point("a b", "/b c"), point("ü", "/a")],
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut manifest = valid();
        change(&mut manifest);
        manifest
            .validate()
            .unwrap_or_else(|error| panic!("case {index}: {error}"));
    }
}

#[test]
fn values_that_may_not_be() {
    let changes: [(Change, &str); 44] = [
        (|m| m.format_version = 0, "formatVersion"),
        (|m| m.format_version = 2, "formatVersion"),
        (|m| m.name.clear(), "name"),
        (|m| m.name = "a\u{1b}[2J".to_owned(), "name"),
        (|m| m.name = "a\u{9b}2J".to_owned(), "name"),
        (|m| m.name = "x".repeat(256), "name"),
        (|m| m.architecture.push('\n'), "architecture"),
        (|m| m.generator.clear(), "generator"),
        (|m| m.stub.length = 0, "stub.length"),
        (|m| m.stub.sha256.clear(), "stub.sha256"),
        (|m| m.stub.sha256.make_ascii_uppercase(), "stub.sha256"),
        (|m| m.stub.sha256.push_str("00"), "stub.sha256"),
        (|m| m.hash_tree.root_digest = "g".repeat(64), "hashTree.rootDigest"),
        (|m| m.hash_tree.root_digest = "é".repeat(32), "hashTree.rootDigest"),
        (|m| m.hash_tree.salt = "0".to_owned(), "hashTree.salt"),
        (|m| m.hash_tree.salt = "00".repeat(33), "hashTree.salt"),
        (|m| m.image.offset += 1, "image.offset"),
        (|m| m.image.offset = u64::MAX - 4095, "hashTree.offset"),
        (|m| m.image.length -= 1, "image.length"),
        (|m| (m.image.length, m.hash_tree.offset) = (0, 16384), "image.length"),
        (|m| m.hash_tree.offset += 4096, "hashTree.offset"),
        (|m| m.hash_tree.length = 0, "hashTree.length"),
        (|m| m.hash_tree.length = 8192, "hashTree.length"),
        (|m| m.process.path = "top".to_owned(), "process.path"),
        (|m| m.process.path = "/".to_owned(), "process.path"),
        (|m| m.process.path = "/usr//top".to_owned(), "process.path"),
        (|m| m.process.path = "/usr/../top".to_owned(), "process.path"),
        (|m| m.process.path = "/top\0".to_owned(), "process.path"),
        (|m| m.process.args.clear(), "process.args"),
        (|m| m.process.args.push("a\0".to_owned()), "process.args"),
        (|m| m.process.env.push("NAME".to_owned()), "process.env"),
        (|m| m.process.cwd = Some("./".to_owned()), "process.cwd"),
        (|m| m.entry_points = vec![point("", "/a")], "entryPoints.name"),
        (|m| m.entry_points = vec![point(".", "/a")], "entryPoints.name"),
        (|m| m.entry_points = vec![point("..", "/a")], "entryPoints.name"),
        (|m| m.entry_points = vec![point("-a", "/a")], "entryPoints.name"),
        (|m| m.entry_points = vec![point("a/b", "/a")], "entryPoints.name"),
        (|m| m.entry_points = vec![point("a\0", "/a")], "entryPoints.name"),
        (|m| m.entry_points = vec![point("a\u{9b}", "/a")], "entryPoints.name"),
        (
            |m| m.entry_points = vec![point(&"x".repeat(256), "/a")],
            "entryPoints.name",
        ),
        (|m| m.entry_points = vec![point("a", "/")], "entryPoints.path"),
        (|m| m.entry_points = vec![point("a", "bin/a")], "entryPoints.path"),
        (
            |m| m.entry_points = vec![point("a", "/a"), point("a", "/b")],
            "entryPoints",
        ),
        (
            |m| m.entry_points = vec![point("b", "/a"), point("a", "/b")],
            "entryPoints",
        ),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let mut manifest = valid();
        change(&mut manifest);
        match manifest.validate() {
            Err(ManifestError::Value { field, .. }) => assert_eq!(field, expected, "case {index}"),
            other => panic!("case {index}, {expected}: {other:?}"),
        }
        assert!(manifest.to_bytes().is_err(), "case {index} was written");
    }
}

#[test]
fn requirements_are_refused_by_name() {
    let mut manifest = valid();
    manifest.requires.push("telepathy".to_owned());
    let refused = manifest.validate().unwrap_err();
    assert!(
        matches!(&refused, ManifestError::Requires { name } if name == "telepathy"),
        "{refused}"
    );
}
