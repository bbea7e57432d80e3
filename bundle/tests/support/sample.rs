//! Small bundles of fixed content, made by the writer.

use std::io::{Cursor, Write};

use bundle::manifest::{HashTreeRecord, ImageRecord, Isolation, Process, StubRecord};
use bundle::{BundleWriter, Manifest, SignatureRecord};
use signing::{Purpose, SecretKey};

/// Length of [`stub`].
pub const STUB_LENGTH: usize = 132;

/// Where the superblock of a sample begins: [`STUB_LENGTH`] rounded up.
pub const SUPERBLOCK: usize = 4096;

/// Where the manifest of a sample begins.
pub const MANIFEST: usize = 8192;

/// The least ELF executable: one segment, whose code is `exit(42)` for x86_64.
pub fn stub() -> Vec<u8> {
    let code = [0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    let mut elf = Vec::new();
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend_from_slice(&2u16.to_le_bytes()); // e_type: ET_EXEC
    elf.extend_from_slice(&62u16.to_le_bytes()); // e_machine: EM_X86_64
    elf.extend_from_slice(&1u32.to_le_bytes()); // e_version
    elf.extend_from_slice(&0x0040_0078u64.to_le_bytes()); // e_entry
    elf.extend_from_slice(&64u64.to_le_bytes()); // e_phoff
    elf.extend_from_slice(&0u64.to_le_bytes()); // e_shoff
    elf.extend_from_slice(&0u32.to_le_bytes()); // e_flags
    for half in [64u16, 56, 1, 64, 0, 0] {
        // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
        elf.extend_from_slice(&half.to_le_bytes());
    }
    elf.extend_from_slice(&1u32.to_le_bytes()); // p_type: PT_LOAD
    elf.extend_from_slice(&5u32.to_le_bytes()); // p_flags: PF_R | PF_X
    for word in [0u64, 0x0040_0000, 0x0040_0000, 132, 132, 0x1000] {
        // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
        elf.extend_from_slice(&word.to_le_bytes());
    }
    elf.extend_from_slice(&code);
    elf
}

/// The secret keys of RFC 8032, section 7.1, tests 1 and 2: known to everyone, so never to be trusted.
pub fn keys() -> [SecretKey; 2] {
    let test_1 = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    let test_2 = [
        0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a,
        0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
    ];
    [SecretKey::from_bytes(&test_1), SecretKey::from_bytes(&test_2)]
}

/// The salt of every sample.
pub fn salt() -> [u8; 32] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

/// A manifest whose places are filled in by the writer.
pub fn manifest() -> Manifest {
    Manifest {
        format_version: 1,
        name: "hello".to_owned(),
        architecture: "x86_64".to_owned(),
        created: 0,
        generator: "polecat 0.1.0".to_owned(),
        stub: StubRecord {
            length: 0,
            sha256: String::new(),
        },
        image: ImageRecord {
            offset: 0,
            length: 0,
            entries: 3,
            unpacked_size: 14,
        },
        hash_tree: HashTreeRecord {
            offset: 0,
            length: 0,
            salt: String::new(),
            root_digest: String::new(),
        },
        process: Process {
            path: "/bin/hello".to_owned(),
            args: vec!["hello".to_owned(), "--greeting=hi".to_owned()],
            env: vec!["PATH=/usr/bin:/bin".to_owned()],
            cwd: None,
        },
        isolation: Isolation::default(),
        entry_points: Vec::new(),
        packages: None,
        reasons: None,
        paths: None,
        requires: Vec::new(),
    }
}

/// A record of this key's signature over a manifest as it is stored.
pub fn record(key: &SecretKey, manifest: &[u8]) -> SignatureRecord {
    let signature = key.sign(Purpose::BundleManifest, manifest);
    SignatureRecord::ed25519(key.public_key().to_bytes(), signature.0)
}

/// A bundle with this image, signed by these keys.
pub fn build(image: &[u8], keys: &[SecretKey]) -> Vec<u8> {
    let manifest = manifest();
    let mut file = Cursor::new(Vec::new());
    let mut writer = BundleWriter::create(&mut file, &stub(), manifest.capacity().unwrap()).unwrap();
    writer.image().write_all(image).unwrap();
    let sign = |stored: &[u8]| keys.iter().map(|key| record(key, stored)).collect();
    writer.finish(image.len() as u64, manifest, &salt(), sign).unwrap();
    file.into_inner()
}
