//! As whom the program is to run: names of `--user` that the packed passwd(5) and group(5) have to have.

use std::collections::{BTreeMap, BTreeSet};

use runtime::host::LONGEST_FILE;
use runtime::options::{Name, UserOption};
use runtime::root::identity::entry;

use super::command::{MAX_NEAR, near_distance};
use super::error::ClosureError;
use super::known;
use crate::plan::{Entry, Node};
use crate::rootfs::{RootPath, Rootfs, RootfsError};

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
        let there = names(&contents);
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
        Some(Node::File { .. }) => rootfs.read_file(path, LONGEST_FILE),
        Some(Node::Synthetic { contents }) => Ok(contents.clone()),
        _ => Ok(Vec::new()),
    }
}

/// The names that a start finds in such a file.
fn names(contents: &[u8]) -> Vec<&[u8]> {
    let lines = contents.split(|&byte| byte == b'\n');
    lines.filter_map(|line| Some(entry(line)?.0)).collect()
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
    fn names_that_a_start_finds() {
        let passwd = "www-data:x:33:33:www:/var/www:/bin/sh\nadm:x:4:\nada:x:y:1::/:\nbob\n\n\
                      :x:7:7::/:\n+nis:x:8:8::/:\na/b:x:9:9::/:\nlast:x:10:10::/:";
        let expected: [&[u8]; 3] = [b"www-data", b"adm", b"last"];
        assert_eq!(names(passwd.as_bytes()), expected);
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
