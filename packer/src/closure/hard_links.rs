//! Names of one file. backhand writes each as a file of its own.

use std::collections::HashMap;

use super::entries::Entries;
use crate::plan::WarningKind;
use crate::rootfs::{RootPath, RootfsError};

/// Warns, once, where two or more names of a file are packed.
pub(super) fn check(entries: &mut Entries<'_>) -> Result<(), RootfsError> {
    let mut first_names: HashMap<(u64, u64), RootPath> = HashMap::new();
    let mut copies: Vec<(RootPath, RootPath)> = Vec::new();
    for path in entries.files() {
        let identity = entries.rootfs().lstat(&path)?.identity;
        match first_names.get(&identity) {
            Some(first) => copies.push((path, first.clone())),
            None => drop(first_names.insert(identity, path)),
        }
    }
    let Some((path, first)) = copies.first() else {
        return Ok(());
    };
    let others = match copies.len() - 1 {
        0 => String::new(),
        1 => ", and so does another file".to_owned(),
        more => format!(", and so do {more} other files"),
    };
    let message = format!(
        "is the same file as {first}: a hard link becomes a copy{others} (equal data of a block or more is stored once)"
    );
    entries.warn(WarningKind::HardLink, path, message);
    Ok(())
}
