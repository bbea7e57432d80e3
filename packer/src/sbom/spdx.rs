//! SPDX 2.3.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::purl::purl;
use super::time::timestamp;
use super::{BillOfMaterials, FileRecord, TOOL};
use crate::inventory::PackageRecord;

const BUNDLE: &str = "SPDXRef-Bundle";
const STUB: &str = "SPDXRef-Stub";

/// What the files are that no package of the distribution has.
const UNOWNED: &str = "Of no package of the distribution: made when the system was installed, or put there since.";

/// The document.
pub(super) fn document(bom: &BillOfMaterials) -> Value {
    let (tool, version) = TOOL;
    let packages = bom.inventory.packages.iter().enumerate();
    let packages = packages.map(|(place, record)| package(bom, place, record));
    let packages: Vec<Value> = [bundle(bom), stub(bom)].into_iter().chain(packages).collect();
    let files = bom.files.iter().enumerate();
    let files: Vec<Value> = files.map(|(place, record)| file(place, record)).collect();
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bom.name,
        "documentNamespace": format!("https://spdx.org/spdxdocs/polecat-{}", bom.uuid()),
        "creationInfo": {
            "created": timestamp(bom.created),
            "creators": [format!("Tool: {tool}-{version}")],
        },
        "packages": packages,
        "files": files,
        "relationships": relationships(bom),
        "hasExtractedLicensingInfos": references(bom),
    })
}

fn bundle(bom: &BillOfMaterials) -> Value {
    json!({
        "SPDXID": BUNDLE,
        "name": bom.name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
    })
}

/// The executable in front.
fn stub(bom: &BillOfMaterials) -> Value {
    json!({
        "SPDXID": STUB,
        "name": "polecat-stub",
        "versionInfo": bom.generator,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "checksums": [{ "algorithm": "SHA256", "checksumValue": bom.stub_sha256 }],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
    })
}

fn package(bom: &BillOfMaterials, place: usize, record: &PackageRecord) -> Value {
    let mut package = json!({
        "SPDXID": package_id(place),
        "name": record.name,
        "versionInfo": record.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": record.licence.as_deref().unwrap_or("NOASSERTION"),
        "copyrightText": "NOASSERTION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl(record, &bom.inventory.distribution),
        }],
    });
    if let Some(source) = &record.source {
        let version = record.source_version.as_deref().unwrap_or(&record.version);
        package["sourceInfo"] = format!("built from source package {source} {version}").into();
    }
    if let Some(homepage) = record.homepage.as_deref().filter(|homepage| is_url(homepage)) {
        package["homepage"] = homepage.into();
    }
    if let Some(maintainer) = &record.maintainer {
        package["supplier"] = supplier(maintainer).into();
    }
    package
}

/// `Organization: Name (address)`: whether it is a person is not known.
fn supplier(maintainer: &str) -> String {
    match maintainer.split_once('<') {
        Some((name, address)) => {
            let address = address.split('>').next().unwrap_or_default();
            format!("Organization: {} ({address})", name.trim())
        }
        None => format!("Organization: {}", maintainer.trim()),
    }
}

fn is_url(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace)
}

fn file(place: usize, record: &FileRecord) -> Value {
    let mut file = json!({
        "SPDXID": file_id(place),
        "fileName": format!(".{}", record.path),
        "checksums": [
            { "algorithm": "SHA1", "checksumValue": record.sha1 },
            { "algorithm": "SHA256", "checksumValue": record.sha256 },
        ],
        "licenseConcluded": "NOASSERTION",
        "licenseInfoInFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    });
    if record.package.is_none() {
        file["comment"] = UNOWNED.into();
    }
    file
}

fn relationships(bom: &BillOfMaterials) -> Vec<Value> {
    let relation = |from: &str, kind: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let mut relationships = vec![
        relation("SPDXRef-DOCUMENT", "DESCRIBES", BUNDLE),
        relation(BUNDLE, "CONTAINS", STUB),
    ];
    for (place, package) in bom.inventory.packages.iter().enumerate() {
        relationships.push(relation(BUNDLE, "CONTAINS", &package_id(place)));
        for other in &package.depends {
            relationships.push(relation(&package_id(place), "DEPENDS_ON", &package_id(*other)));
        }
    }
    for (place, file) in bom.files.iter().enumerate() {
        let owner = file.package.map_or(BUNDLE.to_owned(), package_id);
        relationships.push(relation(&owner, "CONTAINS", &file_id(place)));
    }
    relationships
}

/// The licences that SPDX has no identifier for, each with the packages that name it.
fn references(bom: &BillOfMaterials) -> Vec<Value> {
    let mut references: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &bom.inventory.packages {
        let words = package
            .licence
            .iter()
            .flat_map(|licence| licence.split([' ', '(', ')']));
        for reference in words.filter(|word| word.starts_with("LicenseRef-")) {
            let packages = references.entry(reference).or_default();
            if packages.last() != Some(&package.name.as_str()) {
                packages.push(&package.name);
            }
        }
    }
    let info = |(reference, packages): (&str, Vec<&str>)| {
        let name = reference.trim_start_matches("LicenseRef-");
        json!({
            "licenseId": reference,
            "name": name,
            "extractedText": format!("Called \"{name}\" by the distribution. The text is with its package: {}.", packages.join(", ")),
        })
    };
    references.into_iter().map(info).collect()
}

fn package_id(place: usize) -> String {
    format!("SPDXRef-Package-{place}")
}

fn file_id(place: usize) -> String {
    format!("SPDXRef-File-{place}")
}
