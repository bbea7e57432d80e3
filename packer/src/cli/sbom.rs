//! `polecat sbom`: what a bundle is made of, for programs that look for vulnerabilities and licences.

use std::fs;
use std::path::Path;

use runtime::verify::Verified;

use super::args::{SbomArgs, SbomFormat};
use super::bundle_file::{self, unlisted};
use super::error::CliError;
use super::output;
use crate::inventory::Inventory;
use crate::listing::ListingError;
use crate::sbom::{BillOfMaterials, Format};

/// Checks and lists. Each file of the image is checked as it is read.
pub(super) fn run(args: &SbomArgs) -> Result<(), CliError> {
    let verified = bundle_file::verify(&args.file)?;
    let inventory = bundle_file::inventory(&args.file, &verified)?;
    if inventory.is_none() {
        let file = args.file.display();
        output::note(&format!(
            "warning: {file}: it does not list its packages: its root file system had no package database, or an older polecat packed it"
        ));
    }
    let format = match args.format {
        SbomFormat::Spdx => Format::Spdx,
        SbomFormat::Cyclonedx => Format::CycloneDx,
    };
    let document = read(&args.file, &verified, inventory)?.to_json(format);
    match &args.output {
        None => output::print_json(&document),
        Some(path) => write(path, &document),
    }
}

fn read(path: &Path, verified: &Verified, inventory: Option<Inventory>) -> Result<BillOfMaterials, CliError> {
    let image = verified.image().open().map_err(ListingError::from);
    let bill = image.and_then(|image| BillOfMaterials::new(verified.manifest(), inventory, &image));
    bill.map_err(|source| unlisted(path, source))
}

fn write(path: &Path, document: &serde_json::Value) -> Result<(), CliError> {
    let text = format!("{document:#}\n");
    fs::write(path, text).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })
}
