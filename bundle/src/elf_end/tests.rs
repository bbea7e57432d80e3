use super::*;

/// An ELF file's first bytes: where its tables are and which parts of it are segments.
#[derive(Clone)]
struct Elf {
    wide: bool,
    big: bool,
    program_headers: u64,
    program_header_length: u16,
    section_headers: (u64, u16, u16),
    segments: Vec<(u64, u64)>,
}

impl Elf {
    fn new(wide: bool, big: bool) -> Self {
        let (program_headers, program_header_length) = if wide { (64, 56) } else { (52, 32) };
        Elf {
            wide,
            big,
            program_headers,
            program_header_length,
            section_headers: (0, 0, 0),
            segments: vec![(0, 500)],
        }
    }

    fn number(&self, value: u64, length: usize) -> Vec<u8> {
        let little = &value.to_le_bytes()[..length];
        if self.big {
            little.iter().rev().copied().collect()
        } else {
            little.to_vec()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let word = if self.wide { 8 } else { 4 };
        let mut elf = vec![
            0x7f,
            b'E',
            b'L',
            b'F',
            1 + u8::from(self.wide),
            1 + u8::from(self.big),
            1,
        ];
        elf.resize(24 + word, 0);
        let (offset, length, entries) = self.section_headers;
        elf.extend(
            [
                self.number(self.program_headers, word),
                self.number(offset, word),
                vec![0; 6],
            ]
            .concat(),
        );
        for half in [
            u64::from(self.program_header_length),
            self.segments.len() as u64,
            u64::from(length),
            u64::from(entries),
            0,
        ] {
            elf.extend(self.number(half, 2));
        }
        elf.resize(usize::try_from(self.program_headers).unwrap().max(elf.len()), 0);
        for (offset, length) in &self.segments {
            let start = elf.len();
            elf.resize(start + if self.wide { 8 } else { 4 }, 0);
            elf.extend(
                [
                    self.number(*offset, word),
                    vec![0; 2 * word],
                    self.number(*length, word),
                ]
                .concat(),
            );
            elf.resize(start + usize::from(self.program_header_length), 0);
        }
        elf
    }
}

type Change = fn(&mut Elf);

#[test]
fn ends() {
    for (wide, big) in [(false, false), (false, true), (true, false), (true, true)] {
        let elf = Elf::new(wide, big);
        let after_table = if wide { 64 + 56 } else { 52 + 32 };
        // what is changed, expected end
        let table: [(Change, u64); 6] = [
            (|_| {}, 500),
            (|elf| elf.segments = vec![(1000, 24), (500, 100)], 1024),
            (|elf| elf.segments = vec![(0, 8)], after_table),
            (|elf| elf.section_headers = (5000, 40, 3), 5120),
            (|elf| elf.section_headers = (64, 40, 3), 500),
            (
                |elf| (elf.program_headers, elf.segments) = (3000, vec![(0, 8)]),
                after_table + 3000 - if wide { 64 } else { 52 },
            ),
        ];
        for (index, (change, expected)) in table.into_iter().enumerate() {
            let mut changed = elf.clone();
            change(&mut changed);
            assert_eq!(
                elf_end(&changed.bytes()),
                Ok(expected),
                "case {index}, wide {wide}, big {big}"
            );
        }
    }
}

#[test]
fn refusals() {
    let table: [(Change, &str); 6] = [
        (|elf| elf.segments.clear(), "no program headers"),
        (
            |elf| elf.program_header_length = 57,
            "program headers of another length",
        ),
        (
            |elf| elf.program_headers = 4096,
            "program headers far from its beginning",
        ),
        (|elf| elf.section_headers = (4096, 64, 0), "too many section headers"),
        (|elf| elf.section_headers = (u64::MAX, 64, 1), "offsets beyond 64 bits"),
        (|elf| elf.segments = vec![(u64::MAX, 1)], "offsets beyond 64 bits"),
    ];
    for (change, what) in table {
        let mut elf = Elf::new(true, false);
        change(&mut elf);
        assert_eq!(elf_end(&elf.bytes()), Err(ElfEndError::Unusual { what }));
    }
    let mut elf = Elf::new(true, false).bytes();
    elf[56..58].copy_from_slice(&PN_XNUM.to_le_bytes());
    assert_eq!(
        elf_end(&elf),
        Err(ElfEndError::Unusual {
            what: "too many program headers"
        })
    );
}

#[test]
fn cuts() {
    for (wide, header, whole) in [(true, 64, 120), (false, 52, 84)] {
        let elf = Elf::new(wide, false).bytes();
        for length in 0..elf.len() {
            let expected = match length {
                0..4 => ElfEndError::NotElf,
                4..6 => ElfEndError::Cut { needed: 64 },
                // The last field of the header, e_shstrndx, is not needed and not looked at.
                _ if length < header - 2 => ElfEndError::Cut { needed: header as u64 },
                _ => ElfEndError::Cut { needed: whole },
            };
            assert_eq!(elf_end(&elf[..length]), Err(expected), "{length} bytes");
        }
    }
}

#[test]
fn a_real_executable_ends_where_its_file_does() {
    // A Rust test is an unstripped executable, whose section headers come last.
    let bytes = std::fs::read("/proc/self/exe").unwrap();
    let head = &bytes[..ELF_HEAD_LENGTH];
    assert_eq!(elf_end(head), Ok(bytes.len() as u64));
}
