//! The commands of `docs/format.md` do what it says: they accept golden bundles and stop at a damaged one.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ::support::Need;
use ::support::requirement::skip;
use support::fixtures;
use support::forge::Forged;
use tempfile::TempDir;

/// The lines of all `sh` blocks.
fn commands() -> String {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md")).unwrap();
    let blocks: Vec<&str> = document
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap_or_default())
        .collect();
    assert_eq!(blocks.len(), 6, "blocks of commands");
    blocks.concat()
}

fn run(bundle: &[u8]) -> Output {
    let scratch = TempDir::new().unwrap();
    fs::write(scratch.path().join("hello.run"), bundle).unwrap();
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell
        .args(["-eu", "-c", &commands()])
        .current_dir(&scratch)
        .env("FILE", "hello.run")
        .env("PATH", path);
    shell.output().unwrap()
}

#[test]
fn commands_judge_bundles() {
    if skip(&[
        Need::Tool("openssl"),
        Need::Tool("veritysetup"),
        Need::Tool("unsquashfs"),
    ]) {
        return;
    }
    for name in ["minimal.bundle", "extended.bundle"] {
        let golden = fixtures::read(&fixtures::folder("golden/v1").join(name));
        let output = run(&golden);
        let listing = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && listing.contains("squashfs-root/bin/hello"),
            "{name}: {output:?}"
        );

        let image = Forged(golden.clone()).section_offset(3);
        let record = Forged(golden.clone()).section_offset(2) + 8;
        let damaged = [
            ("stub", Forged(golden.clone()).flip(121)),
            ("checksum", Forged(golden.clone()).flip(8192)),
            ("key id", Forged(golden.clone()).flip(record + 8).seal()),
            ("signature", Forged(golden.clone()).flip(record + 48).seal()),
            ("image", Forged(golden.clone()).flip(image + 2000)),
        ];
        for (what, forged) in damaged {
            assert!(
                !run(&forged.0).status.success(),
                "{name}: a changed {what} was not noticed"
            );
        }
    }
}

#[test]
fn the_document_names_hostile_files_that_exist() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md")).unwrap();
    let reading = document
        .split("\n## ")
        .find(|section| section.starts_with("Reading\n"))
        .unwrap();
    let rows = reading
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 5);
    let mut named = 0;
    for name in rows
        .filter_map(|row| row.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
    {
        let path = fixtures::folder("hostile").join(format!("{name}.bundle"));
        assert!(path.exists(), "{}", path.display());
        named += 1;
    }
    assert!(named >= 20, "{named} names found");
}
