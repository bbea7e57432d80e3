//! CycloneDX 1.6.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::purl::purl;
use super::time::timestamp;
use super::{BillOfMaterials, FileRecord, TOOL};
use crate::inventory::PackageRecord;

const BUNDLE: &str = "bundle";
const STUB: &str = "stub";

/// The document.
pub(super) fn document(bom: &BillOfMaterials) -> Value {
    let (tool, version) = TOOL;
    let mut paths: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for file in &bom.files {
        if let Some(place) = file.package {
            paths.entry(place).or_default().push(&file.path);
        }
    }
    let mut components = vec![stub(bom)];
    components.extend(operating_system(bom));
    for (place, record) in bom.inventory.packages.iter().enumerate() {
        let paths = paths.remove(&place).unwrap_or_default();
        components.push(package(bom, place, record, &paths));
    }
    components.extend(bom.unowned().map(file));
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", bom.uuid()),
        "version": 1,
        "metadata": {
            "timestamp": timestamp(bom.created),
            "tools": { "components": [{ "type": "application", "name": tool, "version": version }] },
            "component": { "type": "application", "bom-ref": BUNDLE, "name": bom.name },
        },
        "components": components,
        "dependencies": dependencies(bom),
    })
}

/// The executable in front.
fn stub(bom: &BillOfMaterials) -> Value {
    json!({
        "type": "application",
        "bom-ref": STUB,
        "name": "polecat-stub",
        "version": bom.generator,
        "hashes": [{ "alg": "SHA-256", "content": bom.stub_sha256 }],
    })
}

fn operating_system(bom: &BillOfMaterials) -> Option<Value> {
    let distribution = &bom.inventory.distribution;
    let mut system =
        json!({ "type": "operating-system", "bom-ref": "distribution", "name": distribution.id.as_ref()? });
    if let Some(version) = &distribution.version {
        system["version"] = version.as_str().into();
    }
    Some(system)
}

fn package(bom: &BillOfMaterials, place: usize, record: &PackageRecord, paths: &[&str]) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(place),
        "name": record.name,
        "version": record.version,
        "purl": purl(record, &bom.inventory.distribution),
    });
    if let Some(licence) = &record.licence {
        component["licenses"] = json!([{ "expression": licence }]);
    }
    if let Some(maintainer) = &record.maintainer {
        component["supplier"] = json!({ "name": maintainer });
    }
    if !paths.is_empty() {
        let occurrences: Vec<Value> = paths.iter().map(|path| json!({ "location": path })).collect();
        component["evidence"] = json!({ "occurrences": occurrences });
    }
    component
}

/// A file that no package has.
fn file(record: &FileRecord) -> Value {
    json!({
        "type": "file",
        "bom-ref": format!("file:{}", record.path),
        "name": record.path,
        "hashes": [
            { "alg": "SHA-1", "content": record.sha1 },
            { "alg": "SHA-256", "content": record.sha256 },
        ],
    })
}

fn dependencies(bom: &BillOfMaterials) -> Vec<Value> {
    let packages = &bom.inventory.packages;
    let all: Vec<String> = std::iter::once(STUB.to_owned())
        .chain((0..packages.len()).map(reference))
        .collect();
    let mut dependencies = vec![json!({ "ref": BUNDLE, "dependsOn": all })];
    for (place, package) in packages.iter().enumerate() {
        let on: Vec<String> = package.depends.iter().copied().map(reference).collect();
        dependencies.push(json!({ "ref": reference(place), "dependsOn": on }));
    }
    dependencies
}

fn reference(place: usize) -> String {
    format!("package-{place}")
}
