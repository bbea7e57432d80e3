//! `polecat pack`, and polecat without a verb.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::args::{KeyChoice, PackArgs};
use super::build;
use super::error::CliError;
use super::export;
use super::output::{self, Bytes, counted};
use super::passphrase::{self, OwnKey};
use super::plan::{self, Totals};
use super::progress::Progress;
use super::seccomp;
use super::trace;
use super::verify_run::{self, VerifyRun};
use crate::options::{Asked, Format, PackOptions};
use crate::plan::{EntryPoint, Plan, Refusal, Warning};
use crate::rootfs::{RootPath, Rootfs};
use crate::seal::{OutputFile, Sealed, seal};
use crate::stubs::Stub;

/// Warnings that are shown; the others are counted.
const WARNINGS: usize = 10;

/// What was packed, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    output: String,
    format: &'static str,
    name: &'a str,
    entry: &'a RootPath,
    entry_points: &'a [EntryPoint],
    architecture: &'a str,
    files: u64,
    entries: u64,
    unpacked_size: u64,
    image_length: u64,
    file_length: u64,
    key_id: String,
    key_file: String,
    key_created: bool,
    /// Directories whose paths the bundle does not know; none where it knows no paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_paths: Option<&'a [RootPath]>,
    warnings: &'a [Warning],
    refusals: &'a [Refusal],
    /// Where it was asked for and could be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_run: Option<&'a VerifyRun>,
}

/// Packs.
pub(super) fn run(args: PackArgs) -> Result<(), CliError> {
    let PackArgs {
        format,
        script,
        recipe,
        key,
        verify_run,
        quiet,
        json,
        subject,
    } = args;
    let asked = Asked {
        format: format.into(),
        names_key: key.key.is_some() || key.passphrase.passphrase_file.is_some(),
        verifies: verify_run.is_some(),
        ..recipe.asked(subject, std::env::var_os("SOURCE_DATE_EPOCH"))
    };
    let mut options = asked.resolve()?;
    options.request.traces.push(trace::read_all(&options.traces)?);
    options.request.misses = trace::read_misses(&options.misses)?;
    options.seccomp = seccomp::read(options.seccomp_file.as_deref())?;
    // Before anything takes long.
    match options.format {
        Format::Directory => crate::export::check_directory(&options.output)?,
        _ => drop(OutputFile::create(&options.output)?),
    }
    let build = script.map(|script| build::run(&script, &options, quiet)).transpose()?;
    let rootfs = match &build {
        Some((built, trace)) => {
            options.request.traces.push(trace.clone());
            Rootfs::of_descriptor(built.root(), &options.rootfs)?
        }
        None => Rootfs::open(&options.rootfs)?,
    };
    let plan = crate::closure::plan(&rootfs, &options.request, &options.reach.extent()?)?;
    check(&plan)?;
    let talk = Talk { quiet, json };
    match options.format {
        Format::Run => bundle(&plan, &rootfs, &options, &key, talk, verify_run),
        Format::Squashfs => export::run(&plan, &rootfs, &options, talk, crate::export::squashfs),
        Format::Tgz => export::run(&plan, &rootfs, &options, talk, crate::export::tgz),
        Format::Directory => export::run(&plan, &rootfs, &options, talk, crate::export::directory),
    }
}

/// What is said of the work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talk {
    pub(super) quiet: bool,
    pub(super) json: bool,
}

impl Talk {
    /// A bar while the plan's files are packed.
    pub(super) fn progress(self, plan: &Plan) -> Progress {
        Progress::new("packing", Totals::of(plan).bytes, !self.quiet && !self.json)
    }
}

fn bundle(
    plan: &Plan,
    rootfs: &Rootfs,
    options: &PackOptions,
    key: &KeyChoice,
    talk: Talk,
    verify_run: Option<u64>,
) -> Result<(), CliError> {
    let stub = Stub::choose(&plan.architecture, options.stub.as_deref()).map_err(|source| CliError::Stub {
        program: plan.entry.clone(),
        source,
    })?;
    let key = passphrase::load_key(key)?;
    warn(&plan.warnings);
    if key.created {
        announce(&key);
    }
    let progress = talk.progress(plan);
    let sealed = seal(plan, rootfs, &stub, &key.key, options, &mut |bytes| progress.add(bytes))?;
    drop(progress);
    if let Some(fault) = &sealed.inventory_fault {
        output::note(&format!("warning: {fault}: the bundle does not list its packages"));
    }
    for directory in &sealed.unknown {
        output::note(&format!(
            "warning: {directory}: has too many paths: what is missed there --polecat-misses will not tell"
        ));
    }
    if !talk.json && !talk.quiet {
        print(options, &key, &sealed)?;
    }
    let ran = verify_run.map(|seconds| verify_run::run(&options.output, rootfs, seconds));
    let (ran, failed) = match ran.transpose() {
        Ok(ran) => (ran, Ok(())),
        // What was packed is told before.
        Err(error) => (None, Err(error)),
    };
    if talk.json {
        output::print_json(&Report {
            verify_run: ran.as_ref(),
            ..report(options, plan, &key, &sealed)
        })?;
    } else if let Some(ran) = &ran {
        tell(ran, talk.quiet)?;
    }
    tell_refusals(&plan.refusals);
    failed
}

/// Lists what was kept out, all of it and last: whoever reads one line of a long run reads this one.
pub(super) fn tell_refusals(refusals: &[Refusal]) {
    for refusal in refusals {
        output::note(&plan::refusal_line(refusal));
    }
    if !refusals.is_empty() {
        let count = counted(refusals.len() as u64, "secret");
        output::note(&format!("{count} kept out; --allow PATH lets one in"));
    }
}

/// How the run of the bundle went; quietly, only what asks for something to be done.
fn tell(ran: &VerifyRun, quiet: bool) -> Result<(), CliError> {
    let lines = ran.lines();
    if quiet {
        let noted = lines.iter().filter(|_| ran.is_noteworthy());
        noted.for_each(|line| output::note(line));
        return Ok(());
    }
    output::print(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))
}

/// A program that cannot start is not packed.
pub(super) fn check(plan: &Plan) -> Result<(), CliError> {
    match plan.faults() {
        faults if faults.is_empty() => Ok(()),
        faults => Err(CliError::CannotStart { faults }),
    }
}

/// Shows the first warnings.
pub(super) fn warn(warnings: &[Warning]) {
    for warning in warnings.iter().take(WARNINGS) {
        output::note(&plan::warning_line(warning));
    }
    if warnings.len() > WARNINGS {
        let rest = counted(warnings.len().abs_diff(WARNINGS) as u64, "more warning");
        output::note(&format!("{rest}; `polecat plan` shows all"));
    }
}

fn announce(key: &OwnKey) {
    let id = key.key.public_key().key_id();
    let path = key.path.display();
    output::note(&format!(
        "made a key to sign with: key id {id}, in {path}: keep it secret, and safe"
    ));
}

fn report<'a>(options: &'a PackOptions, plan: &'a Plan, key: &OwnKey, sealed: &'a Sealed) -> Report<'a> {
    Report {
        output: options.output.display().to_string(),
        format: options.format.name(),
        name: &options.name,
        entry: &plan.entry,
        entry_points: &plan.entry_points,
        architecture: &plan.architecture,
        files: sealed.image.files,
        entries: sealed.image.entries,
        unpacked_size: sealed.image.unpacked_size,
        image_length: sealed.image.length,
        file_length: sealed.bundle.file_length,
        key_id: key.key.public_key().key_id().to_string(),
        key_file: key.path.display().to_string(),
        key_created: key.created,
        unknown_paths: options.known_paths.then_some(sealed.unknown.as_slice()),
        warnings: &plan.warnings,
        refusals: &plan.refusals,
        verify_run: None,
    }
}

fn print(options: &PackOptions, key: &OwnKey, sealed: &Sealed) -> Result<(), CliError> {
    let output = options.output.display();
    output::print(|out| {
        let files = counted(sealed.image.files, "file");
        let (from, to) = (Bytes(sealed.image.unpacked_size), Bytes(sealed.bundle.file_length));
        writeln!(out, "{output}: {files}, {from} packed into {to}")?;
        writeln!(out, "signed by key {}", key.key.public_key().key_id())?;
        writeln!(out, "run it: {}", invocation(&options.output))
    })
}

/// What starts the file from here: a name without a slash would be looked up in PATH.
fn invocation(path: &Path) -> String {
    let shown = path.display();
    match path.components().count() {
        1 if path.is_relative() => format!("./{shown}"),
        _ => shown.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_slash_gets_one() {
        for (path, expected) in [
            ("top.run", "./top.run"),
            ("./top.run", "./top.run"),
            ("a/top.run", "a/top.run"),
            ("/top.run", "/top.run"),
        ] {
            assert_eq!(invocation(Path::new(path)), expected);
        }
    }
}
