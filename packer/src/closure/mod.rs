//! From a command to every path it needs.
//!
//! A work list: programs bring their interpreter, their loader and what that loads; what is brought by a pattern is looked at the
//! same way; then the base set is added, parts of which depend on what the programs import. Each path is added with every link and
//! directory on the way to it, and with the reason that brought it in. Nothing of the root file system is run.

mod arguments;
mod base_set;
mod broad;
mod command;
mod entries;
mod entry_points;
mod error;
mod extend;
mod floor;
mod follow;
mod guard;
mod hard_links;
mod include;
mod missed;
mod privileges;
mod processes;
mod script;
mod terminfo;
mod traced;
mod users;
mod workdir;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use runtime::options::UserOption;

use crate::elf::ElfStore;
use crate::plan::{Plan, Reason, ReasonKind};
use crate::rootfs::{Pattern, PatternError, RootPath, Rootfs, printable};
use crate::trace::{Misses, Trace};
use entries::Entries;
use extend::Extension;
use follow::Follow;

pub use error::{ClosureError, InterpreterFault, ProgramFault};
pub use extend::{Extent, Locales};

/// What is to be packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The command: a name looked up in the root file system's PATH, or a path inside it.
    pub command: OsString,
    /// The command's fixed first arguments: files that they name by absolute paths come along.
    pub arguments: Vec<OsString>,
    /// More programs, looked up the same way; each gets its own closure.
    pub also: Vec<OsString>,
    /// Entry points beside the command; each gets its own closure.
    pub entry_points: Vec<EntryRequest>,
    /// Globs of absolute paths to take along; programs and libraries among them get their own closure.
    pub include: Vec<String>,
    /// Globs of absolute paths to leave out, whatever asks for them.
    pub exclude: Vec<String>,
    /// Globs of absolute paths that may come although they hold secrets.
    pub allow: Vec<String>,
    /// What the command was seen to use; programs and libraries in it get their own closure.
    pub traces: Vec<Trace>,
    /// What a bundle of the root file system was found to miss; programs and libraries in it get their own closure.
    pub misses: Vec<Misses>,
    /// Directory that the program is to be started in.
    pub workdir: Option<RootPath>,
    /// As whom the program is to run, where a name of it is one of the image.
    pub user: Option<UserOption>,
}

/// A program that is to be started by a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryRequest {
    /// Its name, see [`bundle::manifest::EntryPoint::is_name`].
    pub name: String,
    /// The program, looked up as the command is.
    pub program: OsString,
}

/// Follows the request to the end: what loaders read, and beyond it as far as `extent` goes.
///
/// # Errors
/// See [`ClosureError`]. What may stop the app, but need not, is in the plan's warnings.
pub fn plan(rootfs: &Rootfs, request: &Request, extent: &Extent) -> Result<Plan, ClosureError> {
    let search_path = command::search_path(rootfs)?;
    let store = ElfStore::new(rootfs);
    let entries = Entries::new(rootfs, patterns(&request.exclude)?, patterns(&request.allow)?);
    let mut follow = Follow::new(&store, entries, &search_path);

    let entry = command::find(rootfs, request.command.as_bytes(), &search_path)?;
    let reason = |kind, name: &OsString| Reason {
        kind,
        by: None,
        detail: printable(name.as_bytes()),
    };
    follow.command(&entry, &reason(ReasonKind::Command, &request.command))?;
    arguments::add(&mut follow, &request.arguments)?;
    let architecture = follow.architecture(&entry)?;
    let entry_points = entry_points::add(&mut follow, &request.entry_points, &architecture)?;
    for name in &request.also {
        let of_also = |error| ClosureError::Also(Box::new(error));
        let program = command::find(rootfs, name.as_bytes(), &search_path).map_err(of_also)?;
        follow
            .command(&program, &reason(ReasonKind::Also, name))
            .map_err(of_also)?;
    }
    for pattern in patterns(&request.include)? {
        include::add(&mut follow, &pattern)?;
    }
    for trace in &request.traces {
        traced::add(&mut follow, trace)?;
    }
    for misses in &request.misses {
        missed::add(&mut follow, misses)?;
    }
    let mut extension = Extension::new(&follow, extent)?;
    extension.run(&mut follow)?;
    base_set::add(&mut follow, &entry)?;
    extension.run(&mut follow)?;
    follow.report_missing()?;
    hard_links::check(&mut follow.entries)?;
    privileges::check(&mut follow)?;
    floor::check(&mut follow.entries, &store);
    if let Some(directory) = &request.workdir {
        workdir::check(&mut follow.entries, directory)?;
    }

    follow.entries.warn_of_unused_allowances();

    let (entries, warnings, refusals) = follow.finish();
    if let Some(user) = &request.user {
        users::check(rootfs, &entries, user)?;
    }
    Ok(Plan {
        rootfs: rootfs.path().to_owned(),
        entry,
        entry_points,
        architecture,
        search_path,
        entries,
        warnings,
        refusals,
    })
}

/// Where the command is, and the root file system's PATH.
///
/// # Errors
/// See [`ClosureError`].
pub fn find_command(rootfs: &Rootfs, command: &OsString) -> Result<(RootPath, String), ClosureError> {
    let search_path = command::search_path(rootfs)?;
    let entry = command::find(rootfs, command.as_bytes(), &search_path)?;
    Ok((entry, search_path))
}

/// PATH of the root file system.
///
/// # Errors
/// [`ClosureError::Rootfs`].
pub fn search_path(rootfs: &Rootfs) -> Result<String, ClosureError> {
    Ok(command::search_path(rootfs)?)
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, PatternError> {
    texts.iter().map(|text| Pattern::new(text)).collect()
}

/// A reason without an entry behind it.
fn base(detail: impl Into<String>) -> Reason {
    Reason {
        kind: ReasonKind::Base,
        by: None,
        detail: detail.into(),
    }
}

/// A path that stands in a table of this module.
fn known(path: &str) -> RootPath {
    RootPath::new(path)
}

#[cfg(test)]
mod tests;
