//! Manifests, field by field: also those fields that this polecat does not know.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Difference;

/// A field of the manifest that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its name, with those of the objects that it is in: `process.args`.
    pub field: String,
    /// In the first; none where that has no such field.
    pub a: Option<Value>,
    /// In the second.
    pub b: Option<Value>,
}

/// Objects that say where something is, and how long: that is told by what is there.
const PLACES: [&str; 2] = ["image", "hashTree"];

/// Fields about the bundle itself.
const ABOUT: [&str; 9] = [
    "formatVersion",
    "name",
    "architecture",
    "created",
    "generator",
    "stub",
    "packages",
    "reasons",
    "paths",
];

/// Compares two manifests, as they are stored.
pub(super) fn compare(a: &[u8], b: &[u8], found: &mut Difference) -> Result<(), serde_json::Error> {
    let (a, b) = (flat(a)?, flat(b)?);
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        let (old, new) = (a.get(name), b.get(name));
        if old == new {
            continue;
        }
        let change = FieldChange {
            field: name.clone(),
            a: old.cloned(),
            b: new.cloned(),
        };
        let first = name.split('.').next().unwrap_or_default();
        match first {
            "process" | "entryPoints" => found.start.push(change),
            first if ABOUT.contains(&first) => found.about.push(change),
            _ => found.permissions.push(change),
        }
    }
    Ok(())
}

/// The fields of a manifest with their full names.
fn flat(manifest: &[u8]) -> Result<BTreeMap<String, Value>, serde_json::Error> {
    let mut fields = BTreeMap::new();
    let top: BTreeMap<String, Value> = serde_json::from_slice(manifest)?;
    for (name, value) in top {
        if !PLACES.contains(&name.as_str()) {
            flatten(name, value, &mut fields);
        }
    }
    Ok(fields)
}

fn flatten(name: String, value: Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        // A section elsewhere in the file: that it is there is all that counts here.
        Value::Object(object) if object.contains_key("offset") && object.contains_key("sha256") => {
            fields.insert(name, Value::String("listed".to_owned()));
        }
        Value::Object(object) => {
            for (inner, value) in object {
                if !(name == "stub" && inner == "length") {
                    flatten(format!("{name}.{inner}"), value, fields);
                }
            }
        }
        value => drop(fields.insert(name, value)),
    }
}
