//! Directories that are gone when the test is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::exec;

/// A directory of one test: anyone may pass through, since bundles in it are started as an ordinary user too.
#[derive(Debug)]
pub struct Scratch {
    directory: tempfile::TempDir,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// A new, empty one.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("scratch-")
            .tempdir()
            .expect("a temporary directory");
        let scratch = Self { directory };
        scratch.permit(scratch.path(), 0o755);
        scratch
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it; nothing is made.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Makes a directory in it, with its parents.
    ///
    /// # Panics
    /// Where it cannot be made.
    #[must_use]
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Makes a directory that any user may write to: a home or a working directory for programs run as someone else.
    #[must_use]
    pub fn open_directory(&self, name: &str) -> PathBuf {
        let path = self.directory(name);
        self.permit(&path, 0o777);
        path
    }

    /// The same, where nobody may put something in the place of another's: a home of whoever it is.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        let path = self.directory("home");
        self.permit(&path, 0o1777);
        path
    }

    /// Makes a file in it, with its parents.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
        }
        exec::write(&path, contents.as_ref());
        path
    }

    /// Changes permission bits, whatever the umask is.
    ///
    /// # Panics
    /// Where that is refused.
    pub fn permit(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
