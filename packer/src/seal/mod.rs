//! One file of it all: stub, manifest, signature, image and hash tree, under its name only when everything is right and on the disk.

mod output_file;

use std::fmt;
use std::path::Path;

use bundle::manifest::{self, HashTreeRecord, ImageRecord, Isolation, Manifest, SectionRecord, StubRecord};
use bundle::path_set;
use bundle::writer::Summary;
use bundle::{BundleWriter, ManifestError, PathSetError, SignatureRecord, WriteError};
use sha2::{Digest, Sha256};
use signing::{Purpose, SecretKey};

use crate::image::{self, ImageError, ImageStats};
use crate::inventory::{Inventory, InventoryError};
use crate::known_paths::KnownPaths;
use crate::options::PackOptions;
use crate::plan::{self, Node, Plan};
use crate::reasons::{Reasons, ReasonsError};
use crate::rootfs::{RootPath, Rootfs};
use crate::stubs::Stub;

pub use output_file::{OutputError, OutputFile};

/// The program and version that manifests name as their generator.
pub const GENERATOR: &str = concat!("polecat ", env!("CARGO_PKG_VERSION"));

/// What was written.
#[derive(Debug)]
pub struct Sealed {
    /// What the bundle writer says.
    pub bundle: Summary,
    /// What the image writer says.
    pub image: ImageStats,
    /// Why the bundle has no list of the packages it is made of, although there is a database of them.
    pub inventory_fault: Option<InventoryError>,
    /// Directories whose paths the bundle does not know, since there are too many in them.
    pub unknown: Vec<RootPath>,
}

/// Why there is no bundle.
#[derive(Debug)]
pub enum SealError {
    /// The output file.
    Output(OutputError),
    /// The image.
    Image(ImageError),
    /// What stands around the image.
    Bundle(WriteError),
    /// The entry point's path is not UTF-8, which the manifest is.
    EntryName {
        /// The entry point.
        path: RootPath,
    },
    /// The manifest would not be valid.
    Manifest(ManifestError),
    /// The reasons cannot be written down.
    Reasons(ReasonsError),
    /// The set of the root file system's paths.
    KnownPaths(PathSetError),
}

impl SealError {
    /// A failed write says where it was writing.
    fn of_output(self, path: &Path) -> Self {
        match self {
            Self::Image(ImageError::Write(source)) | Self::Bundle(WriteError::Io { source, .. }) => {
                Self::Output(OutputError::Write {
                    path: path.to_owned(),
                    source,
                })
            }
            error => error,
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Output(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Bundle(error) => error.hint(),
            Self::EntryName { .. } => Some("give the command under another name, such as a symbolic link to it".into()),
            Self::Manifest(_) => None,
            Self::Reasons(error) => error.hint(),
            Self::KnownPaths(_) => Some("leave the set out with --no-paths".into()),
        }
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(error) => error.fmt(f),
            Self::Image(error) => error.fmt(f),
            Self::Bundle(error) => error.fmt(f),
            Self::EntryName { path } => write!(f, "{path}: the path of the command is not UTF-8"),
            Self::Manifest(error) => write!(f, "cannot write the manifest: {error}"),
            Self::Reasons(error) => error.fmt(f),
            Self::KnownPaths(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SealError {}

impl From<OutputError> for SealError {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl From<ImageError> for SealError {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl From<ManifestError> for SealError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl From<ReasonsError> for SealError {
    fn from(error: ReasonsError) -> Self {
        Self::Reasons(error)
    }
}

impl From<WriteError> for SealError {
    fn from(error: WriteError) -> Self {
        Self::Bundle(error)
    }
}

/// Writes the bundle of `plan` to `options.output`, signed with `key`. `progress` is told of the bytes of the files as they are read.
///
/// # Errors
/// [`SealError`]; what was at the output's path before is still there then.
pub fn seal(
    plan: &Plan,
    rootfs: &Rootfs,
    stub: &Stub,
    key: &SecretKey,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Sealed, SealError> {
    // Before the output is there, which may have a name for the time being.
    let known = match options.known_paths {
        true => Some(KnownPaths::collect(rootfs, paths_salt(plan), &options.output).map_err(SealError::KnownPaths)?),
        false => None,
    };
    let mut output = OutputFile::create(&options.output)?;
    let ingredients = Ingredients {
        plan,
        rootfs,
        stub,
        key,
        options,
        known,
    };
    let sealed = write(ingredients, progress, &mut output);
    let sealed = sealed.map_err(|error| error.of_output(&options.output))?;
    output.publish()?;
    Ok(sealed)
}

/// What a bundle is made of.
struct Ingredients<'a> {
    plan: &'a Plan,
    rootfs: &'a Rootfs,
    stub: &'a Stub,
    key: &'a SecretKey,
    options: &'a PackOptions,
    known: Option<KnownPaths>,
}

fn write(
    ingredients: Ingredients<'_>,
    progress: &mut dyn FnMut(u64),
    output: &mut OutputFile,
) -> Result<Sealed, SealError> {
    let Ingredients {
        plan,
        rootfs,
        stub,
        key,
        options,
        known,
    } = ingredients;
    let mut manifest = manifest(plan, options)?;
    let inventory = Inventory::collect(plan, rootfs)
        .and_then(|inventory| inventory.map(|inventory| inventory.to_bytes()).transpose());
    // A bundle runs without it, and a database may be damaged: the packer's user is told.
    let (packages, inventory_fault) = match inventory {
        Ok(packages) => (packages, None),
        Err(fault) => (None, Some(fault)),
    };
    let reasons = options.reasons.then(|| Reasons::of(plan)?.to_bytes()).transpose()?;
    manifest.packages = packages.as_ref().map(|_| SectionRecord::default());
    manifest.reasons = reasons.as_ref().map(|_| SectionRecord::default());
    manifest.paths = known.as_ref().map(|_| SectionRecord::default());
    let mut writer = BundleWriter::create(output.file(), stub.bytes(), manifest.capacity()?)?;
    if let Some(packages) = packages {
        writer.packages(packages);
    }
    if let Some(reasons) = reasons {
        writer.reasons(reasons);
    }
    let mut unknown = Vec::new();
    if let Some(known) = known {
        writer.paths(known.section);
        unknown = known.left_out;
    }
    let image = image::write(plan, rootfs, writer.image(), &options.image, progress)?;
    manifest.image.entries = image.entries;
    manifest.image.unpacked_size = image.unpacked_size;
    let bundle = writer.finish(image.length, manifest, &salt(plan), |body| vec![sign(key, body)])?;
    Ok(Sealed {
        bundle,
        image,
        inventory_fault,
        unknown,
    })
}

/// A signature of `key` over the stored manifest.
pub fn sign(key: &SecretKey, manifest: &[u8]) -> SignatureRecord {
    let signature = key.sign(Purpose::BundleManifest, manifest);
    SignatureRecord::ed25519(key.public_key().to_bytes(), signature.0)
}

/// The manifest but for what its writer knows better: lengths, offsets, digests.
fn manifest(plan: &Plan, options: &PackOptions) -> Result<Manifest, SealError> {
    let entry_points = plan.entry_points.iter().map(entry_point);
    Ok(Manifest {
        format_version: bundle::layout::FORMAT_VERSION,
        name: options.name.clone(),
        architecture: plan.architecture.clone(),
        created: options.image.epoch.map_or(0, u64::from),
        generator: GENERATOR.to_owned(),
        stub: StubRecord {
            length: 0,
            sha256: String::new(),
        },
        image: ImageRecord {
            offset: 0,
            length: 0,
            entries: 0,
            unpacked_size: 0,
        },
        hash_tree: HashTreeRecord {
            offset: 0,
            length: 0,
            salt: String::new(),
            root_digest: String::new(),
        },
        process: process(&plan.entry, &plan.search_path, options)?,
        isolation: Isolation {
            contain: options.contain,
            options: options.isolation.clone(),
            seccomp: options.seccomp.clone(),
        },
        entry_points: entry_points.collect::<Result<_, _>>()?,
        packages: None,
        reasons: None,
        paths: None,
        requires: requires(options),
    })
}

/// What a reader must know beyond version 1.
fn requires(options: &PackOptions) -> Vec<String> {
    let isolation =
        (!options.isolation.is_empty() || options.seccomp.is_some()).then(|| manifest::ISOLATION_OPTIONS.to_owned());
    isolation.into_iter().collect()
}

/// How the program at `entry` is started.
///
/// # Errors
/// [`SealError::EntryName`].
pub fn process(entry: &RootPath, search_path: &str, options: &PackOptions) -> Result<manifest::Process, SealError> {
    Ok(manifest::Process {
        path: utf8(entry)?,
        args: options.args.clone(),
        env: environment(search_path, &options.env),
        cwd: options.workdir.clone(),
    })
}

fn entry_point(entry: &plan::EntryPoint) -> Result<manifest::EntryPoint, SealError> {
    Ok(manifest::EntryPoint {
        name: entry.name.clone(),
        path: utf8(&entry.path)?,
    })
}

fn utf8(path: &RootPath) -> Result<String, SealError> {
    let text = std::str::from_utf8(path.as_bytes());
    Ok(text
        .map_err(|_| SealError::EntryName { path: path.clone() })?
        .to_owned())
}

/// PATH of the root file system and what was asked for; of a variable that is named twice the last one counts.
fn environment(search_path: &str, asked: &[String]) -> Vec<String> {
    let path = format!("PATH={search_path}");
    let mut environment: Vec<String> = Vec::new();
    for variable in std::iter::once(&path).chain(asked) {
        let name = variable.split_inclusive('=').next().unwrap_or_default();
        environment.retain(|earlier| !earlier.starts_with(name));
        environment.push(variable.clone());
    }
    environment
}

/// A salt that differs from tree to tree and not from run to run: the digest of what is packed, as far as the plan knows it.
fn salt(plan: &Plan) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut field = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    field(b"polecat hash tree salt v1");
    field(plan.entry.as_bytes());
    for (path, entry) in &plan.entries {
        field(path.as_bytes());
        field(&entry.mtime.to_le_bytes());
        match &entry.node {
            Node::File { size } => field(&size.to_le_bytes()),
            Node::Synthetic { contents } => field(contents),
            Node::Symlink { target } => field(target),
            Node::Directory => field(b""),
        }
    }
    digest.finalize().into()
}

/// A salt for the set of paths that follows from the same.
fn paths_salt(plan: &Plan) -> [u8; path_set::SALT_LENGTH] {
    let digest = Sha256::new_with_prefix(b"polecat path set salt v1")
        .chain_update(salt(plan))
        .finalize();
    let mut salt = [0; path_set::SALT_LENGTH];
    salt.copy_from_slice(&digest[..path_set::SALT_LENGTH]);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_variable_counts() {
        for (asked, expected) in [
            (&[][..], vec!["PATH=/bin"]),
            (&["A=1", "B=x=y"], vec!["PATH=/bin", "A=1", "B=x=y"]),
            (&["A=1", "AB=2", "A=3"], vec!["PATH=/bin", "AB=2", "A=3"]),
            (&["PATH=/opt"], vec!["PATH=/opt"]),
        ] {
            let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
            assert_eq!(environment("/bin", &asked), expected);
        }
    }
}
