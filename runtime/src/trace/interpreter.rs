//! What the kernel opens besides a program that is executed: `PT_INTERP` of an ELF file, elf(5), the interpreter of a
//! script, execve(2). No call names these.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of a file that the kernel looks at for `#!`: BINPRM_BUF_SIZE.
const LINE_MAX: usize = 256;
/// Most bytes of program headers that the kernel reads: `ELF_MIN_ALIGN`, at most.
const HEADERS_MAX: usize = 65_536;
const PATH_MAX: usize = 4096;

/// What executes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// The loader of a dynamic program.
    Loader(PathBuf),
    /// What a script names.
    OfScript(PathBuf),
    /// The kernel itself, or nobody.
    None,
}

/// What a look at an executable shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Executable {
    pub(super) interpreter: Interpreter,
    /// An ELF file for other system calls than this machine's: a 32-bit one, say.
    pub(super) foreign: bool,
}

/// Looks at a file.
pub(super) fn examine(file: &File) -> io::Result<Executable> {
    let mut head = vec![0; LINE_MAX];
    let length = file.read_at(&mut head, 0)?;
    head.truncate(length);
    if head.starts_with(b"\x7fELF") {
        return Ok(Executable {
            interpreter: loader(file, &head).map_or(Interpreter::None, Interpreter::Loader),
            foreign: is_foreign(&head),
        });
    }
    Ok(Executable {
        interpreter: script(&head).map_or(Interpreter::None, Interpreter::OfScript),
        foreign: false,
    })
}

fn script(head: &[u8]) -> Option<PathBuf> {
    let rest = head.strip_prefix(b"#!")?;
    let line = rest.split(|&byte| matches!(byte, b'\n' | 0)).next()?;
    let word = line
        .split(|&byte| matches!(byte, b' ' | b'\t'))
        .find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsString::from_vec(word.to_vec())))
}

/// The fields of an ELF header that lead to the program headers, in the width and byte order of this machine or not.
struct Header<'a> {
    bytes: &'a [u8],
    wide: bool,
    big: bool,
}

impl Header<'_> {
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        number(self.bytes.get(at..at + length)?, self.big)
    }

    fn pick(&self, narrow: (usize, usize), wide: (usize, usize)) -> Option<u64> {
        let (at, length) = if self.wide { wide } else { narrow };
        self.number(at, length)
    }
}

fn number(bytes: &[u8], big: bool) -> Option<u64> {
    let mut wide = [0; 8];
    let room = wide.get_mut(..bytes.len())?;
    room.copy_from_slice(bytes);
    if big {
        room.reverse();
    }
    Some(u64::from_le_bytes(wide))
}

fn header(bytes: &[u8]) -> Header<'_> {
    Header {
        bytes,
        wide: bytes.get(4) == Some(&2),
        big: bytes.get(5) == Some(&2),
    }
}

fn is_foreign(head: &[u8]) -> bool {
    // EM_X86_64, EM_AARCH64.
    let own = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    let header = header(head);
    !header.wide || header.big || header.number(18, 2) != Some(own)
}

fn loader(file: &File, head: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    let header = header(head);
    let table = header.pick((28, 4), (32, 8))?;
    let length = usize::try_from(header.pick((42, 2), (54, 2))?).ok()?;
    let count = usize::try_from(header.pick((44, 2), (56, 2))?).ok()?;
    let mut headers = vec![0; length.checked_mul(count).filter(|&size| size <= HEADERS_MAX)?];
    file.read_exact_at(&mut headers, table).ok()?;
    let segments = headers.chunks_exact(length.max(1));
    let found = segments.map(|bytes| Header { bytes, ..header });
    let segment = found
        .into_iter()
        .find(|segment| segment.number(0, 4) == Some(PT_INTERP))?;
    let offset = segment.pick((4, 4), (8, 8))?;
    let size = usize::try_from(segment.pick((16, 4), (32, 8))?).ok()?;
    let mut path = vec![0; size.min(PATH_MAX)];
    file.read_exact_at(&mut path, offset).ok()?;
    let path = path.split(|&byte| byte == 0).next().filter(|path| !path.is_empty())?;
    Some(PathBuf::from(OsString::from_vec(path.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn examined(contents: &[u8]) -> Executable {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(contents).unwrap();
        examine(&file).unwrap()
    }

    /// An ELF file of little endian with one program header.
    fn elf(wide: bool, machine: u8, kind: u8) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1]);
        bytes[18] = machine;
        let path = b"/lib/ld.so\0";
        bytes[0x180..0x180 + path.len()].copy_from_slice(path);
        let (table, fields): (usize, [(usize, u8); 5]) = if wide {
            (0x40, [(32, 0x40), (54, 56), (56, 1), (0x40 + 32, 11), (0x40 + 9, 1)])
        } else {
            (0x40, [(28, 0x40), (42, 32), (44, 1), (0x40 + 16, 11), (0x40 + 5, 1)])
        };
        for (at, value) in fields {
            bytes[at] = value;
        }
        bytes[table + if wide { 8 } else { 4 }] = 0x80;
        bytes[table] = kind;
        bytes
    }

    #[test]
    fn scripts() {
        for (contents, expected) in [
            ("#!/bin/sh\necho", Some("/bin/sh")),
            ("#! \t/usr/bin/env python3", Some("/usr/bin/env")),
            ("#!\n", None),
            ("echo", None),
            ("", None),
        ] {
            let expected = expected.map_or(Interpreter::None, |path| Interpreter::OfScript(path.into()));
            assert_eq!(examined(contents.as_bytes()).interpreter, expected, "{contents:?}");
        }
    }

    #[test]
    fn loaders() {
        let own = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        let loader = Interpreter::Loader("/lib/ld.so".into());
        for (contents, interpreter, foreign) in [
            (elf(true, own, 3), loader.clone(), false),
            (elf(false, 3, 3), loader.clone(), true),
            (elf(true, 243, 3), loader, true),
            (elf(true, own, 1), Interpreter::None, false),
            (elf(true, own, 3)[..0x50].to_vec(), Interpreter::None, false),
            (b"\x7fELF".to_vec(), Interpreter::None, true),
        ] {
            assert_eq!(examined(&contents), Executable { interpreter, foreign });
        }
    }
}
