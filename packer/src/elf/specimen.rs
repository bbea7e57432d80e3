//! ELF files put together byte by byte, for tests.

use goblin::elf::header as h;

use super::{Class, DF_1_NODEFLIB, Encoding};

/// What a specimen is made of.
#[derive(Clone)]
pub(crate) struct Specimen {
    pub(crate) class: Class,
    pub(crate) encoding: Encoding,
    pub(crate) machine: u16,
    pub(crate) file_type: u16,
    pub(crate) interpreter: Option<&'static str>,
    /// Tag and string.
    pub(crate) strings: Vec<(u64, &'static str)>,
    /// Tag and value.
    pub(crate) values: Vec<(u64, u64)>,
    /// Name, and whether it is defined.
    pub(crate) symbols: Vec<(&'static str, bool)>,
    /// Write a DT_HASH, which tells the number of symbols.
    pub(crate) hash: bool,
}

pub(crate) const DT_NEEDED: u64 = 1;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
pub(crate) const DT_SONAME: u64 = 14;
pub(crate) const DT_RPATH: u64 = 15;
pub(crate) const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DT_DEPAUDIT: u64 = 0x6fff_fefb;
const DT_AUDIT: u64 = 0x6fff_fefc;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;
/// Where the file is mapped: addresses are not offsets.
const BASE: u64 = 0x40_0000;

impl Specimen {
    /// A dynamic program of x86_64 with one of everything.
    pub(crate) fn program() -> Self {
        Self {
            class: Class::Elf64,
            encoding: Encoding::Little,
            machine: h::EM_X86_64,
            file_type: h::ET_DYN,
            interpreter: Some("/lib64/ld-linux-x86-64.so.2"),
            strings: vec![
                (DT_NEEDED, "libtinfo.so.6"),
                (DT_FILTER, "libfilter.so"),
                (DT_NEEDED, "libc.so.6"),
                (DT_AUXILIARY, "libaux.so"),
                (DT_SONAME, "self.so"),
                (DT_RPATH, "$ORIGIN/../r"),
                (DT_RUNPATH, "/run:/path"),
                (DT_AUDIT, "audit.so"),
                (DT_DEPAUDIT, "depaudit.so"),
            ],
            values: vec![(DT_FLAGS_1, DF_1_NODEFLIB)],
            symbols: vec![
                ("tgetent", false),
                ("printf", false),
                ("pthread_exit", false),
                ("stdin", true),
                ("setlocale", true),
            ],
            hash: true,
        }
    }

    fn word(&self, bytes: &mut Vec<u8>, width: usize, value: u64) {
        let all = value.to_le_bytes();
        match self.encoding {
            Encoding::Little => bytes.extend_from_slice(&all[..width]),
            Encoding::Big => bytes.extend(all[..width].iter().rev()),
        }
    }

    fn width(&self) -> usize {
        if self.class == Class::Elf64 { 8 } else { 4 }
    }

    /// The file: header, program headers, interpreter, symbols, hash, strings, dynamic section; all in one segment.
    pub(crate) fn build(&self) -> Vec<u8> {
        let (header, entry, symbol) = if self.width() == 8 { (64, 56, 24) } else { (52, 32, 16) };
        let interpreter = self
            .interpreter
            .map(|path| [path.as_bytes(), b"\0"].concat())
            .unwrap_or_default();
        let interpreter_at = header + 3 * entry;
        let symbols_at = (interpreter_at + interpreter.len()).next_multiple_of(8);
        let hash_at = symbols_at + (self.symbols.len() + 1) * symbol;
        let strings_at = hash_at + if self.hash { 16 } else { 0 };
        let mut strings = vec![0];
        let mut add = |text: &str| {
            let at = strings.len() as u64;
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = self.strings.iter().map(|&(tag, text)| (tag, add(text))).collect();
        let names: Vec<u64> = self.symbols.iter().map(|&(name, _)| add(name)).collect();
        dynamic.extend(&self.values);
        dynamic.extend([
            (DT_STRTAB, BASE + strings_at as u64),
            (DT_STRSZ, strings.len() as u64),
            (DT_SYMTAB, BASE + symbols_at as u64),
        ]);
        if self.hash {
            dynamic.push((DT_HASH, BASE + hash_at as u64));
        }
        dynamic.push((0, 0));
        let dynamic_at = (strings_at + strings.len()).next_multiple_of(8);
        let dynamic_size = dynamic.len() * 2 * self.width();
        let end = dynamic_at + dynamic_size;

        let mut file = self.header();
        let segment = |kind: u64, at: usize, size: usize| (kind, at as u64, size as u64);
        for (kind, at, size) in [
            segment(
                if self.interpreter.is_some() { 3 } else { 0 },
                interpreter_at,
                interpreter.len(),
            ),
            segment(1, 0, end),
            segment(2, dynamic_at, dynamic_size),
        ] {
            self.program_header(&mut file, kind, at, size);
        }
        file.extend(interpreter);
        file.resize(symbols_at + symbol, 0);
        for (&(_, defined), &name) in self.symbols.iter().zip(&names) {
            self.symbol(&mut file, name, defined);
        }
        if self.hash {
            for word in [0, self.symbols.len() as u64 + 1, 0, 0] {
                self.word(&mut file, 4, word);
            }
        }
        file.extend(strings);
        file.resize(dynamic_at, 0);
        for (tag, value) in dynamic {
            self.word(&mut file, self.width(), tag);
            self.word(&mut file, self.width(), value);
        }
        file
    }

    fn header(&self) -> Vec<u8> {
        let wide = self.width();
        let (class, size, entry) = if wide == 8 { (2, 64, 56) } else { (1, 52, 32) };
        let mut file = b"\x7fELF".to_vec();
        file.extend([class, if self.encoding == Encoding::Little { 1 } else { 2 }, 1]);
        file.resize(16, 0);
        for (width, value) in [
            (2, u64::from(self.file_type)),
            (2, u64::from(self.machine)),
            (4, 1),
            (wide, 0),
            (wide, size),
            (wide, 0),
            (4, 0),
            (2, size),
            (2, entry),
            (2, 3),
            (2, 0),
            (2, 0),
            (2, 0),
        ] {
            self.word(&mut file, width, value);
        }
        file
    }

    fn program_header(&self, file: &mut Vec<u8>, kind: u64, at: u64, size: u64) {
        self.word(file, 4, kind);
        if self.width() == 8 {
            self.word(file, 4, 4);
        }
        for value in [at, BASE + at, BASE + at, size, size] {
            self.word(file, self.width(), value);
        }
        if self.width() == 4 {
            self.word(file, 4, 4);
        }
        self.word(file, self.width(), 8);
    }

    fn symbol(&self, file: &mut Vec<u8>, name: u64, defined: bool) {
        self.word(file, 4, name);
        let section = u64::from(defined);
        let rest: &[(usize, u64)] = match self.class {
            Class::Elf64 => &[(1, 0x12), (1, 0), (2, section), (8, 0), (8, 0)],
            Class::Elf32 => &[(4, 0), (4, 0), (1, 0x12), (1, 0), (2, section)],
        };
        for &(width, value) in rest {
            self.word(file, width, value);
        }
    }
}
