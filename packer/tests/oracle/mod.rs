//! What the tests against the real loaders share: skipping, mount namespaces, the loader's own answers.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use polecat::ldso::{Loader, Processor};
use polecat::plan::{Node, Plan};

/// Says why a test does not run; panics where POLECAT_TEST_REQUIRE names what is missing, or `all`.
pub(crate) fn skip(missing: &str, why: &str) {
    let required = std::env::var("POLECAT_TEST_REQUIRE").unwrap_or_default();
    let wanted = required.split(',').any(|word| word == "all" || word == missing);
    assert!(!wanted, "{missing} is required: {why}");
    println!("SKIP: {why}");
}

/// Is this root, with the tools given? Else the test is skipped.
pub(crate) fn root_with_tools(tools: &[&str]) -> bool {
    if !nix::unistd::geteuid().is_root() {
        skip("root", "not root");
        return false;
    }
    for tool in tools {
        if find_tool(tool).is_none() {
            skip(&format!("tool:{tool}"), &format!("{tool} is not installed"));
            return false;
        }
    }
    true
}

/// Path of a tool, by PATH and the directories of system tools.
pub(crate) fn find_tool(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(tool))
        .find(|path| path.is_file())
}

/// Where test material is kept between runs.
pub(crate) fn cache_directory() -> PathBuf {
    match std::env::var_os("POLECAT_CACHE") {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/polecat"),
    }
}

/// Debian root file systems with their package database: the one that the whole test run uses, and those that were made before.
pub(crate) fn debian_roots() -> Vec<PathBuf> {
    let given = std::env::var_os("POLECAT_TEST_ROOTFS").map(PathBuf::from);
    let kept = std::fs::read_dir(cache_directory()).into_iter().flatten();
    let kept = kept.filter_map(|entry| Some(entry.ok()?.path()));
    let roots: BTreeSet<PathBuf> = given.into_iter().chain(kept).collect();
    let has_database = |root: &PathBuf| {
        let status = root.join("var/lib/dpkg/status").metadata();
        root.join("bin/ls").exists() && status.is_ok_and(|status| status.len() > 0)
    };
    roots.into_iter().filter(has_database).collect()
}

/// Runs `script` with `sh` in a mount namespace of its own, with `arguments` as `$1`, `$2`, …; returns what it prints.
pub(crate) fn in_mount_namespace(script: &str, arguments: &[&Path]) -> Vec<u8> {
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-euc", script, "sh"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// What a loader says about one program with LD_TRACE_LOADED_OBJECTS, or musl's `ldd`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// `name => path`, or a path alone as both; without the vDSO.
    pub(crate) loaded: BTreeSet<(String, String)>,
    /// Names that were not found.
    pub(crate) missing: BTreeSet<String>,
    /// What stopped the loader: the path it names.
    pub(crate) stopped: Option<String>,
}

impl Trace {
    /// Parses the lines a loader prints, with or without load addresses.
    pub(crate) fn parse(text: &str) -> Self {
        let mut trace = Self::default();
        for line in text.lines().map(str::trim) {
            let line = line.rsplit_once(" (0x").map_or(line, |(line, _)| line);
            if let Some((_, error)) = line.split_once("error while loading shared libraries: ") {
                trace.stopped = error.split(": ").next().map(str::to_owned);
            } else if let Some((name, "not found")) = line.split_once(" => ") {
                trace.missing.insert(name.to_owned());
            } else if let Some((name, path)) = line.split_once(" => ") {
                trace.loaded.insert((name.to_owned(), path.to_owned()));
            } else if !line.is_empty()
                && !line.starts_with("linux-vdso")
                && line.contains(".so")
                && !line.contains(": ")
            {
                trace.loaded.insert((line.to_owned(), line.to_owned()));
            }
        }
        trace
    }
}

/// A busybox that runs in any root.
pub(crate) fn static_busybox() -> Option<PathBuf> {
    let busybox = find_tool("busybox")?;
    let file = std::fs::File::open(&busybox).ok()?;
    let facts = polecat::elf::ElfFacts::read(&file).ok()?;
    (facts.interpreter.is_none() && facts.dependencies.is_empty()).then_some(busybox)
}

/// The processor of this machine as the loader of `root` sees it; the first one for loaders that do not tell.
pub(crate) fn processor(loader: &Loader, root: &Path) -> Processor {
    let kinds = loader.processors();
    if loader.is_musl() {
        return kinds.into_iter().next().expect("a processor");
    }
    let script = r#"mount -t proc proc "$1/proc"; chroot "$1" "$2" --help"#;
    let help = in_mount_namespace(script, &[root, loader.path.as_path()]);
    let help = String::from_utf8(help).expect("UTF-8");
    let level = help
        .lines()
        .filter(|line| line.starts_with("  x86-64-v") && line.contains("(supported"))
        .count();
    let platform = help
        .lines()
        .find_map(|line| line.trim().split_once(" (AT_PLATFORM"))
        .map(|(name, _)| name);
    let is_this = |kind: &Processor| kind.level == level && platform.is_none_or(|name| kind.platform == Some(name));
    kinds.into_iter().find(is_this).expect("a known processor")
}

/// Writes the entries of a plan into the directory `tree`, with their modes.
pub(crate) fn write_tree(plan: &Plan, root: &Path, tree: &Path) {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    for (path, entry) in &plan.entries {
        let to = tree.join(path.relative());
        match &entry.node {
            Node::Directory if path.is_root() => continue,
            Node::Directory => fs::create_dir(&to).expect("a directory"),
            Node::File { .. } => drop(fs::copy(root.join(path.relative()), &to).expect("copied")),
            Node::Synthetic { contents } => fs::write(&to, contents).expect("written"),
            Node::Symlink { target } => symlink(std::ffi::OsStr::from_bytes(target), &to).expect("a link"),
        }
        if !matches!(entry.node, Node::Symlink { .. }) {
            fs::set_permissions(&to, Permissions::from_mode(entry.mode)).expect("its mode");
        }
    }
}
