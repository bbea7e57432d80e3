//! The official JSON schemas judge.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::inventory::{Distribution, PackageRecord};

fn sample() -> BillOfMaterials {
    let package = |name: &str, licence: Option<&str>, depends: Vec<usize>| PackageRecord {
        ecosystem: "deb".to_owned(),
        name: name.to_owned(),
        version: "1:2.0~rc1-3+b1".to_owned(),
        architecture: "amd64".to_owned(),
        source: Some("source".to_owned()),
        source_version: Some("2.0".to_owned()),
        licence: licence.map(str::to_owned),
        maintainer: Some("Ada <ada@example.org>".to_owned()),
        homepage: Some("https://example.org/a%20b".to_owned()),
        depends,
        files: Vec::new(),
    };
    let file = |path: &str, package| FileRecord {
        path: path.to_owned(),
        sha1: "0".repeat(40),
        sha256: "1".repeat(64),
        package,
    };
    BillOfMaterials {
        name: "tool".to_owned(),
        created: 1_700_000_000,
        generator: "polecat 0.1.0".to_owned(),
        stub_sha256: "2".repeat(64),
        identity: [0xab; 32],
        inventory: Inventory {
            distribution: Distribution {
                id: Some("debian".to_owned()),
                version: Some("12".to_owned()),
            },
            packages: vec![
                package("libstdc++6", Some("GPL-2.0-or-later AND LicenseRef-permissive"), vec![]),
                package("tool", Some("LicenseRef-permissive OR MIT"), vec![0]),
                package("unknown", None, vec![]),
            ],
        },
        files: vec![
            file("/etc/passwd", None),
            file("/usr/bin/tool", Some(1)),
            file("/usr/lib/libstdc++.so.6", Some(0)),
        ],
    }
}

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/schemas")
        .join(name);
    serde_json::from_slice(&fs::read(path).expect("a schema")).expect("JSON")
}

/// The messages of the official schema about a document.
fn faults(format: Format, document: &Value) -> Vec<String> {
    let (main, others) = match format {
        Format::Spdx => ("spdx-2.3.schema.json", &[][..]),
        Format::CycloneDx => (
            "cyclonedx-bom-1.6.schema.json",
            &["cyclonedx-spdx.schema.json", "cyclonedx-jsf-0.82.schema.json"][..],
        ),
    };
    let mut registry = jsonschema::Registry::new();
    for name in others {
        let contents = schema(name);
        let id = contents["$id"].as_str().expect("an id").to_owned();
        registry = registry.add(id, contents).expect("a resource");
    }
    let registry = registry.prepare().expect("resources");
    let validator = jsonschema::options()
        .with_registry(&registry)
        .should_validate_formats(true)
        .build(&schema(main))
        .expect("a schema");
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

const FORMATS: [Format; 2] = [Format::Spdx, Format::CycloneDx];

#[test]
fn documents_are_valid() {
    let empty = BillOfMaterials {
        inventory: Inventory::default(),
        files: Vec::new(),
        ..sample()
    };
    for format in FORMATS {
        for bill in [sample(), empty.clone()] {
            assert_eq!(faults(format, &bill.to_json(format)), [""; 0], "{format:?}");
        }
    }
}

#[test]
fn the_schemas_are_judges() {
    for (format, field, wrong) in [
        (Format::Spdx, "spdxVersion", Value::from(3)),
        (Format::Spdx, "creationInfo", Value::from("now")),
        (Format::CycloneDx, "bomFormat", Value::from("other")),
        (Format::CycloneDx, "serialNumber", Value::from("urn:uuid:1")),
    ] {
        let mut document = sample().to_json(format);
        document[field] = wrong;
        assert!(!faults(format, &document).is_empty(), "{format:?} {field}");
    }
}

#[test]
fn names_refer_to_what_is_there() {
    let document = sample().to_json(Format::Spdx);
    let elements: Vec<&Value> = ["packages", "files"]
        .iter()
        .flat_map(|list| document[list].as_array().expect("a list"))
        .map(|element| &element["SPDXID"])
        .collect();
    for relationship in document["relationships"].as_array().expect("a list") {
        assert!(
            elements.contains(&&relationship["relatedSpdxElement"]),
            "{relationship}"
        );
    }
    let references = document["hasExtractedLicensingInfos"].as_array().expect("a list");
    assert_eq!(references.len(), 1);
    assert_eq!(references[0]["licenseId"], "LicenseRef-permissive");
    let text = references[0]["extractedText"].as_str().expect("a text");
    assert!(text.contains("libstdc++6, tool"), "{text}");

    let document = sample().to_json(Format::CycloneDx);
    let components = document["components"].as_array().expect("a list");
    let references: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
    for dependency in document["dependencies"].as_array().expect("a list") {
        for on in dependency["dependsOn"].as_array().expect("a list") {
            assert!(references.contains(&on), "{on}");
        }
    }
    let unowned: Vec<&Value> = components
        .iter()
        .filter(|component| component["type"] == "file")
        .collect();
    assert_eq!(unowned.len(), 1);
    assert_eq!(unowned[0]["name"], "/etc/passwd");
}
