use super::*;
use crate::plan::{Entry, Node};

fn reason(kind: ReasonKind, by: Option<&str>, detail: &str) -> Reason {
    Reason {
        kind,
        by: by.map(RootPath::new),
        detail: detail.to_owned(),
    }
}

fn plan(reasons: &[(&str, Reason)]) -> Plan {
    let entry = |reason: &Reason| Entry {
        node: Node::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        reason: reason.clone(),
    };
    let entries = reasons
        .iter()
        .map(|(path, reason)| (RootPath::new(path), entry(reason)));
    Plan::of(RootPath::new("/bin/a"), entries)
}

fn sample() -> Plan {
    plan(&[
        ("/", reason(ReasonKind::Parent, Some("/bin/a"), "")),
        ("/bin", reason(ReasonKind::Parent, Some("/bin/a"), "")),
        ("/bin/a", reason(ReasonKind::Command, None, "a")),
        ("/lib/b", reason(ReasonKind::Needed, Some("/bin/a"), "b")),
        ("/lib/c", reason(ReasonKind::Needed, Some("/lib/b"), "c")),
        ("/x", reason(ReasonKind::Symlink, Some("/refus%d"), "")),
    ])
}

fn texts(reasons: &Reasons, plan: &Plan, place: usize) -> Result<Vec<String>, ReasonsError> {
    let paths: Vec<&RootPath> = plan.entries.keys().collect();
    let steps = reasons.chain(place, |place| paths.get(place).copied())?;
    Ok(steps
        .iter()
        .map(|step| format!("{}: {}", step.path, step.text))
        .collect())
}

#[test]
fn chains_lead_from_the_command_down() {
    let plan = sample();
    let bytes = Reasons::of(&plan).expect("few").to_bytes().expect("encoded");
    let reasons = Reasons::parse(&bytes, 6).expect("right");
    assert_eq!(reasons, Reasons::of(&plan).expect("few"));
    assert_eq!(reasons.reasons.len(), 5, "the two directories share theirs");
    assert_eq!(
        texts(&reasons, &plan, 4).expect("a chain"),
        [
            "/bin/a: command: a",
            "/lib/b: needed by /bin/a as b",
            "/lib/c: needed by /lib/b as c"
        ]
    );
    assert_eq!(
        texts(&reasons, &plan, 0).expect("a chain"),
        ["/bin/a: command: a", "/: directory on the way to /bin/a"]
    );
    assert_eq!(
        texts(&reasons, &plan, 5).expect("a chain"),
        ["/x: a link on the way to /refus%d (which is not in the bundle)"]
    );
}

fn parse(json: &str, entries: usize) -> Result<Reasons, ReasonsError> {
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    Reasons::parse(&section::encode(&value).expect("encoded"), entries)
}

#[test]
fn damaged_tables_are_refused() {
    let table = |by: &str, paths: &str| format!(r#"{{"reasons":[{{"kind":"needed","by":{by}}}],"paths":[{paths}]}}"#);
    parse(&table("1", "0,0"), 2).expect("right");
    assert!(matches!(
        parse(&table("1", "0,0"), 3),
        Err(ReasonsError::OtherImage { paths: 2, entries: 3 })
    ));
    assert!(matches!(
        parse(&table("2", "0,0"), 2),
        Err(ReasonsError::Place { place: 2 })
    ));
    assert!(matches!(
        parse(&table("1", "0,1"), 2),
        Err(ReasonsError::Place { place: 1 })
    ));
    for json in [
        &table("-1", "0,0"),
        &table("1", "4294967296"),
        "[]",
        "{}",
        r#"{"reasons":[{}],"paths":[0]}"#,
    ] {
        assert!(matches!(parse(json, 1), Err(ReasonsError::Section(_))), "{json}");
    }
}

#[test]
fn circles_end() {
    let plan = sample();
    let count = plan.entries.len();
    let circle = format!(
        r#"{{"reasons":[{{"kind":"needed","by":1}},{{"kind":"needed","by":0}}],"paths":[0,1{}]}}"#,
        ",0".repeat(count - 2)
    );
    let reasons = parse(&circle, count).expect("every number is one");
    for place in 0..count {
        assert!(
            matches!(texts(&reasons, &plan, place), Err(ReasonsError::Circle { .. })),
            "{place}"
        );
    }
}

#[test]
fn kinds_of_a_newer_polecat_are_shown_as_they_are() {
    let plan = plan(&[("/", reason(ReasonKind::Base, None, ""))]);
    let json = r#"{"reasons":[{"kind":"telepathy","detail":"x","more":1}],"paths":[0],"and":2}"#;
    let reasons = parse(json, 1).expect("right");
    assert_eq!(texts(&reasons, &plan, 0).expect("a chain"), ["/: telepathy: x"]);
}

#[test]
fn the_golden_bundle_is_read_as_it_was() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/v1/reasons.bundle");
    let mut bytes = std::fs::read(golden).expect("a bundle");
    let manifest =
        Manifest::parse(bundle::Bundle::read(&bytes).expect("a bundle").manifest_bytes()).expect("a manifest");
    let reasons = Reasons::read(&bytes, &manifest, 3).expect("right").expect("there");
    assert_eq!(reasons.len(), 3);
    let paths = ["/", "/bin", "/bin/hello"].map(|path| (path, reason(ReasonKind::Base, None, "")));
    let told = texts(&reasons, &plan(&paths), 1).expect("a chain");
    assert_eq!(
        told,
        ["/bin/hello: command: hello", "/bin: directory on the way to /bin/hello"]
    );

    // The section is covered by no signature but through its digest.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    bundle::Bundle::read(&bytes).expect("ignorable");
    assert!(Reasons::read(&bytes, &manifest, 3).expect_err("changed").is_tampering());
    let without = Manifest {
        reasons: None,
        ..manifest
    };
    assert!(Reasons::read(&bytes, &without, 3).expect("right").is_none());
}
