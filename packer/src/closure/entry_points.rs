//! What `--as` brings: programs beside the command, each with all that it needs to be started by a name of its own.

use std::os::unix::ffi::OsStrExt;

use super::EntryRequest;
use super::command;
use super::error::ClosureError;
use super::follow::Follow;
use crate::plan::{EntryPoint, Reason, ReasonKind, WarningKind};
use crate::rootfs::{RootPath, printable};

/// Adds them, and says where they are.
pub(super) fn add(
    follow: &mut Follow<'_>,
    requests: &[EntryRequest],
    architecture: &str,
) -> Result<Vec<EntryPoint>, ClosureError> {
    let add = |request: &EntryRequest| {
        add_one(follow, request, architecture).map_err(|error| ClosureError::EntryPoint {
            name: request.name.clone(),
            error: Box::new(error),
        })
    };
    requests.iter().map(add).collect()
}

fn add_one(follow: &mut Follow<'_>, request: &EntryRequest, architecture: &str) -> Result<EntryPoint, ClosureError> {
    let EntryRequest { name, program } = request;
    let path = command::find(follow.rootfs(), program.as_bytes(), follow.search_path())?;
    let reason = Reason {
        kind: ReasonKind::As,
        by: None,
        detail: format!("{name}={}", printable(program.as_bytes())),
    };
    follow.command(&path, &reason)?;
    warn_of_another_machine(follow, &path, architecture)?;
    Ok(EntryPoint {
        name: name.clone(),
        path,
    })
}

/// There is one stub in a bundle, which is for the command's machine.
fn warn_of_another_machine(follow: &mut Follow<'_>, path: &RootPath, architecture: &str) -> Result<(), ClosureError> {
    let own = follow.architecture(path)?;
    if own != architecture {
        let message =
            format!("is for {own}, the command for {architecture}: it starts only where programs for both do");
        follow.entries.warn(WarningKind::ForeignFile, path, message);
    }
    Ok(())
}
