//! `polecat diff`: what two bundles differ in.

use std::io::{self, Write};
use std::path::Path;

use runtime::image::VerifiedImage;
use runtime::verify::Verified;
use serde::Serialize;
use squashfs::Image;

use super::args::DiffArgs;
use super::bundle_file::{self, unlisted};
use super::error::CliError;
use super::output::{self, Bytes, counted};
use super::progress::Progress;
use super::verify;
use crate::difference::{Difference, DifferenceError, FieldChange, FileChange, FileDescription, FilePart, Side};
use crate::inventory::Inventory;
use crate::listing::Listing;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    a: String,
    b: String,
    same: bool,
    #[serde(flatten)]
    difference: &'a Difference,
}

/// A bundle that is open, with all that is compared of it.
struct Open<'a> {
    path: &'a Path,
    verified: Verified,
    manifest_bytes: Vec<u8>,
    file_length: u64,
    image: Image<VerifiedImage>,
    listing: Listing,
    inventory: Option<Inventory>,
}

/// Checks both bundles as far as they are read, and compares them.
pub(super) fn run(args: &DiffArgs) -> Result<(), CliError> {
    let difference = compare(args).map_err(|error| CliError::Incomparable(Box::new(error)))?;
    let same = difference.is_empty();
    let printed = match (args.json, args.quiet) {
        (true, _) => output::print_json(&Report {
            a: args.a.display().to_string(),
            b: args.b.display().to_string(),
            same,
            difference: &difference,
        }),
        (false, true) => Ok(()),
        (false, false) => print(args, &difference),
    };
    match printed {
        // Whoever reads the report has seen enough; the status is still asked for.
        Err(CliError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(CliError::Incomparable(Box::new(error))),
        Ok(()) => {}
    }
    match same {
        true => Ok(()),
        false => Err(CliError::Different),
    }
}

fn compare(args: &DiffArgs) -> Result<Difference, CliError> {
    let (a, b) = (Open::new(&args.a)?, Open::new(&args.b)?);
    if a.side().image_digest == b.side().image_digest {
        // Nothing of the images is read to compare them: that they are what their digest says is still to be seen.
        for open in [&a, &b] {
            verify::check_contents(open.path, &open.verified, !args.quiet && !args.json)?;
        }
    }
    let bytes = a.verified.manifest().image.unpacked_size;
    let progress = Progress::new("comparing", bytes, !args.quiet && !args.json);
    let difference = Difference::between(&a.side(), &b.side(), &mut |bytes| progress.add(bytes));
    difference.map_err(|error| match error {
        DifferenceError::A(source) => unlisted(a.path, source),
        DifferenceError::B(source) => unlisted(b.path, source),
        DifferenceError::Manifest(error) => CliError::Open {
            path: a.path.to_owned(),
            source: error.into(),
        },
    })
}

impl<'a> Open<'a> {
    fn new(path: &'a Path) -> Result<Self, CliError> {
        let (file, head) = bundle_file::read_head(path)?;
        let verified = bundle_file::verify_open(path, file)?;
        let (image, listing) = bundle_file::list(path, &verified)?;
        let inventory = bundle_file::inventory(path, &verified)?;
        Ok(Self {
            path,
            manifest_bytes: head.manifest_bytes().to_vec(),
            file_length: head.superblock().file_length,
            verified,
            image,
            listing,
            inventory,
        })
    }

    fn side(&self) -> Side<'_, VerifiedImage> {
        let manifest = self.verified.manifest();
        let signers = self.verified.signers().iter();
        Side {
            manifest_bytes: &self.manifest_bytes,
            image_digest: (&manifest.hash_tree.root_digest, &manifest.hash_tree.salt),
            image: &self.image,
            listing: &self.listing,
            inventory: self.inventory.as_ref(),
            signers: signers.map(ToString::to_string).collect(),
            sizes: vec![
                ("file", self.file_length),
                ("stub", manifest.stub.length),
                ("image", manifest.image.length),
                ("unpacked", manifest.image.unpacked_size),
            ],
        }
    }
}

fn print(args: &DiffArgs, difference: &Difference) -> Result<(), CliError> {
    output::print(|out| {
        if difference.is_empty() {
            return writeln!(out, "{} and {} are the same", args.a.display(), args.b.display());
        }
        writeln!(out, "--- {}", args.a.display())?;
        writeln!(out, "+++ {}", args.b.display())?;
        let signers = &difference.signers;
        section(
            out,
            "signers",
            signed(&signers.removed, &signers.added, |id| format!("key {id}")),
            [],
        )?;
        section(out, "about", [], difference.about.iter().map(field_line))?;
        section(out, "start", [], difference.start.iter().map(field_line))?;
        section(out, "permissions", [], difference.permissions.iter().map(field_line))?;
        let packages = &difference.packages;
        let alone = signed(&packages.removed, &packages.added, |package| {
            format!("{} {}", package.name, package.version)
        });
        let changed = packages.changed.iter();
        section(
            out,
            "packages",
            alone,
            changed.map(|change| format!("{} {} -> {}", change.name, change.a, change.b)),
        )?;
        print_files(out, difference)?;
        let sizes = difference.sizes.iter();
        let sizes = sizes.map(|size| {
            let (grown, by) = (size.b > size.a, size.a.abs_diff(size.b));
            let sign = if grown { '+' } else { '-' };
            format!("{} {} -> {} ({sign}{by} bytes)", size.of, Bytes(size.a), Bytes(size.b))
        });
        section(out, "sizes", [], sizes)
    })
}

/// A title and its lines, if there are any: what is only in one with its sign, then what is in both.
fn section(
    out: &mut impl Write,
    title: &str,
    alone: impl IntoIterator<Item = String>,
    changed: impl IntoIterator<Item = String>,
) -> io::Result<()> {
    let changed = changed.into_iter().map(|line| format!("~ {line}"));
    let lines: Vec<String> = alone.into_iter().chain(changed).collect();
    if !lines.is_empty() {
        writeln!(out, "{title}")?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn signed<T>(removed: &[T], added: &[T], line: impl Fn(&T) -> String) -> Vec<String> {
    let removed = removed.iter().map(|one| format!("- {}", line(one)));
    removed
        .chain(added.iter().map(|one| format!("+ {}", line(one))))
        .collect()
}

fn field_line(change: &FieldChange) -> String {
    let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("none".to_owned(), ToString::to_string);
    format!("{}: {} -> {}", change.field, value(&change.a), value(&change.b))
}

fn print_files(out: &mut impl Write, difference: &Difference) -> io::Result<()> {
    let files = &difference.files;
    // Times differ in most files where trees were made anew: their number says enough.
    let (times, changed): (Vec<&FileChange>, Vec<&FileChange>) = files
        .changed
        .iter()
        .partition(|change| change.parts == [FilePart::Time]);
    let alone = signed(&files.removed, &files.added, file_line);
    let mut lines: Vec<String> = changed.into_iter().map(change_line).collect();
    if !times.is_empty() {
        let paths = counted(times.len() as u64, "path");
        lines.push(format!("{paths} with other times and nothing else"));
    }
    if difference.stored_otherwise {
        lines.push("the same files, stored otherwise".to_owned());
    }
    section(out, "files", alone, lines)
}

fn file_line(file: &FileDescription) -> String {
    let target = file
        .target
        .as_ref()
        .map_or(String::new(), |target| format!(" -> {target}"));
    let size = file.size.map_or(String::new(), |size| format!(", {}", Bytes(size)));
    format!(
        "{}{target}  ({:04o}, {}:{}{size})",
        file.path, file.mode, file.uid, file.gid
    )
}

fn change_line(change: &FileChange) -> String {
    let FileChange { path, parts, a, b } = change;
    let part = |part: &FilePart| match part {
        FilePart::Kind => format!("{} -> {}", kind(a), kind(b)),
        FilePart::Content if a.size == b.size => "content".to_owned(),
        FilePart::Content => format!(
            "content, {} -> {}",
            Bytes(a.size.unwrap_or(0)),
            Bytes(b.size.unwrap_or(0))
        ),
        FilePart::Target => {
            let target = |file: &FileDescription| file.target.clone().unwrap_or_default();
            format!("leads to {} -> {}", target(a), target(b))
        }
        FilePart::Mode => format!("mode {:04o} -> {:04o}", a.mode, b.mode),
        FilePart::Owner => format!("owner {}:{} -> {}:{}", a.uid, a.gid, b.uid, b.gid),
        FilePart::Time => "time".to_owned(),
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    format!("{path}: {}", parts.join(", "))
}

fn kind(file: &FileDescription) -> &'static str {
    use crate::difference::FileKind;
    match file.kind {
        FileKind::Directory => "directory",
        FileKind::File => "file",
        FileKind::Symlink => "link",
        FileKind::Special => "special file",
    }
}
