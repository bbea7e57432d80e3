//! Whole bundles: what is sealed is verified, unpacks to what was packed, is the same every time, and never appears by halves.

mod common;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;

use polecat::image::ImageError;
use polecat::options::{Asked, PackOptions};
use polecat::plan::Plan;
use polecat::rootfs::{RootPath, Rootfs};
use polecat::seal::{SealError, Sealed, seal};
use polecat::stubs::{Stub, embedded};
use runtime::image::OwnerMap;
use runtime::image::unpack::unpack;
use runtime::verify::{Opened, Verified};
use signing::SecretKey;
use tempfile::TempDir;

use common::{describe, noise, plan_of, put, skip_without_root};

fn tree() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    put(directory.path(), "bin/program", &noise(1, 300_000));
    put(directory.path(), "etc/settings", b"a = b\n");
    std::os::unix::fs::symlink("program", directory.path().join("bin/alias")).expect("a link");
    directory
}

fn plan(tree: &Path) -> Plan {
    Plan {
        entry: RootPath::new("/bin/program"),
        architecture: embedded().architecture.to_owned(),
        ..plan_of(tree)
    }
}

fn options(tree: &Path, output: &Path, change: impl FnOnce(&mut Asked)) -> PackOptions {
    let mut asked = Asked {
        rootfs: tree.to_owned(),
        command: ["program", "--fixed"].map(OsString::from).to_vec(),
        output: Some(output.to_owned()),
        level: Some(3),
        ..Asked::default()
    };
    change(&mut asked);
    asked.resolve().expect("valid")
}

fn pack(plan: &Plan, options: &PackOptions, key: u8) -> Result<Sealed, SealError> {
    let rootfs = Rootfs::open(&plan.rootfs).expect("a directory");
    let stub = Stub::choose(&plan.architecture, None).expect("embedded");
    let key = SecretKey::from_bytes(&[key; 32]);
    seal(plan, &rootfs, &stub, &key, options, &mut |_| ())
}

fn open(path: &Path) -> Verified {
    let opened = Opened::new(File::open(path).expect("packed")).expect("a bundle");
    opened.verify().expect("signed")
}

#[test]
fn what_is_sealed_is_verified_and_says_what_was_asked_for() {
    let (tree, out) = (tree(), TempDir::new().expect("a directory"));
    let path = out.path().join("program.run");
    let options = options(tree.path(), &path, |asked| {
        asked.contain = true;
        asked.env = vec!["A=1".to_owned()];
        asked.workdir = Some("/srv".to_owned());
        asked.name = Some("A program".to_owned());
        asked.source_date_epoch = Some("1234".into());
    });
    let sealed = pack(&plan(tree.path()), &options, 7).expect("packed");
    assert_eq!(fs::metadata(&path).expect("packed").len(), sealed.bundle.file_length);

    let verified = open(&path);
    verified.check_stub().expect("its stub");
    verified.image().check_all(|_| ()).expect("its blocks");
    assert_eq!(
        verified.signers(),
        [SecretKey::from_bytes(&[7; 32]).public_key().key_id()]
    );
    let manifest = verified.manifest();
    assert_eq!(*manifest, sealed.bundle.manifest);
    assert_eq!((manifest.name.as_str(), manifest.created), ("A program", 1234));
    assert_eq!(manifest.process.path, "/bin/program");
    assert_eq!(manifest.process.args, ["program", "--fixed"]);
    assert_eq!(manifest.process.env, ["PATH=/usr/bin:/bin", "A=1"]);
    assert_eq!(manifest.process.cwd.as_deref(), Some("/srv"));
    assert!(manifest.isolation.contain);
    // The root, bin, etc, two files, a link.
    assert_eq!((manifest.image.entries, manifest.image.unpacked_size), (6, 300_006));
}

#[test]
fn what_is_unpacked_is_what_was_packed() {
    if skip_without_root() {
        return;
    }
    let (tree, out) = (tree(), TempDir::new().expect("a directory"));
    let path = out.path().join("program.run");
    pack(&plan(tree.path()), &options(tree.path(), &path, |_| ()), 7).expect("packed");
    let unpacked = out.path().join("unpacked");
    unpack(&open(&path).image(), &unpacked, OwnerMap::AsStored).expect("a sound image");
    assert_eq!(describe(&unpacked), describe(tree.path()));
}

#[test]
fn two_packs_are_the_same_file() {
    let (tree, out) = (tree(), TempDir::new().expect("a directory"));
    let paths = ["one.run", "two.run"].map(|name| out.path().join(name));
    for path in &paths {
        pack(&plan(tree.path()), &options(tree.path(), path, |_| ()), 7).expect("packed");
    }
    let [one, two] = paths.map(|path| fs::read(path).expect("packed"));
    assert!(one == two);
}

#[test]
fn salts_differ_from_tree_to_tree() {
    let out = TempDir::new().expect("a directory");
    let path = out.path().join("program.run");
    let mut salts = Vec::new();
    for contents in ["a", "bb"] {
        let tree = tree();
        put(tree.path(), "etc/settings", contents.as_bytes());
        let sealed = pack(&plan(tree.path()), &options(tree.path(), &path, |_| ()), 7).expect("packed");
        salts.push(sealed.bundle.manifest.hash_tree.salt);
    }
    assert_ne!(salts[0], salts[1]);
}

#[test]
fn a_pack_that_fails_leaves_what_was_there() {
    let (tree, out) = (tree(), TempDir::new().expect("a directory"));
    let path = out.path().join("program.run");
    let plan = plan(tree.path());
    fs::write(&path, "mine").expect("room");
    put(tree.path(), "etc/settings", b"changed since it was planned");
    let error = pack(&plan, &options(tree.path(), &path, |_| ()), 7).expect_err("changed");
    assert!(matches!(error, SealError::Image(ImageError::Changed { .. })), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(fs::read(&path).expect("there"), b"mine");
    assert_eq!(fs::read_dir(out.path()).expect("a directory").count(), 1);
}

#[test]
fn a_command_whose_path_is_not_utf8_is_refused() {
    let (tree, out) = (tree(), TempDir::new().expect("a directory"));
    let path = out.path().join("program.run");
    let plan = Plan {
        entry: RootPath::new(b"/bin/\xff"),
        ..plan(tree.path())
    };
    let error = pack(&plan, &options(tree.path(), &path, |_| ()), 7).expect_err("not UTF-8");
    assert_eq!(error.to_string(), "/bin/\u{fffd}: the path of the command is not UTF-8");
    assert!(!path.exists());
}
