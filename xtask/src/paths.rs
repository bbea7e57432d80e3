//! Where things are.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::programs;

/// The workspace this was built from.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo's target directory, wherever configuration or environment put it.
pub(crate) fn target() -> Result<PathBuf, Error> {
    let mut metadata = programs::cargo();
    metadata
        .current_dir(workspace())
        .args(["metadata", "--format-version=1", "--no-deps"]);
    let printed = programs::output(&mut metadata)?;
    let unexpected = |what| Error::Unexpected {
        from: "cargo metadata".to_owned(),
        what,
    };
    let value: serde_json::Value = serde_json::from_str(&printed).map_err(|_| unexpected("not JSON"))?;
    value["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| unexpected("no target_directory"))
}

/// Where test root file systems are kept between runs: `POLECAT_CACHE`, else `~/.cache/polecat`.
pub(crate) fn cache() -> Result<PathBuf, Error> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("POLECAT_CACHE")
        .or_else(|| Some(set("HOME")?.join(".cache/polecat")))
        .ok_or(Error::NoCache)
}
