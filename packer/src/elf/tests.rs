//! Specimens of both classes and byte orders are read, then they are damaged.

use goblin::elf::header as h;

use super::read::{Source, read};
use super::specimen::Specimen;
use super::*;

fn facts(bytes: &[u8]) -> Result<ElfFacts, ElfError> {
    read(bytes)
}

#[test]
fn everything_is_read_in_every_class_and_byte_order() {
    for class in [Class::Elf32, Class::Elf64] {
        for encoding in [Encoding::Little, Encoding::Big] {
            for hash in [true, false] {
                let specimen = Specimen {
                    class,
                    encoding,
                    hash,
                    ..Specimen::program()
                };
                let facts = facts(&specimen.build()).expect("sound");
                assert_eq!(
                    facts.target,
                    Target {
                        class,
                        encoding,
                        machine: h::EM_X86_64
                    }
                );
                assert_eq!(facts.file_type, FileType::Shared);
                assert_eq!(facts.interpreter.as_deref(), Some(&b"/lib64/ld-linux-x86-64.so.2"[..]));
                let dependencies: Vec<_> = facts.dependencies.iter().map(|d| (d.tag, d.name.as_slice())).collect();
                assert_eq!(
                    dependencies,
                    [
                        (DependencyTag::Needed, &b"libtinfo.so.6"[..]),
                        (DependencyTag::Filter, b"libfilter.so"),
                        (DependencyTag::Needed, b"libc.so.6"),
                        (DependencyTag::Auxiliary, b"libaux.so"),
                    ]
                );
                assert_eq!(facts.soname.as_deref(), Some(&b"self.so"[..]));
                assert_eq!(facts.rpath.as_deref(), Some(&b"$ORIGIN/../r"[..]));
                assert_eq!(facts.runpath.as_deref(), Some(&b"/run:/path"[..]));
                assert_eq!(facts.audit.as_deref(), Some(&b"audit.so"[..]));
                assert_eq!(facts.depaudit.as_deref(), Some(&b"depaudit.so"[..]));
                assert_eq!(facts.flags_1, DF_1_NODEFLIB);
                assert_eq!(
                    facts.imports,
                    ["pthread_exit", "tgetent"],
                    "not setlocale, which it defines"
                );
                assert_eq!(facts.exports, ["stdin"]);
            }
        }
    }
}

#[test]
fn static_and_foreign_files() {
    let plain = Specimen {
        interpreter: None,
        strings: Vec::new(),
        symbols: Vec::new(),
        ..Specimen::program()
    };
    let facts_of = |specimen: &Specimen| facts(&specimen.build()).expect("sound");
    assert_eq!(facts_of(&plain).interpreter, None);
    assert!(facts_of(&plain).dependencies.is_empty());
    for (machine, class, encoding, name) in [
        (h::EM_AARCH64, Class::Elf64, Encoding::Little, "aarch64"),
        (h::EM_ARM, Class::Elf32, Encoding::Little, "armv7l"),
        (h::EM_386, Class::Elf32, Encoding::Little, "i686"),
        (h::EM_RISCV, Class::Elf64, Encoding::Little, "riscv64"),
        (h::EM_PPC64, Class::Elf64, Encoding::Little, "ppc64le"),
        (h::EM_S390, Class::Elf64, Encoding::Big, "s390x"),
        (0xfedc, Class::Elf64, Encoding::Little, "em-65244"),
    ] {
        let specimen = Specimen {
            machine,
            class,
            encoding,
            ..plain.clone()
        };
        assert_eq!(facts_of(&specimen).target.architecture(), name);
    }
    for (file_type, expected) in [
        (h::ET_EXEC, FileType::Executable),
        (h::ET_REL, FileType::NotLoadable),
        (h::ET_CORE, FileType::NotLoadable),
    ] {
        assert_eq!(
            facts_of(&Specimen {
                file_type,
                ..plain.clone()
            })
            .file_type,
            expected
        );
    }
}

#[test]
fn faults_are_told_apart() {
    let good = Specimen::program().build();
    let target = Some(Target {
        class: Class::Elf64,
        encoding: Encoding::Little,
        machine: h::EM_X86_64,
    });
    let damaged = |target, fault| Err(ElfError::Damaged { target, fault });
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        facts(&file).map(|_| ())
    };
    assert_eq!(facts(b"").map(|_| ()), Err(ElfError::TooShort));
    assert_eq!(facts(b"\x7fELF").map(|_| ()), Err(ElfError::TooShort));
    assert_eq!(facts(&good[..63]).map(|_| ()), Err(ElfError::TooShort));
    assert_eq!(facts(&[b'x'; 100]).map(|_| ()), Err(ElfError::NotElf));
    assert_eq!(facts(&good[..100]).map(|_| ()), damaged(target, Fault::ProgramHeaders));
    assert_eq!(
        facts(&good[..good.len() - 1]).map(|_| ()),
        damaged(target, Fault::Dynamic)
    );
    assert_eq!(changed(4, &[9]), damaged(None, Fault::Identification), "class");
    assert_eq!(
        changed(6, &[0]),
        damaged(target, Fault::Identification),
        "version of the identification"
    );
    assert_eq!(changed(7, &[9]), damaged(target, Fault::Identification), "OS ABI");
    assert_eq!(changed(15, &[1]), damaged(target, Fault::Identification), "padding");
    assert_eq!(changed(20, &[2]), damaged(target, Fault::Version));
    assert_eq!(changed(54, &[1]), damaged(target, Fault::ProgramHeaderSize));
    assert_eq!(
        changed(32, &[0xff; 8]),
        damaged(target, Fault::ProgramHeaders),
        "their offset"
    );
    assert_eq!(
        changed(64 + 8, &[0xff; 8]),
        damaged(target, Fault::Interpreter),
        "its offset"
    );
    assert_eq!(
        changed(64 + 32, &[1, 0, 0, 0, 0, 0, 0, 0]),
        damaged(target, Fault::Interpreter),
        "its length"
    );
}

/// Whatever is wrong with a file, it is told, and reading it asks for no more than the file can have.
#[test]
fn damage_never_panics() {
    struct Greedy(Vec<u8>);
    impl Source for Greedy {
        fn read(&self, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
            assert!(length <= 64 << 20, "{length} bytes at once");
            self.0.as_slice().read(offset, length)
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut sound = 0;
    for round in 0..20_000_u32 {
        let class = if round % 2 == 0 { Class::Elf64 } else { Class::Elf32 };
        let encoding = if round % 4 < 2 { Encoding::Little } else { Encoding::Big };
        let mut file = Specimen {
            class,
            encoding,
            ..Specimen::program()
        }
        .build();
        for _ in 0..=round % 8 {
            let at = usize::try_from(random() % file.len() as u64).expect("small");
            file[at] = random().to_le_bytes()[0];
        }
        if round % 5 == 0 {
            file.truncate(usize::try_from(random() % file.len() as u64).expect("small"));
        }
        sound += u32::from(read(&Greedy(file)).is_ok());
    }
    assert!(
        (1000..19_000).contains(&sound),
        "the damage is too much or too little to mean anything: {sound} still sound"
    );
}

/// This test's own executable is a real one.
#[test]
fn a_real_file() {
    let file = std::fs::File::open("/proc/self/exe").expect("itself");
    let facts = ElfFacts::read(&file).expect("sound");
    assert!(facts.has_dynamic && facts.has_segments);
    assert_eq!(
        facts.target.architecture(),
        std::env::consts::ARCH
            .replace("x86", "i686")
            .replace("i686_64", "x86_64")
    );
    if facts.interpreter.is_some() {
        assert!(
            facts
                .dependencies
                .iter()
                .any(|dependency| dependency.name.starts_with(b"libc."))
        );
        assert!(
            facts.imports("pthread_create") || facts.imports("getpwuid_r"),
            "{:?}",
            facts.imports
        );
    }
}
