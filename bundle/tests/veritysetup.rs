//! The hash tree, judged by veritysetup of cryptsetup.

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use ::support::Need;
use ::support::requirement::{skip, tool};
use bundle::Bundle;
use bundle::Manifest;
use bundle::hash_tree::{Geometry, TreeBuilder};
use support::fixtures;
use support::random::Random;
use tempfile::TempDir;

const VERITYSETUP: &str = "veritysetup";

fn veritysetup(action: &str, data_blocks: u64, salt: &str, data: &Path, tree: &Path, more: &[&str]) -> Output {
    let (blocks, salt) = (format!("--data-blocks={data_blocks}"), format!("--salt={salt}"));
    let fixed = [
        "--no-superblock",
        "--format=1",
        "--hash=sha256",
        "--data-block-size=4096",
        "--hash-block-size=4096",
    ];
    let mut command = Command::new(tool(VERITYSETUP));
    command
        .arg(action)
        .args(fixed)
        .args([blocks, salt])
        .arg(data)
        .arg(tree)
        .args(more);
    command.output().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What veritysetup prints behind `Root hash:`.
fn root_hash(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("Root hash:"));
    line.unwrap_or_else(|| panic!("no root hash in {output:?}"))
        .trim()
        .to_owned()
}

/// A salt for each: none, a short one, the usual length.
const SALTS: [&[u8]; 3] = [&[], &[0xab, 0xcd], &[0x5c; 32]];

/// Salts as veritysetup takes them: `-` is none.
fn salt_argument(salt: &[u8]) -> String {
    if salt.is_empty() { "-".to_owned() } else { hex(salt) }
}

#[test]
fn trees_are_those_of_veritysetup() {
    if skip(&[Need::Tool(VERITYSETUP)]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let (data, theirs, ours) = (
        scratch.path().join("data"),
        scratch.path().join("theirs"),
        scratch.path().join("ours"),
    );
    let mut random = Random::new(6);
    let sizes = [1u64, 2, 127, 128, 129, 128 * 128, 128 * 128 + 1];
    for (data_blocks, salt) in sizes.into_iter().zip(SALTS.into_iter().cycle()) {
        let mut builder = TreeBuilder::new(salt);
        let mut file = File::create(&data).unwrap();
        for _ in 0..data_blocks {
            let block = random.bytes(4096);
            file.write_all(&block).unwrap();
            builder.update(&block);
        }
        let tree = builder.finish().unwrap();
        let argument = salt_argument(salt);

        let formatted = veritysetup("format", data_blocks, &argument, &data, &theirs, &[]);
        assert!(formatted.status.success(), "{data_blocks} blocks: {formatted:?}");
        assert_eq!(root_hash(&formatted), hex(&tree.root_digest), "{data_blocks} blocks");
        assert!(
            fs::read(&theirs).unwrap() == tree.bytes,
            "{data_blocks} blocks: the trees differ"
        );
        assert_eq!(
            tree.bytes.len() as u64,
            Geometry::new(data_blocks).unwrap().tree_length()
        );

        fs::write(&ours, &tree.bytes).unwrap();
        let root = hex(&tree.root_digest);
        let verified = veritysetup("verify", data_blocks, &argument, &data, &ours, &[&root]);
        assert!(verified.status.success(), "{data_blocks} blocks: {verified:?}");
    }
}

#[test]
fn golden_bundles_are_right_for_veritysetup() {
    if skip(&[Need::Tool(VERITYSETUP)]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    for name in ["minimal.bundle", "extended.bundle"] {
        let bytes = fixtures::read(&fixtures::folder("golden/v1").join(name));
        let manifest = Manifest::parse(Bundle::read(&bytes).unwrap().manifest_bytes()).unwrap();
        let part = |file: &str, offset: u64, length: u64| {
            let from = usize::try_from(offset).unwrap();
            let path = scratch.path().join(file);
            fs::write(&path, &bytes[from..from + usize::try_from(length).unwrap()]).unwrap();
            path
        };
        let data = part("image", manifest.image.offset, manifest.image.length);
        let tree = part("tree", manifest.hash_tree.offset, manifest.hash_tree.length);
        let (blocks, salt) = (manifest.image.length / 4096, &manifest.hash_tree.salt);
        let verify = |root: &str| {
            veritysetup("verify", blocks, salt, &data, &tree, &[root])
                .status
                .success()
        };
        assert!(verify(&manifest.hash_tree.root_digest), "{name}");
        assert!(
            !verify(&"0".repeat(64)),
            "{name}: a wrong root digest passed, so this judge judges nothing"
        );
    }
}
