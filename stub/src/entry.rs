//! Which of the bundle's programs is started.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use bundle::manifest::{Manifest, Process};

use crate::error::Error;

/// The program for a file that was called as `called`, its `argv[0]`: the entry point of that name, else the command.
pub(crate) fn called(manifest: &Manifest, called: &OsStr) -> Process {
    let name = Path::new(called).file_name().and_then(OsStr::to_str);
    name.and_then(|name| manifest.entry(name))
        .unwrap_or_else(|| manifest.process.clone())
}

/// The program that was asked for by name. The command has one too, unless an entry point has it.
pub(crate) fn named(manifest: &Manifest, name: OsString) -> Result<Process, Error> {
    if let Some(process) = name.to_str().and_then(|name| manifest.entry(name)) {
        return Ok(process);
    }
    if command(manifest).is_some_and(|command| name == command) {
        return Ok(manifest.process.clone());
    }
    let known = names(manifest).map(str::to_owned).collect();
    Err(Error::NoEntry { name, known })
}

/// Every name that [`named`] knows, the command's first.
pub(crate) fn names(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let entries = manifest.entry_points.iter().map(|entry| entry.name.as_str());
    let command = command(manifest).filter(|command| manifest.entry(command).is_none());
    command.into_iter().chain(entries)
}

/// The command's name: that of the file, as the packer was told it.
fn command(manifest: &Manifest) -> Option<&str> {
    let argument = manifest.process.args.first()?;
    Path::new(argument).file_name()?.to_str()
}
