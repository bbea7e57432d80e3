//! As whom the program is to run: names of `--user` that the packed passwd(5) and group(5) have to have.

use std::collections::{BTreeMap, BTreeSet};

use runtime::options::{Name, UserOption};

use super::command::{MAX_NEAR, near_distance};
use super::error::ClosureError;
use super::known;
use crate::plan::{Entry, Node};
use crate::rootfs::{RootPath, Rootfs, RootfsError};

/// As much of the file as a start reads.
const MAX_FILE: u64 = 1 << 20;

/// That a start will find the names of `user` in the files of the plan.
///
/// # Errors
/// [`ClosureError::NoSuchName`], and what reading a file can say.
pub(super) fn check(
    rootfs: &Rootfs,
    entries: &BTreeMap<RootPath, Entry>,
    user: &UserOption,
) -> Result<(), ClosureError> {
    for (name, file) in [(Some(&user.user), "/etc/passwd"), (user.group.as_ref(), "/etc/group")] {
        let Some(Name::Named(name)) = name else { continue };
        let contents = contents(rootfs, entries, &known(file))?;
        let there: Vec<&[u8]> = contents.split(|&byte| byte == b'\n').filter_map(name_of).collect();
        if !there.contains(&name.as_bytes()) {
            return Err(ClosureError::NoSuchName {
                name: name.clone(),
                file,
                near: near(name, &there),
            });
        }
    }
    Ok(())
}

/// What a start reads: no link is followed to such a file.
fn contents(rootfs: &Rootfs, entries: &BTreeMap<RootPath, Entry>, path: &RootPath) -> Result<Vec<u8>, RootfsError> {
    match entries.get(path).map(|entry| &entry.node) {
        Some(Node::File { .. }) => rootfs.read_file(path, MAX_FILE),
        Some(Node::Synthetic { contents }) => Ok(contents.clone()),
        _ => Ok(Vec::new()),
    }
}

/// The name in a line whose third field is a number.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let mut fields = line.split(|&byte| byte == b':');
    let (name, id) = (fields.next()?, fields.nth(1)?);
    std::str::from_utf8(id).ok()?.parse::<u32>().ok()?;
    Some(name)
}

/// The names that were most likely meant, the nearest first.
fn near(name: &str, there: &[&[u8]]) -> Vec<String> {
    let found: BTreeSet<_> = there
        .iter()
        .filter_map(|other| {
            Some((
                near_distance(name.as_bytes(), other)?,
                String::from_utf8_lossy(other).into_owned(),
            ))
        })
        .collect();
    found.into_iter().map(|(_, name)| name).take(MAX_NEAR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lines() {
        for (line, expected) in [
            ("www-data:x:33:33:www:/var/www:/bin/sh", Some("www-data")),
            ("adm:x:4:", Some("adm")),
            ("ada:x:y:1::/:", None),
            ("ada", None),
            ("", None),
        ] {
            assert_eq!(name_of(line.as_bytes()), expected.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn names_that_were_meant() {
        let there: [&[u8]; 5] = [b"root", b"www-data", b"daemon", b"postgres", b"ww-data"];
        for (name, expected) in [
            ("wwwdata", &["ww-data", "www-data"][..]),
            ("dameon", &["daemon"]),
            ("postgresql", &["postgres"]),
            ("nobody", &[]),
        ] {
            assert_eq!(near(name, &there), expected, "{name}");
        }
    }
}
