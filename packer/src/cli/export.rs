//! `polecat pack --format`: the files alone.

use std::io::Write as _;

use serde::Serialize;

use super::error::CliError;
use super::output::{self, Bytes, counted};
use super::pack::{self, Talk};
use crate::export::{ExportError, Exported};
use crate::options::PackOptions;
use crate::plan::{Plan, Refusal, Warning};
use crate::rootfs::{RootPath, Rootfs};

/// What was written, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    output: String,
    format: &'static str,
    entry: &'a RootPath,
    architecture: &'a str,
    files: u64,
    entries: u64,
    unpacked_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_length: Option<u64>,
    warnings: &'a [Warning],
    refusals: &'a [Refusal],
}

/// What writes one of the formats.
type Write = fn(&Plan, &Rootfs, &PackOptions, &mut dyn FnMut(u64)) -> Result<Exported, ExportError>;

/// Writes the plan in a format of others.
pub(super) fn run(
    plan: &Plan,
    rootfs: &Rootfs,
    options: &PackOptions,
    talk: Talk,
    write: Write,
) -> Result<(), CliError> {
    pack::warn(&plan.warnings);
    if options.args.len() > 1 {
        let format = options.format.name();
        output::note(&format!(
            "the command's arguments have no place in a {format} and are left out"
        ));
    }
    let progress = talk.progress(plan);
    let mut add = |bytes| progress.add(bytes);
    let exported = write(plan, rootfs, options, &mut add)?;
    drop(progress);
    match (talk.json, talk.quiet) {
        (true, _) => output::print_json(&report(plan, options, exported))?,
        (false, true) => {}
        (false, false) => print(options, exported)?,
    }
    pack::tell_refusals(&plan.refusals);
    Ok(())
}

fn report<'a>(plan: &'a Plan, options: &PackOptions, exported: Exported) -> Report<'a> {
    Report {
        output: options.output.display().to_string(),
        format: options.format.name(),
        entry: &plan.entry,
        architecture: &plan.architecture,
        files: exported.files,
        entries: exported.entries,
        unpacked_size: exported.unpacked_size,
        file_length: exported.file_length,
        warnings: &plan.warnings,
        refusals: &plan.refusals,
    }
}

fn print(options: &PackOptions, exported: Exported) -> Result<(), CliError> {
    let (path, files) = (options.output.display(), counted(exported.files, "file"));
    let size = Bytes(exported.unpacked_size);
    output::print(|out| match exported.file_length {
        Some(length) => writeln!(out, "{path}: {files}, {size} packed into {}", Bytes(length)),
        None => writeln!(out, "{path}: {files}, {size}"),
    })
}
