//! `polecat why`: what brought a path into a bundle.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use super::args::WhyArgs;
use super::bundle_file;
use super::error::CliError;
use super::output;
use crate::listing::{Listing, Way};
use crate::reasons::{Reasons, ReasonsError, Step};
use crate::rootfs::{RootPath, printable};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    path: RootPath,
    in_bundle: bool,
    /// The links on the way, directories' among them.
    links: Vec<Link>,
    /// Where the path ends; none where that is not in the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    leads_to: Option<RootPath>,
    /// One for each link that the path ends at, and for what they lead to; what a later one holds is left out.
    chains: Vec<Chain>,
    /// What may have been meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    near: Vec<RootPath>,
}

#[derive(Debug, Serialize)]
struct Link {
    path: RootPath,
    target: String,
}

/// From the command down to a path.
#[derive(Debug, Serialize)]
struct Chain {
    path: RootPath,
    steps: Vec<Step>,
}

/// Checks the bundle as far as it is read, and tells.
pub(super) fn run(args: &WhyArgs) -> Result<(), CliError> {
    let verified = bundle_file::verify(&args.file)?;
    let (image, listing) = bundle_file::list(&args.file, &verified)?;
    let asked = args.path.as_os_str().as_bytes();
    let way = listing.follow(&image, asked);
    let way = way.map_err(|source| bundle_file::unlisted(&args.file, source))?;
    let wanted = wanted(&way);
    let absent = absent(args, &listing, &way);
    let chains = match bundle_file::reasons(&args.file, &verified, &listing)? {
        Some(reasons) => chains(&reasons, &listing, &wanted).map_err(|source| CliError::Reasons {
            path: args.file.clone(),
            source,
        })?,
        // That it is not there can be told all the same.
        None if wanted.is_empty() => Vec::new(),
        None => {
            return Err(CliError::NoReasons {
                path: args.file.clone(),
            });
        }
    };
    let report = Report {
        file: args.file.display().to_string(),
        path: RootPath::new(asked),
        in_bundle: absent.is_none(),
        links: way.links.iter().map(Link::of).collect(),
        leads_to: way.end.ok(),
        chains,
        near: match &absent {
            Some(CliError::NotInBundle { near, .. }) => near.clone(),
            _ => Vec::new(),
        },
    };
    match args.json {
        true => output::print_json(&report)?,
        false => print(&report)?,
    }
    absent.map_or(Ok(()), Err)
}

/// The paths whose reasons are asked for: the links that the path ends at, and where they lead.
fn wanted(way: &Way) -> Vec<RootPath> {
    let links = way.links.iter().filter(|link| link.is_last).map(|link| &link.path);
    let mut wanted: Vec<RootPath> = Vec::new();
    for path in links.chain(way.end.as_ref().ok()) {
        if !wanted.contains(path) {
            wanted.push(path.clone());
        }
    }
    wanted
}

fn absent(args: &WhyArgs, listing: &Listing, way: &Way) -> Option<CliError> {
    let missing = way.end.as_ref().err()?;
    let link = way.links.iter().rev().find(|link| link.is_last);
    Some(CliError::NotInBundle {
        path: args.file.clone(),
        wanted: missing.clone(),
        link: link.map(|link| link.path.clone()),
        near: listing.near(missing),
    })
}

/// The chains of these paths, without those that are the beginning of a later one.
fn chains(reasons: &Reasons, listing: &Listing, paths: &[RootPath]) -> Result<Vec<Chain>, ReasonsError> {
    let mut chains: Vec<Chain> = Vec::new();
    for path in paths {
        let Some(place) = listing.place(path) else { continue };
        let steps = reasons.chain(place, |place| listing.path(place))?;
        chains.retain(|earlier| !steps.iter().any(|step| step.path == earlier.path));
        chains.push(Chain {
            path: path.clone(),
            steps,
        });
    }
    Ok(chains)
}

impl Link {
    fn of(step: &crate::listing::LinkStep) -> Self {
        Self {
            path: step.path.clone(),
            target: printable(&step.target),
        }
    }
}

fn print(report: &Report) -> Result<(), CliError> {
    output::print(|out| {
        for Link { path, target } in &report.links {
            writeln!(out, "{path} is a link to {target}")?;
        }
        for (number, chain) in report.chains.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            for step in &chain.steps {
                writeln!(out, "{}: {}", step.path, step.text)?;
            }
        }
        Ok(())
    })
}
