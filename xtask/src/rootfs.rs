//! The Debian root file system that the tests pack from: made once for each recipe and kept between runs.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::{paths, programs};

/// What `fixtures/rootfs` asks for.
struct Recipe {
    suite: String,
    variant: String,
    packages: Vec<String>,
    /// Files laid over the tree: path on this machine, path in the tree, permissions.
    files: Vec<(PathBuf, PathBuf, u32)>,
    /// Hexadecimal digest of all of the above, contents included.
    digest: String,
}

/// Path of the test root file system, made now if it is not there. Two processes that ask at once make it once.
pub(crate) fn ensure() -> Result<PathBuf, Error> {
    let recipe = Recipe::read(&paths::workspace().join("fixtures/rootfs"))?;
    let cache = paths::cache()?;
    let tree = cache.join(format!("rootfs-{}", recipe.digest));
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
        let (mut suite, mut variant, mut packages) = (String::new(), String::new(), Vec::new());
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
                "suite" => suite = value,
                "variant" => variant = value,
                "package" => packages.push(value),
                _ => return Err(malformed()),
            }
        }
        let root = folder.join("files");
        let mut files = Vec::new();
        collect_files(&root, Path::new("/"), &mut files)?;
        let digest = digest(&text, &files)?;
        Ok(Self {
            suite,
            variant,
            packages,
            files,
            digest,
        })
    }

    /// Makes the tree beside `tree` and renames it, so that what has the name is whole.
    fn make(&self, tree: &Path) -> Result<(), Error> {
        let partial = tree.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        }
        eprintln!("xtask: making the test root file system {}", tree.display());
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
        for (from, to, permissions) in &self.files {
            let (from, to) = (quoted(from), quoted(to));
            mmdebstrap.arg(format!(
                "--customize-hook=install -D -m {permissions:o} {from} \"$1\"{to}"
            ));
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
