//! `polecat extract`.

use std::fs;
use std::io::Write;
use std::path::Path;

use nix::unistd::{getegid, geteuid};
use runtime::image::OwnerMap;
use runtime::image::unpack::{UnpackError, unpack};
use serde::Serialize;

use super::args::ExtractArgs;
use super::bundle_file;
use super::error::CliError;
use super::output::{self, Bytes, counted};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    directory: String,
    entries: u64,
    unpacked_size: u64,
    key_ids: Vec<String>,
}

/// Checks and unpacks. What is unpacked is checked block by block as it is read.
pub(super) fn run(args: &ExtractArgs) -> Result<(), CliError> {
    let verified = bundle_file::verify(&args.file)?;
    let is_new = !args.dir.exists();
    if let Err(error) = unpack(&verified.image(), &args.dir, owner()) {
        if is_new {
            give_up(&args.dir);
        }
        return Err(match error {
            UnpackError::Unverified(source) => CliError::Check {
                path: args.file.clone(),
                source,
            },
            error => CliError::Unpack(error),
        });
    }
    let image = &verified.manifest().image;
    let report = Report {
        directory: args.dir.display().to_string(),
        entries: image.entries,
        unpacked_size: image.unpacked_size,
        key_ids: verified.signers().iter().map(ToString::to_string).collect(),
    };
    match (args.json, args.quiet) {
        (true, _) => output::print_json(&report),
        (false, true) => Ok(()),
        (false, false) => output::print(|out| {
            let entries = counted(report.entries, "entry");
            writeln!(out, "{}: {entries}, {}", report.directory, Bytes(report.unpacked_size))
        }),
    }
}

/// Owners are for root to give; everyone else gets the files.
fn owner() -> OwnerMap {
    match geteuid().is_root() {
        true => OwnerMap::AsStored,
        false => OwnerMap::Caller {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
        },
    }
}

/// Removes a tree that is not complete; the failure that made it so is what the user is told of.
fn give_up(directory: &Path) {
    drop(fs::remove_dir_all(directory));
}
