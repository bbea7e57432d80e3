//! `polecat verify`: every byte of a bundle, and who signed it.

use std::io::Write;
use std::path::Path;

use bundle::PathSet;
use runtime::verify::Verified;
use serde::Serialize;
use signing::PublicKey;
use signing::key_file::{KeyFileError, read_public};
use signing::trust::TrustStore;

use super::args::VerifyArgs;
use super::bundle_file::{self, Signer, unverified};
use super::error::{CliError, status};
use super::output::{self, counted};
use super::progress::Progress;

/// What a section that a bundle may have says of itself; none where the bundle has none.
type SectionCheck = fn(&Path, &Verified) -> Result<Option<String>, CliError>;

/// The ignorable sections that the manifest has digests of.
const SECTIONS: [(&str, SectionCheck); 3] = [
    ("packages", check_packages),
    ("reasons", check_reasons),
    ("paths", check_paths),
];

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    /// `valid`, `untrusted`, `invalid`, or `unknown` where something kept it from being found out.
    verdict: &'static str,
    checks: Vec<Check>,
    signers: Vec<Signer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Report {
    fn passed(&mut self, name: &'static str, detail: String) {
        self.checks.push(Check { name, ok: true, detail });
    }

    fn failed(&mut self, name: &'static str, error: CliError) -> CliError {
        self.verdict = match error.status() {
            status::UNTRUSTED => "untrusted",
            status::UNVERIFIED => "invalid",
            _ => "unknown",
        };
        self.checks.push(Check {
            name,
            ok: false,
            detail: error.to_string(),
        });
        self.error = Some(error.to_string());
        error
    }
}

/// Checks, and prints each check. The first that fails ends it.
pub(super) fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let mut report = Report {
        file: args.file.display().to_string(),
        verdict: "unknown",
        checks: Vec::new(),
        signers: Vec::new(),
        error: None,
    };
    let result = check(args, &mut report);
    if args.json {
        output::print_json(&report)?;
    } else if !args.quiet {
        print(&report)?;
    }
    result
}

fn check(args: &VerifyArgs, report: &mut Report) -> Result<(), CliError> {
    let path = &args.file;
    let keys = args.key.iter().map(|path| Ok((path.as_path(), read_public(path)?)));
    let keys: Vec<(&Path, PublicKey)> = keys
        .collect::<Result<_, KeyFileError>>()
        .map_err(|error| report.failed("keys", error.into()))?;
    let (file, head) = bundle_file::read_head(path).map_err(|error| report.failed("layout", error))?;
    let behind = file
        .metadata()
        .map_or(0, |metadata| metadata.len())
        .saturating_sub(head.superblock().file_length);
    let padding = "superblock, sections and zero padding";
    report.passed(
        "layout",
        match behind {
            0 => padding.to_owned(),
            bytes => format!("{padding}; {bytes} bytes follow, which belong to nobody and are never read"),
        },
    );

    let verified = bundle_file::verify_open(path, file).map_err(|error| report.failed("signatures", error))?;
    let ids: Vec<String> = verified.signers().iter().map(|id| format!("key {id}")).collect();
    report.passed("signatures", format!("over the manifest, by {}", ids.join(", ")));
    report.passed(
        "manifest",
        format!("{}, {}", verified.manifest().name, verified.manifest().generator),
    );

    verified
        .check_stub()
        .map_err(|error| report.failed("stub", unverified(path, error)))?;
    report.passed("stub", format!("{} bytes", verified.manifest().stub.length));
    check_image(path, &verified, !args.json && !args.quiet).map_err(|error| report.failed("image", error))?;
    let blocks = verified.manifest().image.length / bundle::layout::BLOCK_SIZE;
    report.passed(
        "image",
        format!("{blocks} blocks, all lead to the root digest of the hash tree"),
    );

    for (name, check) in SECTIONS {
        if let Some(detail) = check(path, &verified).map_err(|error| report.failed(name, error))? {
            report.passed(name, detail);
        }
    }

    check_trust(args, &keys, &verified, report)?;
    report.verdict = "valid";
    Ok(())
}

fn check_trust(
    args: &VerifyArgs,
    keys: &[(&Path, PublicKey)],
    verified: &Verified,
    report: &mut Report,
) -> Result<(), CliError> {
    let store = bundle_file::trust_store();
    let signers = verified.signer_keys();
    report.signers = signers.iter().map(|key| Signer::new(key, &store)).collect();
    match find_trusted(keys, signers, &store) {
        Some(why) => {
            report.passed("trust", why);
            Ok(())
        }
        None => Err(report.failed(
            "trust",
            CliError::Untrusted {
                path: args.file.clone(),
                signers: verified.signers().to_vec(),
                asked: !args.key.is_empty(),
            },
        )),
    }
}

/// Why one of the signers is accepted; none when nobody is.
fn find_trusted(asked: &[(&Path, PublicKey)], signers: &[PublicKey], store: &TrustStore) -> Option<String> {
    if !asked.is_empty() {
        let (path, key) = asked.iter().find(|(_, key)| signers.contains(key))?;
        return Some(format!("key {} was asked for: {}", key.key_id(), path.display()));
    }
    let trusted = signers.iter().find_map(|key| store.find(key))?;
    Some(format!(
        "key {} is trusted: {}",
        trusted.public_key.key_id(),
        trusted.path.display()
    ))
}

/// The list of packages, where the bundle has one.
fn check_packages(path: &Path, verified: &Verified) -> Result<Option<String>, CliError> {
    let inventory = bundle_file::inventory(path, verified)?;
    Ok(inventory.map(|inventory| counted(inventory.packages.len() as u64, "package")))
}

/// The list of reasons, where the bundle has one.
fn check_reasons(path: &Path, verified: &Verified) -> Result<Option<String>, CliError> {
    if verified.manifest().reasons.is_none() {
        return Ok(None);
    }
    let (_, listing) = bundle_file::list(path, verified)?;
    let reasons = bundle_file::reasons(path, verified, &listing)?;
    Ok(reasons.map(|reasons| format!("of {}", counted(reasons.len() as u64, "path"))))
}

/// The set of the root file system's paths, where the bundle has one.
fn check_paths(path: &Path, verified: &Verified) -> Result<Option<String>, CliError> {
    let Some(record) = &verified.manifest().paths else {
        return Ok(None);
    };
    let known = PathSet::read(verified.file(), record).map_err(|source| CliError::KnownPaths {
        path: path.to_owned(),
        source,
    })?;
    let members = counted(known.count().into(), "path");
    Ok(Some(format!("{members} of the root file system are known")))
}

/// Checks stub, image, and what else the manifest has the digests of.
pub(super) fn check_contents(path: &Path, verified: &Verified, progress: bool) -> Result<(), CliError> {
    verified.check_stub().map_err(|error| unverified(path, error))?;
    check_image(path, verified, progress)?;
    SECTIONS
        .iter()
        .try_for_each(|(_, check)| check(path, verified).map(drop))
}

fn check_image(path: &Path, verified: &Verified, progress: bool) -> Result<(), CliError> {
    let bar = Progress::new("checking", verified.manifest().image.length, progress);
    let checked = verified.image().check_all(|done| bar.set(done));
    checked.map_err(|source| CliError::Check {
        path: path.to_owned(),
        source,
    })
}

fn print(report: &Report) -> Result<(), CliError> {
    output::print(|out| {
        for check in report.checks.iter().filter(|check| check.ok) {
            writeln!(out, "{:<10} ok: {}", check.name, check.detail)?;
        }
        match report.verdict {
            "valid" => writeln!(out, "{}: valid", report.file),
            _ => Ok(()),
        }
    })
}
