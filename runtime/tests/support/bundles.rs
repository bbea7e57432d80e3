//! Bundles made for a test.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use bundle::manifest::{HashTreeRecord, ImageRecord, Isolation, Manifest, Process, StubRecord};
use bundle::{BundleWriter, SignatureRecord};
use runtime::verify::{Opened, Verified};
use signing::{Purpose, SecretKey};

/// A bundle on disk, and where its parts are.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) path: PathBuf,
    pub(crate) image_offset: u64,
    pub(crate) image_blocks: u64,
    pub(crate) tree_blocks: u64,
}

/// The key that signs: a test's, so that the same bundle comes out every time.
pub(crate) fn key() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

/// The smallest file that is an ELF executable as far as its length goes.
pub(crate) fn stub() -> Vec<u8> {
    let mut elf = vec![0; 120];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[32] = 64; // e_phoff
    elf[54] = 56; // e_phentsize
    elf[56] = 1; // e_phnum
    elf[96] = 120; // p_filesz
    elf
}

/// An image of `source` by mksquashfs, with `options` more.
pub(crate) fn squashfs(source: &Path, image: &Path, options: &[&str]) {
    let mut command = Command::new("mksquashfs");
    command
        .arg(source)
        .arg(image)
        .args(["-comp", "zstd", "-noappend", "-no-xattrs", "-quiet", "-no-progress"]);
    let output = command.args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A signed bundle at `path` around the image at `image`.
pub(crate) fn seal(image: &Path, path: &Path) -> Packed {
    let output = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    let mut writer = BundleWriter::create(output, &stub(), 4096).unwrap();
    let image_length = io::copy(&mut File::open(image).unwrap(), &mut writer.image()).unwrap();
    let sign = |message: &[u8]| {
        let signature = key().sign(Purpose::BundleManifest, message);
        vec![SignatureRecord::ed25519(key().public_key().to_bytes(), signature.0)]
    };
    let summary = writer
        .finish(image_length, manifest(), b"salt of a test", sign)
        .unwrap();
    Packed {
        path: path.to_owned(),
        image_offset: summary.manifest.image.offset,
        image_blocks: summary.manifest.image.length / 4096,
        tree_blocks: summary.manifest.hash_tree.length / 4096,
    }
}

/// A bundle of `source` in `directory`.
pub(crate) fn pack(source: &Path, directory: &Path, options: &[&str]) -> Packed {
    let image = directory.join("image.squashfs");
    squashfs(source, &image, options);
    let packed = seal(&image, &directory.join("test.run"));
    fs::remove_file(image).unwrap();
    packed
}

/// A manifest that the writer can complete.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        format_version: 1,
        name: "test".to_owned(),
        architecture: "x86_64".to_owned(),
        created: 0,
        generator: "test".to_owned(),
        stub: StubRecord {
            length: 0,
            sha256: String::new(),
        },
        image: ImageRecord {
            offset: 0,
            length: 0,
            entries: 1,
            unpacked_size: 0,
        },
        hash_tree: HashTreeRecord {
            offset: 0,
            length: 0,
            salt: String::new(),
            root_digest: String::new(),
        },
        process: Process {
            path: "/bin/true".to_owned(),
            args: vec!["true".to_owned()],
            env: vec![],
            cwd: None,
        },
        isolation: Isolation::default(),
        entry_points: Vec::new(),
        packages: None,
        reasons: None,
        paths: None,
        requires: vec![],
    }
}

impl Packed {
    pub(crate) fn verified(&self) -> Verified {
        Opened::new(File::open(&self.path).unwrap()).unwrap().verify().unwrap()
    }

    /// Inverts a bit of the byte at `offset` of the file: twice is as before.
    pub(crate) fn flip(&self, offset: u64) {
        use std::os::unix::fs::FileExt;
        let file = File::options().read(true).write(true).open(&self.path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
    }

    /// An offset inside block `block` of image and tree, counted through; another place in each block.
    pub(crate) fn offset_in(&self, block: u64) -> u64 {
        self.image_offset + block * 4096 + (block * 1237) % 4096
    }
}
