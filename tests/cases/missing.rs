//! What a failed use looked for and did not find: the paths of strace(1), of a run in what was packed and of one in the
//! whole root file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// Paths of the harness, and of what a kernel gives.
const NOT_PACKED: [&str; 6] = ["/.bb", "/.in", "/dev", "/proc", "/sys", "/tmp"];

/// More names of one directory are only counted.
const NAMED_AT_MOST: usize = 8;

/// A system call with a path, and whether it succeeded.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    path: PathBuf,
    found: bool,
    /// It would have made a file, so that the directory was there or was not.
    makes: bool,
}

/// Whether to look: `cargo xtask cases --missing`.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("POLECAT_TEST_CASES_MISSING").is_some()
}

/// Lines to read: what the run in the whole root file system used and the run in what was packed asked for, and is in
/// `rootfs` but not in `packed`. Paths that were asked for in vain are marked.
pub(crate) fn describe(rootfs: &Path, packed: &Path, whole_trace: &Path, packed_trace: &Path) -> Vec<String> {
    let is_missing = |path: &Path| exists(rootfs, path) && !exists(packed, path);
    let used = calls(whole_trace)
        .into_iter()
        .filter(|call| call.found)
        .map(|call| merged(rootfs, &call.path));
    let used: BTreeSet<PathBuf> = used.filter(|path| is_missing(path)).collect();
    let vain: BTreeSet<PathBuf> = calls(packed_trace)
        .into_iter()
        .filter(|call| !call.found)
        .filter_map(|call| match call.path.parent() {
            Some(parent) if call.makes && is_missing(parent) => Some(parent.to_owned()),
            _ => is_missing(&call.path).then_some(call.path),
        })
        .map(|path| merged(rootfs, &path))
        .collect();
    let mut by_directory: BTreeMap<PathBuf, BTreeMap<PathBuf, bool>> = BTreeMap::new();
    for path in used.union(&vain) {
        let directory = path.parent().unwrap_or(path).to_owned();
        by_directory
            .entry(directory)
            .or_default()
            .insert(path.clone(), vain.contains(path));
    }
    by_directory
        .iter()
        .flat_map(|(directory, paths)| lines(directory, paths))
        .collect()
}

fn lines(directory: &Path, paths: &BTreeMap<PathBuf, bool>) -> Vec<String> {
    let mark = |vain: bool| if vain { "asked for in vain" } else { "used where it is" };
    if paths.len() <= NAMED_AT_MOST {
        return paths
            .iter()
            .map(|(path, vain)| format!("{} ({})", path.display(), mark(*vain)))
            .collect();
    }
    let vain = paths.values().filter(|vain| **vain).count();
    let names: Vec<String> = paths
        .keys()
        .take(3)
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    vec![format!(
        "{}/: {} entries, {vain} asked for in vain: {}, …",
        directory.display(),
        paths.len(),
        names.join(", ")
    )]
}

/// The path behind a top-level link, such as `/usr/lib/…` for `/lib/…`.
fn merged(root: &Path, path: &Path) -> PathBuf {
    let inside = path.strip_prefix("/").unwrap_or(path);
    let mut components = inside.components();
    let Some(first) = components.next() else {
        return path.to_owned();
    };
    match fs::read_link(root.join(first)) {
        Ok(target) => Path::new("/").join(target).join(components.as_path()),
        Err(_) => path.to_owned(),
    }
}

fn exists(root: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix("/").unwrap_or(path);
    !NOT_PACKED.iter().any(|prefix| path.starts_with(prefix)) && fs::symlink_metadata(root.join(inside)).is_ok()
}

/// The calls of all processes, from the start of the use's shell on.
fn calls(trace: &Path) -> Vec<Call> {
    let entries = fs::read_dir(trace).unwrap_or_else(|error| panic!("{}: {error}", trace.display()));
    let texts = entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("a trace"));
    let calls = texts.flat_map(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        // What comes before is of the harness.
        let start = text.find("chroot(\".\")").unwrap_or(0);
        text[start..].lines().filter_map(parse).collect::<Vec<_>>()
    });
    calls.collect()
}

/// A line of strace -y, with the first path in it; none where that is relative to what is not known.
fn parse(line: &str) -> Option<Call> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"^(?<name>\w+)\((?:(?:AT_FDCWD|\d+)<(?<directory>[^>]*)>, )?"(?<path>(?:[^"\\]|\\.)*)"(?<rest>.*) = (?<result>-?\d+)(?: (?<errno>\w+))?"#;
        Regex::new(pattern).expect("a regular expression")
    });
    let fields = CALL.captures(line)?;
    let path = fields["path"].replace(r#"\""#, "\"");
    let path = match fields.name("directory") {
        Some(directory) => Path::new(directory.as_str()).join(path),
        None => PathBuf::from(path),
    };
    let found = match fields.name("errno").map(|errno| errno.as_str()) {
        Some("ENOENT") => false,
        None => true,
        Some(_) => return None,
    };
    let makes = fields["name"].starts_with("mkdir")
        || fields["rest"].contains("O_CREAT")
        || fields["name"].starts_with("rename");
    path.is_absolute().then(|| Call {
        path: normal(&path),
        found,
        makes,
    })
}

/// Without `.` and `..`, as far as that goes by words alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_strace_are_read() {
        let call = |path: &str, found, makes| {
            Some(Call {
                path: path.into(),
                found,
                makes,
            })
        };
        let table = [
            (
                r#"openat(AT_FDCWD</tmp/w>, "x/../y", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)"#,
                call("/tmp/w/y", false, false),
            ),
            (
                r#"openat(AT_FDCWD</tmp/w>, "/etc/a\"b", O_RDONLY) = 3</etc/a>"#,
                call("/etc/a\"b", true, false),
            ),
            (
                r#"newfstatat(5</usr/lib>, "m.so", 0x7ffd, 0) = -1 ENOENT (No such file or directory)"#,
                call("/usr/lib/m.so", false, false),
            ),
            (
                r#"mkdir("/var/lib/x/body", 0700) = -1 ENOENT (No such file or directory)"#,
                call("/var/lib/x/body", false, true),
            ),
            (
                r#"execve("/usr/bin/a", ["a"], 0x7ffe /* 9 vars */) = 0"#,
                call("/usr/bin/a", true, false),
            ),
            (r#"access("relative", R_OK) = 0"#, None),
            (
                r#"openat(AT_FDCWD</>, "/root/x", O_RDONLY) = -1 EACCES (Permission denied)"#,
                None,
            ),
            (r"+++ exited with 0 +++", None),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
