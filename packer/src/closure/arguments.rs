//! What the fixed arguments of the command name: `python3 /opt/app/main.py` is nothing without the script.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::error::ClosureError;
use super::follow::{Demand, Follow, Kinds};
use super::include;
use crate::elf::is_absence;
use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{Kind, Last, RootPath, printable};

/// Adds the files of the root file system that `arguments` name by absolute paths. What it does not have may be the host's, and of a
/// directory nobody knows how much is meant: both stay out.
pub(super) fn add(follow: &mut Follow<'_>, arguments: &[OsString]) -> Result<(), ClosureError> {
    for argument in arguments {
        if let Some(path) = path_in(argument.as_bytes()) {
            add_one(follow, path)?;
        }
    }
    Ok(())
}

/// The whole argument, or what an option has behind `=`.
fn path_in(argument: &[u8]) -> Option<&[u8]> {
    let path = match argument {
        [b'-', ..] => argument.splitn(2, |&byte| byte == b'=').nth(1)?,
        _ => argument,
    };
    path.starts_with(b"/").then_some(path)
}

fn add_one(follow: &mut Follow<'_>, path: &[u8]) -> Result<(), ClosureError> {
    let place = match follow.rootfs().resolve(path, Last::Follow) {
        Ok(place) => place,
        Err(error) if is_absence(error.errno()) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if place.metadata.kind != Kind::File {
        return Ok(());
    }
    let reason = Reason {
        kind: ReasonKind::Argument,
        by: None,
        detail: printable(path),
    };
    // An interpreter runs a script whether it is executable or not.
    if !follow.is_elf(&place.path)? && matches!(follow.examine(&place)?, Kinds::Script(_)) {
        return follow.program(path, &reason, Demand::Optional, 0);
    }
    include::add_path(follow, &RootPath::new(path), &reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_arguments() {
        for (argument, path) in [
            ("/a/b", Some("/a/b")),
            ("--config=/a=b", Some("/a=b")),
            ("-o/a", None),
            ("a=/b", None),
            ("./a", None),
            ("--", None),
            ("", None),
        ] {
            assert_eq!(path_in(argument.as_bytes()), path.map(str::as_bytes), "{argument}");
        }
    }
}
