//! The profile of system calls that a bundle is packed with.

use std::path::Path;

use bundle::manifest::Seccomp;
use runtime::confine::seccomp::{load, unknown_names};

use super::error::CliError;
use super::output;

/// The profile in the file, if one is named. Of names that are no system calls it warns: a start passes over them.
pub(super) fn read(file: Option<&Path>) -> Result<Option<Seccomp>, CliError> {
    let Some(file) = file else { return Ok(None) };
    let profile = load(file).map_err(CliError::Seccomp)?;
    let unknown = unknown_names(&profile);
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        output::note(&format!(
            "warning: {}: no system calls, passed over: {names}",
            file.display()
        ));
    }
    Ok(Some(profile))
}
