//! `polecat doctor`: which rungs of the ladder work on this machine, why the others do not, and what would help.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use nix::sys::memfd::{MFdFlags, memfd_create};
use runtime::Control;
use runtime::doctor;
use runtime::exit::{self, End};

use super::args::DoctorArgs;
use super::bundle_file;
use super::error::CliError;

/// A bundle of a single file, for where none is named.
const SPECIMEN: &[u8] = include_bytes!("../../../fixtures/golden/v1/minimal.bundle");

/// Tries, and ends with the status that says whether any rung works.
pub(super) fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let (path, file) = match &args.file {
        Some(path) => {
            let file = bundle_file::open(path)?;
            (path.canonicalize().unwrap_or_else(|_| path.clone()), file)
        }
        None => {
            let path = Path::new("a small bundle").to_owned();
            let file = specimen().map_err(|source| CliError::Open {
                path: path.clone(),
                source,
            })?;
            (path, file)
        }
    };
    let verified = bundle_file::verify_open(&path, file)?;
    let control = Control::from_variables(|name| std::env::var_os(name)).map_err(CliError::Control)?;
    let report = doctor::examine(&verified, &control, &path).map_err(CliError::Run)?;
    let text = if args.json { report.json() } else { report.to_string() };
    io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
        .map_err(CliError::Print)?;
    match report.status() {
        0 => Ok(()),
        status => exit::leave(&End::Exited(status)),
    }
}

/// In memory: the doctor is asked where nothing can be written, too.
fn specimen() -> io::Result<File> {
    let mut file = File::from(memfd_create("specimen", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(SPECIMEN)?;
    Ok(file)
}
