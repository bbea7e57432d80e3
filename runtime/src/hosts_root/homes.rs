//! Directories of the caller's, and of everybody's, where files may be put.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What a user's cache is called, the one base that is made where there is none.
const CACHE: &str = ".cache";

/// What an environment says of where files may be put.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Homes {
    pub(crate) runtime: Option<PathBuf>,
    cache: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    /// Directory of the bundle.
    beside: Option<PathBuf>,
}

impl Homes {
    /// Those of this process.
    pub(crate) fn read(bundle: Option<PathBuf>) -> Self {
        let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            runtime: path("XDG_RUNTIME_DIR"),
            cache: path("XDG_CACHE_HOME"),
            home: path("HOME"),
            beside: bundle.and_then(|bundle| bundle.parent().map(Path::to_owned)),
        }
    }

    /// Where fusermount3 may mount, Ubuntu's profile for it included.
    pub(crate) fn for_mounts(&self) -> Vec<PathBuf> {
        distinct([self.runtime.clone(), self.own_cache(), Some("/tmp".into()), None, None])
    }

    /// Where files may be unpacked to.
    pub(crate) fn for_files(&self) -> Vec<PathBuf> {
        distinct([
            self.runtime.clone(),
            self.cache.clone().or_else(|| self.own_cache()),
            Some("/var/tmp".into()),
            Some("/tmp".into()),
            self.beside.clone(),
        ])
    }

    fn own_cache(&self) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(CACHE))
    }
}

fn distinct(paths: [Option<PathBuf>; 5]) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths.into_iter().flatten() {
        if !kept.contains(&path) {
            kept.push(path);
        }
    }
    kept
}

/// Whether `base` is made where there is none.
pub(super) fn is_made(base: &Path) -> bool {
    base.file_name() == Some(OsStr::new(CACHE)) && base.parent().is_some_and(Path::is_dir)
}

/// Whether a dynamic loader understands the path in a list of directories: colons and semicolons part it, dollars are replaced.
pub(super) fn can_be_named(path: &Path) -> bool {
    let parts = |byte: &u8| matches!(byte, b':' | b';' | b'$');
    !path.as_os_str().as_bytes().iter().any(parts)
}
