//! What an executable says of how it wants to be started: the interpreter (`PT_INTERP`) and the directories that it names for its
//! libraries, elf(5). Of this machine's byte order: another one could not be executed.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use crate::error::errno;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// The kernel reads 64 KiB of program headers, and the shortest have 32 bytes.
const MOST_HEADERS: u64 = 2048;

/// Longer texts, and more entries, than any executable has.
const LONGEST: u64 = 4096;
const MOST_ENTRIES: u64 = 4096;

/// What is said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ElfFacts {
    /// Path of the dynamic loader; none in a static executable.
    pub(super) interpreter: Option<Vec<u8>>,
    /// RPATH or RUNPATH, with its colons.
    pub(super) search_path: Vec<u8>,
    /// Libraries.
    pub(super) needed: Vec<Vec<u8>>,
}

/// A part of the file that is mapped.
#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    address: u64,
    length: u64,
}

/// Reads `file`; none where it is no ELF file, or its headers are cut off: neither the kernel nor a loader takes that.
///
/// # Errors
/// It may be one, and cannot be read. `ENOEXEC`: its headers stand, and the dynamic section that they name is cut off, which the kernel
/// does not look at.
pub(super) fn read(file: &File) -> Result<Option<ElfFacts>, Errno> {
    let mut reader = Reader {
        file,
        wide: false,
        failed: Cell::new(None),
    };
    let facts = reader.facts();
    match reader.failed.get() {
        Some(errno) => Err(errno),
        None => Ok(facts),
    }
}

struct Reader<'a> {
    file: &'a File,
    /// 64 bits.
    wide: bool,
    /// What pread(2) said, where it is not the file's end that is in the way.
    failed: Cell<Option<Errno>>,
}

impl Reader<'_> {
    fn facts(&mut self) -> Option<ElfFacts> {
        let mut identity = [0; 16];
        self.fill(&mut identity, 0)?;
        if !identity.starts_with(b"\x7fELF") {
            return None;
        }
        self.wide = identity[4] == 2;
        let (headers, size, count) = if self.wide {
            (self.word(32)?, self.number(54, 2)?, self.number(56, 2)?)
        } else {
            (self.word(28)?, self.number(42, 2)?, self.number(44, 2)?)
        };
        let mut facts = ElfFacts::default();
        let mut loaded = Vec::new();
        let mut dynamic = None;
        for number in 0..count.min(MOST_HEADERS) {
            let at = headers.saturating_add(number * size);
            let kind = self.number(at, 4)?;
            let segment = self.segment(at)?;
            match kind {
                PT_LOAD => loaded.push(segment),
                PT_DYNAMIC => dynamic = Some(segment),
                PT_INTERP => facts.interpreter = Some(self.text(segment.offset, segment.length)?),
                _ => {}
            }
        }
        let named = dynamic.map(|dynamic| self.names(dynamic, &loaded, &mut facts));
        if named == Some(None) {
            self.failed.set(self.failed.get().or(Some(Errno::ENOEXEC)));
        }
        Some(facts)
    }

    #[inline(never)]
    fn fill(&self, bytes: &mut [u8], at: u64) -> Option<()> {
        // pread(2) knows no such offset, and no file has it.
        i64::try_from(at).ok()?;
        match self.file.read_exact_at(bytes, at) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => self.failed.set(Some(errno(&error))),
            Err(_) => {}
            Ok(()) => return Some(()),
        }
        None
    }

    /// A number of this many bytes.
    #[inline(never)]
    fn number(&self, at: u64, length: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        let start = if cfg!(target_endian = "big") {
            bytes.len() - length
        } else {
            0
        };
        self.fill(&mut bytes[start..start + length], at)?;
        Some(u64::from_ne_bytes(bytes))
    }

    /// An address or a length.
    #[inline(never)]
    fn word(&self, at: u64) -> Option<u64> {
        self.number(at, if self.wide { 8 } else { 4 })
    }

    fn segment(&self, header: u64) -> Option<Segment> {
        let [offset, address, length] = if self.wide { [8, 16, 32] } else { [4, 8, 16] };
        let field = |at| self.word(header.saturating_add(at));
        Some(Segment {
            offset: field(offset)?,
            address: field(address)?,
            length: field(length)?,
        })
    }

    /// Up to the first NUL byte.
    #[inline(never)]
    fn text(&self, at: u64, length: u64) -> Option<Vec<u8>> {
        // At most 4096, so it fits.
        let mut bytes = vec![0; usize::try_from(length.min(LONGEST)).unwrap_or_default()];
        let read = self.file.read_at(&mut bytes, at);
        if let Err(error) = &read {
            self.failed.set(Some(errno(error)));
        }
        let read = read.ok()?;
        bytes.truncate(read);
        let end = bytes.iter().position(|&byte| byte == 0);
        bytes.truncate(end.unwrap_or(bytes.len()));
        Some(bytes)
    }

    /// What the dynamic section names.
    fn names(&self, dynamic: Segment, loaded: &[Segment], facts: &mut ElfFacts) -> Option<()> {
        let size = if self.wide { 8 } else { 4 };
        let (mut strings, mut path, mut needed) = (None, None, Vec::new());
        for number in 0..(dynamic.length / (2 * size)).min(MOST_ENTRIES) {
            let at = dynamic.offset.saturating_add(number * 2 * size);
            match (self.word(at)?, self.word(at.saturating_add(size))?) {
                (0, _) => break,
                (DT_NEEDED, offset) => needed.push(offset),
                (DT_STRTAB, address) => strings = Some(address),
                (DT_RUNPATH, offset) => path = Some(offset),
                // Where there are both, this one means nothing.
                (DT_RPATH, offset) => path = path.or(Some(offset)),
                _ => {}
            }
        }
        let Some(strings) = strings else {
            return Some(());
        };
        let holds = |segment: &&Segment| {
            strings
                .checked_sub(segment.address)
                .is_some_and(|at| at < segment.length)
        };
        let Some(segment) = loaded.iter().find(holds) else {
            return Some(());
        };
        let start = segment.offset.saturating_add(strings - segment.address);
        if let Some(path) = path {
            facts.search_path = self.text(start.saturating_add(path), LONGEST)?;
        }
        for name in needed {
            facts.needed.push(self.text(start.saturating_add(name), LONGEST)?);
        }
        Some(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// Where the dynamic section is, behind two headers.
    const TABLE: u64 = 64 + 2 * 56;

    fn of(bytes: &[u8]) -> Result<Option<ElfFacts>, Errno> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file)
    }

    #[test]
    fn what_is_none_and_what_is_cut_off() {
        for bytes in [&b""[..], b"\x7fEL", b"#!/bin/sh\n", &[0; 64]] {
            assert_eq!(of(bytes), Ok(None));
        }
        let mut header = vec![0xff; 64];
        header[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        assert_eq!(of(&header), Ok(None), "headers far behind the end");
        header[4] = 1;
        assert_eq!(of(&header), Ok(None));
        header.truncate(20);
        assert_eq!(of(&header), Ok(None));
        assert_eq!(of(&with_loader_cut_off()), Err(Errno::ENOEXEC), "the headers stand");
    }

    /// The kernel starts this with its loader.
    pub(in crate::hosts_root) fn with_loader_cut_off() -> Vec<u8> {
        let mut bytes = with_dynamic(&[(DT_STRTAB, 0), (DT_RUNPATH, 1)], b"\0/opt\0");
        bytes[64] = 3;
        bytes.truncate(usize::try_from(TABLE + 20).unwrap());
        bytes
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        for (path, errno) in [("/", Errno::EISDIR), ("/proc/self/mem", Errno::EIO)] {
            assert_eq!(read(&File::open(path).unwrap()), Err(errno), "{path}");
        }
    }

    #[test]
    fn this_test_has_what_it_says() {
        let own = File::open("/proc/self/exe").unwrap();
        let facts = read(&own).unwrap().unwrap();
        let mut text = Vec::new();
        io::Read::read_to_end(&mut File::open("/proc/self/exe").unwrap(), &mut text).unwrap();
        if let Some(interpreter) = facts.interpreter {
            assert!(interpreter.starts_with(b"/"));
            assert!(text.windows(interpreter.len()).any(|window| window == interpreter));
        }
    }

    /// An executable of one segment, whose dynamic section says this.
    fn with_dynamic(entries: &[(u64, u64)], strings: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0_u8; 64];
        bytes[..5].copy_from_slice(b"\x7fELF\x02");
        bytes[32..40].copy_from_slice(&64_u64.to_ne_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_ne_bytes());
        bytes[56..58].copy_from_slice(&2_u16.to_ne_bytes());
        let length = entries.len() as u64 * 16;
        for (kind, offset, address, size) in [(1_u32, 0, 0x1000, 0x1000), (2, TABLE, 0x1000 + TABLE, length)] {
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(0_u32.to_ne_bytes());
            for word in [offset, address, address, size, size, 0] {
                bytes.extend(word.to_ne_bytes());
            }
        }
        for (tag, value) in entries {
            let value = if *tag == DT_STRTAB {
                0x1000 + TABLE + length
            } else {
                *value
            };
            bytes.extend([*tag, value].iter().flat_map(|word| word.to_ne_bytes()));
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn run_paths() {
        let strings = b"\0/opt/a:/opt/b\0/old\0libx.so\0";
        for (entries, expected) in [
            (&[(DT_STRTAB, 0), (DT_RUNPATH, 1)][..], &b"/opt/a:/opt/b"[..]),
            (&[(DT_RPATH, 15), (DT_STRTAB, 0)], b"/old"),
            (&[(DT_RPATH, 15), (DT_RUNPATH, 1), (DT_STRTAB, 0)], b"/opt/a:/opt/b"),
            (&[(DT_RUNPATH, 1), (DT_RPATH, 15), (DT_STRTAB, 0)], b"/opt/a:/opt/b"),
            (&[(0, 0), (DT_STRTAB, 0), (DT_RUNPATH, 1)], b""),
            (
                &[(DT_STRTAB, 0), (DT_NEEDED, 20), (DT_RPATH, 15), (DT_NEEDED, 1)],
                b"/old",
            ),
            (&[(DT_STRTAB, 0)], b""),
            (&[(DT_RUNPATH, 1)], b""),
            (&[(DT_STRTAB, 0), (DT_RUNPATH, 1 << 40)], b""),
        ] {
            let facts = of(&with_dynamic(entries, strings)).unwrap().unwrap();
            assert_eq!(facts.search_path, expected, "{entries:?}");
            assert_eq!(facts.interpreter, None);
            let needed = entries.iter().any(|(tag, _)| *tag == DT_NEEDED);
            let names = [b"libx.so".to_vec(), b"/opt/a:/opt/b".to_vec()];
            assert_eq!(facts.needed, if needed { &names[..] } else { &[] });
        }
    }
}
