//! The plan without a stub around it, in the formats of others: a squashfs image, an archive, a directory.
//!
//! What is in them is what is in a bundle's image: the same paths, modes, owners and times. The same plan over the same files gives the
//! same bytes. Nothing of them is signed, and there is no manifest: they do not say what is to be started, or how.

mod archive;
mod contents;
mod directory;
mod error;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::image::{self, ImageError, ImageOptions};
use crate::options::PackOptions;
use crate::plan::{Node, Plan};
use crate::rootfs::Rootfs;
use crate::seal::{OutputError, OutputFile};

pub use directory::check as check_directory;
pub use error::ExportError;

/// Nobody executes an image or an archive: 0666 before the umask.
const MODE: u32 = 0o666;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Entries of every kind, the root directory included.
    pub entries: u64,
    /// Regular files among them.
    pub files: u64,
    /// Sum of the regular files' sizes in bytes.
    pub unpacked_size: u64,
    /// Length of the file in bytes; none for a directory.
    pub file_length: Option<u64>,
}

impl Exported {
    fn of(plan: &Plan) -> Self {
        let mut exported = Self::default();
        for entry in plan.entries.values() {
            let size = match &entry.node {
                Node::File { size } => Some(*size),
                Node::Synthetic { contents } => Some(contents.len() as u64),
                Node::Directory | Node::Symlink { .. } => None,
            };
            exported.entries += 1;
            exported.files += u64::from(size.is_some());
            exported.unpacked_size += size.unwrap_or(0);
        }
        exported
    }
}

/// Writes a squashfs image to `options.output`.
///
/// # Errors
/// [`ExportError`]; what was at the output's path before is still there then.
pub fn squashfs(
    plan: &Plan,
    rootfs: &Rootfs,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, ExportError> {
    let path = &options.output;
    let mut output = OutputFile::create(path)?;
    let stats = image::write(plan, rootfs, output.file(), &options.image, progress);
    let stats = stats.map_err(|error| of_output(error, path))?;
    output
        .file()
        .set_len(stats.length)
        .map_err(|source| write_fault(path, source))?;
    publish(output, path)?;
    Ok(Exported {
        file_length: Some(stats.length),
        ..Exported::of(plan)
    })
}

/// Writes a tar archive, compressed with gzip, to `options.output`; the level is gzip's.
///
/// # Errors
/// [`ExportError`]; what was at the output's path before is still there then.
pub fn tgz(
    plan: &Plan,
    rootfs: &Rootfs,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, ExportError> {
    let (path, image) = (&options.output, &options.image);
    let mut output = OutputFile::create(path)?;
    let written = archive::write(plan, rootfs, output.file(), image, progress);
    written.map_err(|error| of_output(error, path))?;
    let file_length = output
        .file()
        .metadata()
        .map_err(|source| write_fault(path, source))?
        .len();
    publish(output, path)?;
    Ok(Exported {
        file_length: Some(file_length),
        ..Exported::of(plan)
    })
}

/// Makes the directory `options.output`. As root, owners are kept; otherwise all files are the caller's.
///
/// # Errors
/// [`ExportError`]; nothing is at the output's path then that was not there before.
pub fn directory(
    plan: &Plan,
    rootfs: &Rootfs,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, ExportError> {
    directory::write(plan, rootfs, options, progress)?;
    Ok(Exported::of(plan))
}

/// The modification time of an entry, seconds since 1970; none is later than `SOURCE_DATE_EPOCH`. Those of an image.
fn time(mtime: i64, options: &ImageOptions) -> u32 {
    let seconds = u32::try_from(mtime.max(0)).unwrap_or(u32::MAX);
    seconds.min(options.epoch.unwrap_or(u32::MAX))
}

fn publish(mut output: OutputFile, path: &Path) -> Result<(), ExportError> {
    let file = output.file();
    let permissions = file.metadata().map(|metadata| metadata.permissions().mode() & MODE);
    permissions
        .and_then(|mode| file.set_permissions(std::fs::Permissions::from_mode(mode)))
        .map_err(|source| write_fault(path, source))?;
    Ok(output.publish()?)
}

fn write_fault(path: &Path, source: std::io::Error) -> ExportError {
    ExportError::Output(OutputError::Write {
        path: path.to_owned(),
        source,
    })
}

/// A failed write says where it was writing.
fn of_output(error: ImageError, path: &Path) -> ExportError {
    match error {
        ImageError::Write(source) => write_fault(path, source),
        error => ExportError::Contents(error),
    }
}
