//! The Debian root file systems that the tests pack from: each made once for its recipe and kept between runs.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::{paths, programs};

/// A root file system that there is a recipe for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rootfs {
    /// The small one of most tests.
    Tests,
    /// The one with the programs of the cases.
    Cases,
    /// The one of the cases for another architecture.
    CasesArm64,
}

impl Rootfs {
    /// Where the recipe is, in the workspace.
    const fn folder(self) -> &'static str {
        match self {
            Self::Tests => "fixtures/rootfs",
            Self::Cases => "fixtures/cases/rootfs",
            Self::CasesArm64 => "fixtures/cases/rootfs-arm64",
        }
    }

    /// What the names of its trees begin with.
    const fn name(self) -> &'static str {
        match self {
            Self::Tests => "rootfs",
            Self::Cases => "cases",
            Self::CasesArm64 => "cases-arm64",
        }
    }
}

/// What a recipe asks for.
#[derive(Default)]
struct Recipe {
    suite: String,
    variant: String,
    /// Debian's name; none for this machine's.
    architecture: Option<String>,
    packages: Vec<String>,
    /// Lines for sh, run on the finished tree, which is their `$1`.
    hooks: Vec<String>,
    /// Files laid over the tree: path on this machine, path in the tree, permissions.
    files: Vec<(PathBuf, PathBuf, u32)>,
    /// Hexadecimal digest of all of the above, contents included.
    digest: String,
}

/// Path of a root file system, made now if it is not there. Two processes that ask at once make it once.
pub(crate) fn ensure(rootfs: Rootfs) -> Result<PathBuf, Error> {
    let recipe = Recipe::read(&paths::workspace().join(rootfs.folder()))?;
    let cache = paths::cache()?;
    let tree = cache.join(format!("{}-{}", rootfs.name(), recipe.digest));
    if tree.is_dir() {
        return Ok(tree);
    }
    fs::create_dir_all(&cache).map_err(Error::file("create", &cache))?;
    let lock_path = tree.with_extension("lock");
    let lock = File::create(&lock_path).map_err(Error::file("create", &lock_path))?;
    lock.lock().map_err(Error::file("lock", &lock_path))?;
    if !tree.is_dir() {
        recipe.make(&tree)?;
    }
    Ok(tree)
}

impl Recipe {
    fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("recipe.conf");
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let mut recipe = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || Error::Recipe {
                path: path.clone(),
                line: index + 1,
            };
            let (key, value) = line.split_once('=').ok_or_else(malformed)?;
            let value = value.trim().to_owned();
            match key.trim() {
                "suite" => recipe.suite = value,
                "variant" => recipe.variant = value,
                "architecture" => recipe.architecture = Some(value),
                "package" => recipe.packages.push(value),
                "hook" => recipe.hooks.push(value),
                _ => return Err(malformed()),
            }
        }
        let root = folder.join("files");
        if root.is_dir() {
            collect_files(&root, Path::new("/"), &mut recipe.files)?;
        }
        recipe.digest = digest(&text, &recipe.files)?;
        Ok(recipe)
    }

    /// Makes the tree beside `tree` and renames it, so that what has the name is whole.
    fn make(&self, tree: &Path) -> Result<(), Error> {
        let partial = tree.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        }
        eprintln!("xtask: making the root file system {}", tree.display());
        let mode = if nix::unistd::geteuid().is_root() {
            "root"
        } else {
            "auto"
        };
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap
            .arg("--quiet")
            .arg(format!("--mode={mode}"))
            .arg(format!("--variant={}", self.variant))
            .arg(format!("--include={}", self.packages.join(",")));
        if let Some(architecture) = &self.architecture {
            mmdebstrap.arg(format!("--architectures={architecture}"));
        }
        // Nothing is customized where nothing is configured.
        let hook = match self.variant.as_str() {
            "extract" => "--extract-hook",
            _ => "--customize-hook",
        };
        for (from, to, permissions) in &self.files {
            let (from, to) = (quoted(from), quoted(to));
            mmdebstrap.arg(format!("{hook}=install -D -m {permissions:o} {from} \"$1\"{to}"));
        }
        for line in &self.hooks {
            mmdebstrap.arg(format!("{hook}={line}"));
        }
        mmdebstrap
            .arg(&self.suite)
            .arg(&partial)
            .stdin(Stdio::null())
            .stdout(std::io::stderr());
        programs::run(&mut mmdebstrap)?;
        fs::rename(&partial, tree).map_err(Error::file("rename", &partial))
    }
}

/// Every regular file below `root`, sorted, with where it goes and whether it is executable.
fn collect_files(root: &Path, inside: &Path, files: &mut Vec<(PathBuf, PathBuf, u32)>) -> Result<(), Error> {
    let mut entries = fs::read_dir(root)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(Error::file("read", root))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, inside) = (entry.path(), inside.join(entry.file_name()));
        let metadata = entry.metadata().map_err(Error::file("read", &path))?;
        if metadata.is_dir() {
            collect_files(&path, &inside, files)?;
        } else {
            let executable = metadata.permissions().mode() & 0o100 != 0;
            files.push((path, inside, if executable { 0o755 } else { 0o644 }));
        }
    }
    Ok(())
}

/// The first 16 hexadecimal digits of SHA-256 over machine, recipe and files.
fn digest(recipe: &str, files: &[(PathBuf, PathBuf, u32)]) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    let mut add = |part: &[u8]| {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    };
    add(std::env::consts::ARCH.as_bytes());
    add(recipe.as_bytes());
    for (from, to, permissions) in files {
        add(to.as_os_str().as_encoded_bytes());
        add(&permissions.to_le_bytes());
        add(&fs::read(from).map_err(Error::file("read", from))?);
    }
    Ok(hasher
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// In single quotes for sh.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
