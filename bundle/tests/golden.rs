//! The format is what the committed bundles are: the writer makes them again byte by byte, the reader reads them for ever.

mod support;

use std::io::Cursor;
use std::path::PathBuf;

use bundle::manifest::Manifest;
use bundle::path_set::{self, Member};
use bundle::{Bundle, BundleWriter, PathSet, SectionKind, SignatureRecord};
use support::{fixtures, forge::Forged, judge::judge, sample};

fn golden(name: &str) -> PathBuf {
    fixtures::folder("golden/v1").join(name)
}

#[test]
fn minimal_bundle_is_written_as_it_was() {
    let image = fixtures::read(&golden("minimal.squashfs"));
    let [key, _] = sample::keys();
    fixtures::assert_committed(&golden("minimal.bundle"), &sample::build(&image, &[key]));
}

#[test]
fn minimal_bundle_is_read_as_it_was() {
    let bytes = fixtures::read(&golden("minimal.bundle"));
    let manifest = judge(&bytes).unwrap();
    assert_eq!(manifest.process, sample::manifest().process);
    assert_eq!((manifest.image.offset, manifest.image.length), (16384, 4096));
    assert_eq!((manifest.hash_tree.offset, manifest.hash_tree.length), (20480, 0));
    assert_eq!(manifest.stub.length, sample::STUB_LENGTH as u64);
    let bundle = Bundle::read(&bytes).unwrap();
    assert_eq!(bundle.superblock().file_length, 20480);
    assert_eq!(bundle.signatures().len(), 1);
}

/// `extended.bundle` has what version 1 allows and its writer does not use: a gap before the image, a record of an unknown
/// algorithm, an ignorable section with content and unknown flags, bytes behind the end.
fn extended(image: &[u8]) -> Vec<u8> {
    let manifest = sample::manifest();
    let mut file = Cursor::new(Vec::new());
    let mut writer = bundle::BundleWriter::create(&mut file, &sample::stub(), 8192).unwrap();
    std::io::Write::write_all(&mut writer.image(), image).unwrap();
    let unknown = SignatureRecord::Unknown {
        algorithm: 0x7777,
        bytes: [0xa5; 124],
    };
    let sign = |stored: &[u8]| {
        let [first, second] = sample::keys();
        vec![sample::record(&first, stored), unknown, sample::record(&second, stored)]
    };
    writer
        .finish(image.len() as u64, manifest, &sample::salt(), sign)
        .unwrap();
    let mut forged = Forged(file.into_inner());
    let end = forged.0.len();
    forged.0.extend_from_slice(b"ignorable section");
    let length = forged.0.len() as u64;
    let entry = forged.unknown_entry();
    let forged = forged
        .put_u32(entry + 4, 0x8000_0000)
        .put_u64(entry + 8, end as u64)
        .put_u64(entry + 16, 17)
        .put_u64(sample::SUPERBLOCK + 24, length);
    let mut bytes = forged.seal().0;
    bytes.extend_from_slice(b"\nbytes that somebody appended\n");
    bytes
}

#[test]
fn extended_bundle_is_written_as_it_was() {
    let image = fixtures::read(&golden("extended.squashfs"));
    fixtures::assert_committed(&golden("extended.bundle"), &extended(&image));
}

#[test]
fn extended_bundle_is_read_as_it_was() {
    let bytes = fixtures::read(&golden("extended.bundle"));
    let manifest = judge(&bytes).unwrap();
    assert_eq!(manifest.hash_tree.length, 4096);
    let bundle = Bundle::read(&bytes).unwrap();
    assert_eq!(bundle.signatures().len(), 3);
    assert_eq!(bundle.ed25519_signatures().count(), 2);
    let signatures = bundle.sections().signatures;
    assert!(bundle.sections().image.offset > signatures.offset + signatures.length);
    let unknown = bundle
        .superblock()
        .sections
        .iter()
        .find(|section| matches!(section.kind, SectionKind::Unknown(_)));
    assert_eq!(unknown.unwrap().length, 17);
}

/// A bundle of the sample stub and key, with the sections that `add` gives it.
fn written(image: &[u8], manifest: Manifest, add: impl FnOnce(&mut BundleWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = BundleWriter::create(&mut file, &sample::stub(), manifest.capacity().unwrap()).unwrap();
    std::io::Write::write_all(&mut writer.image(), image).unwrap();
    add(&mut writer);
    let [key, _] = sample::keys();
    let sign = |stored: &[u8]| vec![sample::record(&key, stored)];
    writer
        .finish(image.len() as u64, manifest, &sample::salt(), sign)
        .unwrap();
    file.into_inner()
}

/// `packages.bundle` has a list of packages: an ignorable section whose digest the manifest holds.
fn with_packages(image: &[u8], packages: &[u8]) -> Vec<u8> {
    let mut manifest = sample::manifest();
    manifest.packages = Some(bundle::manifest::SectionRecord::default());
    written(image, manifest, |writer| writer.packages(packages.to_vec()))
}

#[test]
fn bundle_with_packages_is_written_as_it_was() {
    let image = fixtures::read(&golden("minimal.squashfs"));
    let packages = fixtures::read(&golden("packages.json.zst"));
    fixtures::assert_committed(&golden("packages.bundle"), &with_packages(&image, &packages));
}

/// `reasons.bundle` has reasons behind a list of packages.
fn with_reasons(image: &[u8], packages: &[u8], reasons: &[u8]) -> Vec<u8> {
    let mut manifest = sample::manifest();
    manifest.packages = Some(bundle::manifest::SectionRecord::default());
    manifest.reasons = Some(bundle::manifest::SectionRecord::default());
    written(image, manifest, |writer| {
        writer.packages(packages.to_vec());
        writer.reasons(reasons.to_vec());
    })
}

#[test]
fn bundle_with_reasons_is_written_as_it_was() {
    let [image, packages, reasons] =
        ["minimal.squashfs", "packages.json.zst", "reasons.json.zst"].map(|name| fixtures::read(&golden(name)));
    fixtures::assert_committed(&golden("reasons.bundle"), &with_reasons(&image, &packages, &reasons));
}

#[test]
fn bundle_with_reasons_is_read_as_it_was() {
    let bytes = fixtures::read(&golden("reasons.bundle"));
    let [packages, reasons] = ["packages.json.zst", "reasons.json.zst"].map(|name| fixtures::read(&golden(name)));
    let manifest = judge(&bytes).unwrap();
    let record = manifest.reasons.unwrap();
    let bundle = Bundle::read(&bytes).unwrap();
    let section = bundle.superblock().section(SectionKind::Reasons).unwrap();
    assert!(!section.is_critical());
    assert_eq!((section.offset, section.length), (record.offset, record.length));
    assert_eq!(record.offset, manifest.packages.unwrap().offset + packages.len() as u64);
    assert_eq!(&bytes[usize::try_from(record.offset).unwrap()..], reasons);
}

#[test]
fn bundle_with_packages_is_read_as_it_was() {
    let bytes = fixtures::read(&golden("packages.bundle"));
    let packages = fixtures::read(&golden("packages.json.zst"));
    let record = judge(&bytes).unwrap().packages.unwrap();
    let bundle = Bundle::read(&bytes).unwrap();
    let section = bundle.superblock().section(SectionKind::Packages).unwrap();
    assert!(!section.is_critical());
    assert_eq!((section.offset, section.length), (record.offset, record.length));
    assert_eq!(bundle.superblock().file_length, 20480 + packages.len() as u64);
    assert_eq!(&bytes[20480..], packages);
}

/// `isolation-options.bundle` has options of isolation, and says so.
fn with_options(image: &[u8]) -> Vec<u8> {
    let mut manifest = sample::manifest();
    manifest.isolation.options = ["hostname=box", "contain"].map(str::to_owned).to_vec();
    manifest.requires = vec![bundle::manifest::ISOLATION_OPTIONS.to_owned()];
    written(image, manifest, |_| ())
}

#[test]
fn bundle_with_options_is_written_as_it_was() {
    let image = fixtures::read(&golden("minimal.squashfs"));
    fixtures::assert_committed(&golden("isolation-options.bundle"), &with_options(&image));
}

#[test]
fn bundle_with_options_is_read_as_it_was() {
    let manifest = judge(&fixtures::read(&golden("isolation-options.bundle"))).unwrap();
    assert_eq!(manifest.isolation.options, ["hostname=box", "contain"]);
    assert!(!manifest.isolation.contain);
    assert_eq!(manifest.requires, ["isolation-options"]);
}

/// `isolation-seccomp.bundle` has a profile of system calls.
fn with_seccomp(image: &[u8]) -> Vec<u8> {
    let mut manifest = sample::manifest();
    let profile = br#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "syscalls": [
            {"names": ["read", "execve"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390x"]},
             "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"name": "ptrace", "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "includes": {"minKernel": "4.8"}}
        ]}"#;
    manifest.isolation.seccomp = Some(bundle::manifest::Seccomp::parse(profile).unwrap());
    manifest.requires = vec![bundle::manifest::ISOLATION_OPTIONS.to_owned()];
    written(image, manifest, |_| ())
}

#[test]
fn bundle_with_seccomp_is_written_as_it_was() {
    let image = fixtures::read(&golden("minimal.squashfs"));
    fixtures::assert_committed(&golden("isolation-seccomp.bundle"), &with_seccomp(&image));
}

#[test]
fn bundle_with_seccomp_is_read_as_it_was() {
    let manifest = judge(&fixtures::read(&golden("isolation-seccomp.bundle"))).unwrap();
    let profile = manifest.isolation.seccomp.unwrap();
    assert_eq!(profile.default_errno_ret, Some(1));
    let [plain, clone, ptrace] = &profile.syscalls[..] else {
        panic!("{profile:?}")
    };
    assert_eq!(plain.names, ["read", "execve"]);
    assert_eq!((clone.args[0].value, clone.args[0].value_two), (2_114_060_288, 0));
    assert_eq!(clone.excludes.caps, ["CAP_SYS_ADMIN"]);
    assert_eq!(ptrace.includes.min_kernel.as_deref(), Some("4.8"));
}

/// `paths.bundle` says which paths there were, besides a list of packages.
fn with_paths(image: &[u8], packages: &[u8], paths: &[u8]) -> Vec<u8> {
    let mut manifest = sample::manifest();
    manifest.packages = Some(bundle::manifest::SectionRecord::default());
    manifest.paths = Some(bundle::manifest::SectionRecord::default());
    written(image, manifest, |writer| {
        writer.packages(packages.to_vec());
        writer.paths(paths.to_vec());
    })
}

/// Directories, files, a link that leads to one of them and one that leads nowhere, and a name that is not UTF-8.
fn path_set() -> Vec<u8> {
    let mut builder = path_set::Builder::new(*b"salt of 16 bytes");
    for path in [
        "/bin",
        "/etc",
        "/etc/passwd",
        "/usr",
        "/usr/bin",
        "/usr/bin/true",
        "/nowhere",
    ] {
        builder.insert(Member::Path(path.as_bytes()));
    }
    builder.insert(Member::Path(b"/etc/\xff"));
    builder.insert(Member::Link(b"/bin"));
    builder.finish().unwrap()
}

#[test]
fn bundle_with_paths_is_written_as_it_was() {
    let image = fixtures::read(&golden("minimal.squashfs"));
    let packages = fixtures::read(&golden("packages.json.zst"));
    fixtures::assert_committed(&golden("paths.bundle"), &with_paths(&image, &packages, &path_set()));
}

#[test]
fn bundle_with_paths_is_read_as_it_was() {
    let bytes = fixtures::read(&golden("paths.bundle"));
    let manifest = judge(&bytes).unwrap();
    let (packages, record) = (manifest.packages.unwrap(), manifest.paths.unwrap());
    assert_eq!(record.offset, packages.offset + packages.length);
    let bundle = Bundle::read(&bytes).unwrap();
    let section = bundle.superblock().section(SectionKind::Paths).unwrap();
    assert!(!section.is_critical());
    assert_eq!((section.offset, section.length), (record.offset, record.length));
    let set = PathSet::read(&bytes, &record).unwrap();
    assert_eq!(set.count(), 9);
    for (member, expected) in [
        (Member::Path(b"/usr/bin/true"), true),
        (Member::Path(b"/etc/\xff"), true),
        (Member::Path(b"/nowhere"), true),
        (Member::Link(b"/nowhere"), false),
        (Member::Link(b"/bin"), true),
        (Member::Path(b"/bin/true"), false),
        (Member::Path(b"usr"), false),
        (Member::Path(b"/"), false),
    ] {
        assert_eq!(set.contains(member), expected, "{member:?}");
    }
}

/// `entry-points.bundle` has programs beside its command.
fn with_entry_points(image: &[u8]) -> Vec<u8> {
    let mut manifest = sample::manifest();
    manifest.entry_points = [("greet", "/bin/hello"), ("w\u{e4}ve", "/bin/wave")]
        .map(|(name, path)| bundle::manifest::EntryPoint {
            name: name.to_owned(),
            path: path.to_owned(),
        })
        .to_vec();
    written(image, manifest, |_| ())
}

#[test]
fn bundle_with_entry_points_is_written_as_it_was() {
    let image = fixtures::read(&golden("minimal.squashfs"));
    fixtures::assert_committed(&golden("entry-points.bundle"), &with_entry_points(&image));
}

#[test]
fn bundle_with_entry_points_is_read_as_it_was() {
    let manifest = judge(&fixtures::read(&golden("entry-points.bundle"))).unwrap();
    let process = manifest.entry("greet").unwrap();
    assert_eq!(
        (process.path.as_str(), process.args.as_slice()),
        ("/bin/hello", &["greet".to_owned()][..])
    );
    assert_eq!(process.env, sample::manifest().process.env);
    assert_eq!(manifest.entry("w\u{e4}ve").unwrap().path, "/bin/wave");
    assert_eq!(manifest.process, sample::manifest().process);
}
