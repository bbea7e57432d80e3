//! Debian's own tools judge: dpkg-query on the database of a Debian root file system, asked about every path of every package.

mod oracle;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use polecat::packages::{Package, Packages};
use polecat::rootfs::{Kind, Last, RootPath, Rootfs};

/// dpkg-query compares each path that it is asked for with all there are: so many are asked for, evenly spread.
const SAMPLES: usize = 1000;

/// The Debian root file systems to compare on; none where the judge or they are missing.
fn roots() -> Vec<PathBuf> {
    if oracle::find_tool("dpkg-query").is_none() {
        oracle::skip("tool:dpkg-query", "dpkg-query is not installed");
        return Vec::new();
    }
    let roots = oracle::debian_roots();
    if roots.is_empty() {
        oracle::skip("rootfs", "no Debian root file system: POLECAT_TEST_ROOTFS is not set");
    }
    roots
}

fn dpkg_query(root: &Path, arguments: &[&str], paths: &str) -> String {
    let mut admin = std::ffi::OsString::from("--admindir=");
    admin.push(root.join("var/lib/dpkg"));
    let mut child = Command::new("xargs")
        .args(["-d", "\\n", "dpkg-query"])
        .arg(admin)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("xargs runs");
    let mut input = child.stdin.take().expect("a pipe");
    let paths = paths.to_owned();
    let writer = std::thread::spawn(move || input.write_all(paths.as_bytes()));
    let output = child.wait_with_output().expect("dpkg-query ends");
    writer.join().expect("no panic").expect("written");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn full_name(package: &Package) -> String {
    format!("{}:{}", package.name, package.architecture)
}

/// What dpkg-query says of each path: `a, b:arch: /path`. Lines of diversions tell of the path in others.
fn owners_by_dpkg(answer: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in answer.lines().filter(|line| !line.starts_with("diversion by ")) {
        let (names, path) = line.split_once(": /").expect("names and a path");
        let path = &line[line.len() - path.len() - 1..];
        owners.entry(path).or_default().extend(names.split(", "));
    }
    owners
}

/// A file, or a link to one: what is a directory is many packages'.
fn is_file(rootfs: &Rootfs, path: &RootPath) -> bool {
    let resolution = rootfs.resolve(path.as_bytes(), Last::Follow);
    resolution.is_ok_and(|found| found.metadata.kind != Kind::Directory)
}

/// Files and links from all over the tree, in the names that their packages list them under.
#[test]
fn owners_are_those_that_dpkg_names() {
    for root in roots() {
        let rootfs = Rootfs::open(&root).expect("a directory");
        let packages = Packages::read(&rootfs).expect("a right database").expect("packages");
        let files: BTreeSet<RootPath> = packages.iter().flat_map(Package::files).collect();
        let files: Vec<RootPath> = files
            .iter()
            .step_by((files.len() / SAMPLES).max(1))
            .filter(|path| is_file(&rootfs, path))
            .cloned()
            .collect();
        let patterns: Vec<String> = files.iter().map(escaped).collect();
        let answer = dpkg_query(&root, &["--search"], &patterns.join("\n"));
        let judged = owners_by_dpkg(&answer);
        assert!(judged.len() > SAMPLES / 2, "{} paths are too few", judged.len());
        let mut wrong = Vec::new();
        for (path, names) in &judged {
            let owner = packages.owner(&RootPath::new(path));
            let ours = owner.map(full_name);
            let qualified = ours.as_deref().unwrap_or_default();
            let is_same = |name: &str| {
                qualified == name || qualified.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
            };
            let diverted = answer.contains(&format!(" from: {path}\n"));
            if !diverted && !names.iter().any(|name| is_same(name)) {
                wrong.push(format!("{path}: {ours:?}, dpkg: {names:?}"));
            }
        }
        println!(
            "{}: {} of {} paths agree",
            root.display(),
            judged.len() - wrong.len(),
            judged.len()
        );
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            judged.len(),
            wrong.join("\n")
        );
        assert_eq!(judged.len(), files.len());
    }
}

/// dpkg-query takes patterns.
fn escaped(path: &RootPath) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(path.as_bytes()).chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// Versions, sources and direct dependencies, as far as dpkg-query's own output tells them.
#[test]
fn packages_are_those_that_dpkg_lists() {
    for root in roots() {
        let rootfs = Rootfs::open(&root).expect("a directory");
        let packages = Packages::read(&rootfs).expect("a right database").expect("packages");
        let format = "${Package}\\t${Architecture}\\t${Version}\\t${source:Package}\\t${Pre-Depends}, ${Depends}\\n";
        let listed = dpkg_query(&root, &["--show", "--showformat", format], "");
        let provided = dpkg_query(&root, &["--show", "--showformat", "${Package}\\t${Provides}\\n"], "");
        let is_there = |name: &str| {
            let bare = |text: &str| text.trim().split([' ', ':']).next().unwrap_or_default().to_owned();
            provided.lines().any(|line| {
                let (package, provides) = line.split_once('\t').unwrap_or((line, ""));
                package == name || provides.split(',').any(|provide| bare(provide) == name)
            })
        };
        let mut edges = 0;
        let mut count = 0;
        for line in listed.lines() {
            let [name, architecture, version, source, depends] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("five columns: {line}");
            };
            count += 1;
            let package = packages
                .iter()
                .find(|package| package.name == name && package.architecture == architecture)
                .unwrap_or_else(|| panic!("{name}:{architecture} is not there"));
            assert_eq!(package.version, version, "{name}");
            assert_eq!(package.source.name, source, "{name}");
            let found = packages.dependencies(package);
            for clause in depends.split(',').filter(|clause| !clause.trim().is_empty()) {
                let name_of = |text: &str| text.trim().split([' ', ':', '(']).next().unwrap_or_default().to_owned();
                let wanted = clause.split('|').map(name_of).find(|name| is_there(name));
                let wanted = wanted.unwrap_or_else(|| panic!("{name}: {clause}: not installed"));
                let is_wanted = |package: &&&Package| package.name == wanted || package.provides.contains(&wanted);
                assert!(
                    found.iter().find(is_wanted).is_some() || is_wanted(&&package),
                    "{name}: {clause}"
                );
                edges += 1;
            }
        }
        println!("{}: {count} packages, {edges} dependencies agree", root.display());
        assert_eq!(count, packages.iter().count());
        assert!(edges > 100, "{edges} dependencies are too few");
    }
}
