//! Control groups of the host, cgroups(7), as tests see them from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where they are mounted.
const TOP: &str = "/sys/fs/cgroup";

/// The cgroup of the process `id` that a controller limits it in.
#[must_use]
pub fn of_process(id: &str, controller: &str) -> Option<PathBuf> {
    let table = fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
    let path = |names: &str| {
        table.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (found, path) = rest.split_once(':')?;
            let is_it = found.split(',').any(|name| name == names);
            is_it.then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let first = path(controller).map(|path| Path::new(TOP).join(controller).join(path));
    first
        .or_else(|| path("").map(|path| Path::new(TOP).join(path)))
        .filter(|path| path.is_dir())
}

/// All of ours that the process `maker` made.
#[must_use]
pub fn made_by(maker: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    search(Path::new(TOP), &format!("polecat-{maker}-"), &mut found);
    found
}

fn search(directory: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
        search(&entry.path(), prefix, found);
    }
}

/// Whether cgroups with limits of memory, processes and processors can be made beside or below this process. Tried once: two
/// threads at a time would be in each other's way.
pub(crate) fn can_be_made() -> bool {
    static TRIED: OnceLock<bool> = OnceLock::new();
    *TRIED.get_or_init(try_to_make)
}

fn try_to_make() -> bool {
    ["memory", "pids", "cpu"].into_iter().all(|controller| {
        let Some(own) = of_process("self", controller) else {
            return false;
        };
        let attempt = own.join(format!("polecat-test-{}-{controller}", std::process::id()));
        fs::create_dir(&attempt).and_then(|()| fs::remove_dir(&attempt)).is_ok()
    })
}
