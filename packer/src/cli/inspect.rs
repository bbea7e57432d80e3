//! `polecat inspect`: what a bundle says of itself, and whose word that is.

use std::io::Write;

use bundle::{Bundle, Manifest, ReadError, SignatureRecord};
use serde::Serialize;
use signing::trust::TrustStore;
use signing::{KeyId, PublicKey, Purpose, Signature};

use super::args::InspectArgs;
use super::bundle_file::{self, unverified};
use super::error::CliError;
use super::output::{self, Bytes, counted};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    file_length: u64,
    superblock_offset: u64,
    sections: Vec<Section>,
    signatures: Vec<SignatureReport>,
    manifest: Manifest,
}

#[derive(Debug, Serialize)]
struct Section {
    kind: String,
    critical: bool,
    offset: u64,
    length: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignatureReport {
    algorithm: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// Whether it fits the manifest; none where the algorithm is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
    trusted: bool,
}

/// Reads the head and prints it. The image is not looked at: that is for `verify`.
pub(super) fn run(args: &InspectArgs) -> Result<(), CliError> {
    let (_, head) = bundle_file::read_head(&args.file)?;
    let manifest = Manifest::parse(head.manifest_bytes()).map_err(ReadError::Manifest);
    let manifest = manifest.map_err(|error| unverified(&args.file, error.into()))?;
    let store = bundle_file::trust_store();
    let sections = head.superblock().sections.iter().map(|section| Section {
        kind: section.kind.to_string(),
        critical: section.is_critical(),
        offset: section.offset,
        length: section.length,
    });
    let report = Report {
        file: args.file.display().to_string(),
        file_length: head.superblock().file_length,
        superblock_offset: head.superblock_offset(),
        sections: sections.collect(),
        signatures: head
            .signatures()
            .iter()
            .map(|record| judge(record, &head, &store))
            .collect(),
        manifest,
    };
    match args.json {
        true => output::print_json(&report),
        false => print(&report),
    }
}

fn judge(record: &SignatureRecord, head: &Bundle, store: &TrustStore) -> SignatureReport {
    let SignatureRecord::Ed25519(ed25519) = record else {
        return SignatureReport {
            algorithm: record.algorithm(),
            key_id: None,
            public_key: None,
            valid: None,
            trusted: false,
        };
    };
    let key = PublicKey::from_bytes(ed25519.public_key).ok();
    let signature = Signature(ed25519.signature);
    let valid = key
        .as_ref()
        .is_some_and(|key| signing::verify(Purpose::BundleManifest, head.manifest_bytes(), key, &signature).is_ok());
    SignatureReport {
        algorithm: record.algorithm(),
        key_id: Some(KeyId::from_bytes(ed25519.key_id).to_string()),
        public_key: key.as_ref().and_then(|key| key.to_pem().ok()),
        valid: Some(valid),
        trusted: valid && key.is_some_and(|key| store.trusts(&key)),
    }
}

fn print(report: &Report) -> Result<(), CliError> {
    let Manifest {
        name,
        architecture,
        created,
        generator,
        stub,
        image,
        process,
        isolation,
        entry_points,
        ..
    } = &report.manifest;
    output::print(|out| {
        let mut line = |title: &str, text: String| writeln!(out, "{title:<13}{text}");
        line("file", format!("{}, {}", report.file, Bytes(report.file_length)))?;
        line("name", name.clone())?;
        line("for", architecture.clone())?;
        line("made by", format!("{generator}, SOURCE_DATE_EPOCH {created}"))?;
        let arguments: Vec<String> = process.args.iter().map(|word| format!("{word:?}")).collect();
        line("starts", format!("{} as {}", process.path, arguments.join(" ")))?;
        for entry in entry_points {
            line("called", format!("{}, starts {}", entry.name, entry.path))?;
        }
        for variable in &process.env {
            line("with", format!("{variable:?}"))?;
        }
        if let Some(cwd) = &process.cwd {
            line("in", cwd.clone())?;
        }
        line(
            "shares",
            match isolation.contain {
                true => "nothing of the caller's".to_owned(),
                false => "home, current directory and environment of the caller".to_owned(),
            },
        )?;
        for option in &isolation.options {
            line("option", format!("{option:?}"))?;
        }
        if let Some(profile) = &isolation.seccomp {
            let rules = counted(profile.syscalls.len() as u64, "rule");
            line(
                "seccomp",
                format!("its own profile: {}, {rules}", profile.default_action),
            )?;
        }
        let entries = counted(image.entries, "entry");
        line(
            "image",
            format!("{entries}, {} in {}", Bytes(image.unpacked_size), Bytes(image.length)),
        )?;
        line("stub", Bytes(stub.length).to_string())?;
        for signature in &report.signatures {
            line("signature", signature_line(signature))?;
        }
        if report.signatures.is_empty() {
            line(
                "signature",
                "none: nothing of this is vouched for by anybody".to_owned(),
            )?;
        }
        Ok(())
    })
}

fn signature_line(signature: &SignatureReport) -> String {
    let Some(key_id) = &signature.key_id else {
        return format!("algorithm {}, which this polecat does not know", signature.algorithm);
    };
    let judgement = match (signature.valid, signature.trusted) {
        (Some(true), true) => "right, and trusted",
        (Some(true), false) => "right, but nobody you trust",
        _ => "WRONG: the manifest is not what was signed",
    };
    format!("key {key_id}: {judgement}")
}
