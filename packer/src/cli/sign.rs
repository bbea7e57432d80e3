//! `polecat sign`: one more signature, in a copy that takes the bundle's place.

use std::fs;
use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bundle::{Bundle, ReadError};
use runtime::verify::{Opened, VerifyError};
use serde::Serialize;

use super::args::SignArgs;
use super::bundle_file::{self, unverified};
use super::error::CliError;
use super::output;
use super::passphrase;
use crate::seal::{self, OutputError, OutputFile};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    key_id: String,
    key_created: bool,
    key_ids: Vec<String>,
}

/// Checks the bundle, signs it, and checks what was written before it gets the bundle's name.
pub(super) fn run(args: &SignArgs) -> Result<(), CliError> {
    let path = &args.file;
    let (mut file, head) = bundle_file::read_head(path)?;
    check(path, &head)?;
    let own = passphrase::load_key(&args.key)?;
    let record = seal::sign(&own.key, head.manifest_bytes());

    let mut output = OutputFile::create(path)?;
    copy(&mut file, &mut output, path)?;
    bundle::signatures::add(output.file(), &head, record).map_err(|source| CliError::Sign {
        path: path.clone(),
        source,
    })?;
    let signed = output.file().try_clone().map_err(|source| write_error(path, source))?;
    let verified = Opened::new(signed)
        .and_then(Opened::verify)
        .map_err(|error| unverified(path, error))?;
    let report = Report {
        file: path.display().to_string(),
        key_id: own.key.public_key().key_id().to_string(),
        key_created: own.created,
        key_ids: verified.signers().iter().map(ToString::to_string).collect(),
    };
    drop(verified);
    output.publish()?;
    match (args.json, args.quiet) {
        (true, _) => output::print_json(&report),
        (false, true) => Ok(()),
        (false, false) => output::print(|out| {
            let all = report.key_ids.join(", ");
            writeln!(
                out,
                "{}: signed by key {}; signatures: {all}",
                report.file, report.key_id
            )
        }),
    }
}

/// Nothing is signed that is known not to be whole. Of a bundle that somebody signed every byte is checked; of one that nobody did, only
/// that manifest and layout agree, since nothing says yet what its bytes should be. One with a wrong signature is refused.
fn check(path: &Path, head: &Bundle) -> Result<(), CliError> {
    let file = bundle_file::open(path)?;
    match Opened::new(file).and_then(Opened::verify) {
        Ok(verified) => super::verify::check_contents(path, &verified, false),
        Err(VerifyError::Unsigned { .. }) => {
            let manifest = bundle::Manifest::parse(head.manifest_bytes()).map_err(ReadError::Manifest);
            let agrees = manifest.and_then(|manifest| head.check_manifest(&manifest));
            agrees.map_err(|error| unverified(path, error.into()))
        }
        Err(error) => Err(unverified(path, error)),
    }
}

/// The bundle's bytes and permissions.
fn copy(file: &mut fs::File, output: &mut OutputFile, path: &Path) -> Result<(), CliError> {
    let mut copy = || -> io::Result<()> {
        file.rewind()?;
        io::copy(file, output.file())?;
        let mode = file.metadata()?.permissions().mode();
        output.file().set_permissions(fs::Permissions::from_mode(mode & 0o7777))
    };
    copy().map_err(|source| write_error(path, source))
}

fn write_error(path: &Path, source: io::Error) -> CliError {
    CliError::Output(OutputError::Write {
        path: path.to_owned(),
        source,
    })
}
