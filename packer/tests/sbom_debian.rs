//! A bundle of a Debian program, its bill of materials, and dpkg-query's word on what that says.

mod oracle;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn polecat(home: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_polecat"))
        .args(arguments)
        .env("XDG_CONFIG_HOME", home)
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .expect("polecat runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    output.stdout
}

fn strings<'v>(list: &'v Value, field: &str) -> BTreeSet<&'v str> {
    let list = list.as_array().expect("a list");
    list.iter().filter_map(|element| element[field].as_str()).collect()
}

#[test]
fn the_bill_of_a_debian_program() {
    let Some(root) = oracle::debian_roots().into_iter().next() else {
        return oracle::skip("rootfs", "no Debian root file system: POLECAT_TEST_ROOTFS is not set");
    };
    if oracle::find_tool("dpkg-query").is_none() {
        return oracle::skip("tool:dpkg-query", "dpkg-query is not installed");
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let bundle = home.path().join("ls.run").display().to_string();
    polecat(home.path(), &["-q", "-o", &bundle, &root.display().to_string(), "ls"]);
    let checks = polecat(home.path(), &["verify", &bundle]);
    assert!(String::from_utf8_lossy(&checks).contains("packages   ok: "));

    let spdx = polecat(home.path(), &["sbom", &bundle]);
    assert_eq!(spdx, polecat(home.path(), &["sbom", &bundle]), "reproducible");
    let spdx: Value = serde_json::from_slice(&spdx).expect("JSON");
    let names = strings(&spdx["packages"], "name");
    assert!(names.contains("coreutils") && names.contains("libc6"), "{names:?}");
    let mut judged = 0;
    for package in spdx["packages"].as_array().expect("a list") {
        if package["externalRefs"].is_null() {
            continue;
        }
        let name = package["name"].as_str().expect("a name");
        let output = Command::new("dpkg-query")
            .arg(format!("--admindir={}", root.join("var/lib/dpkg").display()))
            .args(["--show", "--showformat", "${Version}", name])
            .output()
            .expect("dpkg-query runs");
        assert_eq!(
            package["versionInfo"],
            *String::from_utf8_lossy(&output.stdout),
            "{name}"
        );
        judged += 1;
    }
    assert!(judged > 3, "{judged}");

    // Exactly the files that the image has.
    let tree = home.path().join("tree");
    polecat(home.path(), &["extract", "-q", &bundle, &tree.display().to_string()]);
    let mut unpacked = BTreeSet::new();
    for entry in walkdir::WalkDir::new(&tree) {
        let entry = entry.expect("readable");
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(&tree).expect("below");
            unpacked.insert(format!("./{}", path.display()));
        }
    }
    let listed: BTreeSet<String> = strings(&spdx["files"], "fileName")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, unpacked);

    let cyclonedx = polecat(home.path(), &["sbom", "--format", "cyclonedx", &bundle]);
    let cyclonedx: Value = serde_json::from_slice(&cyclonedx).expect("JSON");
    let components = strings(&cyclonedx["components"], "name");
    assert!(
        names
            .iter()
            .filter(|name| **name != "ls")
            .all(|name| components.contains(name))
    );
    assert!(components.contains("/etc/passwd"), "{components:?}");
}
