//! Reading the facts out of a file: a handful of bounded reads, whatever its size.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::dynamic::{self, Dynamic};
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader};

use super::note::Notes;
use super::symbols::{self, SymbolTable};
use super::{Class, Dependency, DependencyTag, ElfError, ElfFacts, Encoding, Fault, FileType, Target};
use crate::rootfs::errno_of;

/// Read at once from the start of the file: header, program headers and PT_INTERP of nearly every file are in it.
const HEAD: usize = 4096;
/// Most bytes of PT_DYNAMIC that are read: 4096 entries of 64 bits, a few dozen are usual.
const MAX_DYNAMIC: u64 = 64 * 1024;
/// Most bytes of the dynamic string table that are read; the largest libraries have a few MiB.
const MAX_STRINGS: u64 = 64 * 1024 * 1024;
/// Longest PT_NOTE that is read; a kilobyte is much.
const MAX_NOTES: u64 = 64 * 1024;
/// Longest interpreter path the kernel takes, with its NUL: PATH_MAX.
const MAX_INTERPRETER: u64 = 4096;

/// Bytes that can be read at an offset.
pub(super) trait Source {
    /// Reads at most `length` bytes at `offset`; fewer only where the source ends.
    fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>>;
}

impl Source for File {
    fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        // The length may be a lie of the file: never allocate more than the file can fill.
        let available = self.metadata()?.len().saturating_sub(offset).min(length);
        let mut bytes = vec![0; usize::try_from(available).map_err(|_| io::ErrorKind::OutOfMemory)?];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

impl Source for [u8] {
    fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let end = start
            .saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
            .min(self.len());
        Ok(self[start..end].to_vec())
    }
}

impl ElfFacts {
    /// Reads the facts of an open file.
    ///
    /// # Errors
    /// [`ElfError`]: it is not ELF, damaged, or cannot be read.
    pub fn read(file: &File) -> Result<Self, ElfError> {
        read(file)
    }
}

pub(super) fn read(source: &(impl Source + ?Sized)) -> Result<ElfFacts, ElfError> {
    let head = source
        .read(0, HEAD as u64)
        .map_err(|error| ElfError::Read(errno_of(&error)))?;
    let (header, target) = parse_header(&head)?;
    let file = Segments {
        source,
        ctx: context(target),
        target,
        headers: Vec::new(),
    };
    let file = file.with_program_headers(&head, &header)?;
    let Notes { opens, needs } = file.notes()?;
    let mut facts = ElfFacts {
        target,
        file_type: match header.e_type {
            header::ET_EXEC => FileType::Executable,
            header::ET_DYN => FileType::Shared,
            _ => FileType::NotLoadable,
        },
        has_segments: file.headers.iter().any(|segment| segment.p_type == PT_LOAD),
        has_dynamic: false,
        interpreter: file.interpreter(&head)?,
        dependencies: Vec::new(),
        soname: None,
        rpath: None,
        runpath: None,
        flags_1: 0,
        audit: None,
        depaudit: None,
        imports: Vec::new(),
        exports: Vec::new(),
        opens,
        needs,
    };
    if let Some(dynamic) = file.dynamic()? {
        facts.has_dynamic = true;
        file.add_dynamic(&dynamic, &mut facts)?;
    }
    Ok(facts)
}

/// Parses and checks the header as the loaders do.
fn parse_header(head: &[u8]) -> Result<(Header, Target), ElfError> {
    let damaged = |target, fault| Err(ElfError::Damaged { target, fault });
    if !head.starts_with(header::ELFMAG) {
        return Err(if head.len() < header::header64::SIZEOF_EHDR {
            ElfError::TooShort
        } else {
            ElfError::NotElf
        });
    }
    let size = match head.get(header::EI_CLASS) {
        Some(&header::ELFCLASS32) => header::header32::SIZEOF_EHDR,
        Some(&header::ELFCLASS64) => header::header64::SIZEOF_EHDR,
        Some(_) if head.len() >= header::header64::SIZEOF_EHDR => return damaged(None, Fault::Identification),
        _ => return Err(ElfError::TooShort),
    };
    if head.len() < size {
        return Err(ElfError::TooShort);
    }
    let Ok(header) = goblin::elf::Elf::parse_header(head) else {
        return damaged(None, Fault::Identification);
    };
    let is_64 = header.e_ident[header::EI_CLASS] == header::ELFCLASS64;
    let is_little = header.e_ident[header::EI_DATA] == header::ELFDATA2LSB;
    let target = Target {
        class: if is_64 { Class::Elf64 } else { Class::Elf32 },
        encoding: if is_little { Encoding::Little } else { Encoding::Big },
        machine: header.e_machine,
    };
    if !identification_is_valid(&header.e_ident) {
        return damaged(Some(target), Fault::Identification);
    }
    if header.e_version != u32::from(header::EV_CURRENT) {
        return damaged(Some(target), Fault::Version);
    }
    Ok((header, target))
}

/// EI_VERSION, EI_OSABI (System V or GNU) and the padding behind EI_ABIVERSION, which must be zero: `open_verify` of glibc.
fn identification_is_valid(ident: &[u8; header::SIZEOF_IDENT]) -> bool {
    ident[header::EI_VERSION] == header::EV_CURRENT
        && matches!(ident[header::EI_OSABI], header::ELFOSABI_NONE | header::ELFOSABI_GNU)
        && ident[header::EI_ABIVERSION + 1..].iter().all(|&byte| byte == 0)
}

fn context(target: Target) -> Ctx {
    let container = if target.class == Class::Elf64 {
        Container::Big
    } else {
        Container::Little
    };
    Ctx::new(
        container,
        if target.encoding == Encoding::Little {
            Endian::Little
        } else {
            Endian::Big
        },
    )
}

/// A file with its program headers.
struct Segments<'a, S: ?Sized> {
    source: &'a S,
    ctx: Ctx,
    target: Target,
    headers: Vec<ProgramHeader>,
}

impl<S: Source + ?Sized> Segments<'_, S> {
    fn damaged<T>(&self, fault: Fault) -> Result<T, ElfError> {
        Err(ElfError::Damaged {
            target: Some(self.target),
            fault,
        })
    }

    /// Exactly `length` bytes at `offset`.
    fn bytes(&self, offset: u64, length: u64, fault: Fault) -> Result<Vec<u8>, ElfError> {
        let bytes = self
            .source
            .read(offset, length)
            .map_err(|error| ElfError::Read(errno_of(&error)))?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            self.damaged(fault)
        }
    }

    fn with_program_headers(mut self, head: &[u8], header: &Header) -> Result<Self, ElfError> {
        let size = ProgramHeader::size(self.ctx);
        let count = usize::from(header.e_phnum);
        if count == 0 {
            return Ok(self);
        }
        if usize::from(header.e_phentsize) != size {
            return self.damaged(Fault::ProgramHeaderSize);
        }
        let length = count * size;
        let inside = usize::try_from(header.e_phoff)
            .ok()
            .and_then(|start| head.get(start..start.checked_add(length)?));
        let table = match inside {
            Some(table) => table.to_vec(),
            None => self.bytes(header.e_phoff, length as u64, Fault::ProgramHeaders)?,
        };
        match ProgramHeader::parse(&table, 0, count, self.ctx) {
            Ok(headers) => self.headers = headers,
            Err(_) => return self.damaged(Fault::ProgramHeaders),
        }
        Ok(self)
    }

    /// The first PT_INTERP, by its file offset, as the kernel reads it.
    fn interpreter(&self, head: &[u8]) -> Result<Option<Vec<u8>>, ElfError> {
        let Some(segment) = self.headers.iter().find(|segment| segment.p_type == PT_INTERP) else {
            return Ok(None);
        };
        if !(2..=MAX_INTERPRETER).contains(&segment.p_filesz) {
            return self.damaged(Fault::Interpreter);
        }
        let range = usize::try_from(segment.p_offset)
            .ok()
            .zip(usize::try_from(segment.p_filesz).ok());
        let inside = range.and_then(|(start, length)| head.get(start..start.checked_add(length)?));
        let mut path = match inside {
            Some(bytes) => bytes.to_vec(),
            None => self.bytes(segment.p_offset, segment.p_filesz, Fault::Interpreter)?,
        };
        match path.iter().position(|&byte| byte == 0) {
            Some(end) if end > 0 => path.truncate(end),
            _ => return self.damaged(Fault::Interpreter),
        }
        Ok(Some(path))
    }

    /// What the notes say. Damaged ones are nobody's business.
    fn notes(&self) -> Result<Notes, ElfError> {
        let mut found = Notes::default();
        let notes = self.headers.iter().filter(|segment| segment.p_type == PT_NOTE);
        for segment in notes.filter(|segment| segment.p_filesz <= MAX_NOTES) {
            let bytes = self
                .source
                .read(segment.p_offset, segment.p_filesz)
                .map_err(|error| ElfError::Read(errno_of(&error)))?;
            found.add(&bytes, segment.p_align, self.ctx);
        }
        Ok(found)
    }

    /// File offset of an address, and how many bytes of its segment follow it in the file.
    fn locate(&self, address: u64) -> Option<(u64, u64)> {
        self.headers
            .iter()
            .filter(|segment| segment.p_type == PT_LOAD)
            .find_map(|segment| {
                let inside = address.checked_sub(segment.p_vaddr)?;
                let left = segment.p_filesz.checked_sub(inside).filter(|&left| left > 0)?;
                Some((segment.p_offset.checked_add(inside)?, left))
            })
    }

    /// The last PT_DYNAMIC, by its address, as the loaders read it.
    fn dynamic(&self) -> Result<Option<Dynamic>, ElfError> {
        let Some(segment) = self.headers.iter().rfind(|segment| segment.p_type == PT_DYNAMIC) else {
            return Ok(None);
        };
        let (offset, _) = self
            .locate(segment.p_vaddr)
            .unwrap_or((segment.p_offset, segment.p_filesz));
        let length = segment.p_filesz.min(MAX_DYNAMIC);
        let table = self.bytes(offset, length, Fault::Dynamic)?;
        let whole = ProgramHeader {
            p_offset: 0,
            p_filesz: length,
            ..segment.clone()
        };
        match Dynamic::parse(&table, &[whole], self.ctx) {
            Ok(dynamic) => Ok(dynamic),
            Err(_) => self.damaged(Fault::Dynamic),
        }
    }

    fn add_dynamic(&self, dynamic: &Dynamic, facts: &mut ElfFacts) -> Result<(), ElfError> {
        let value = |tag| {
            dynamic
                .dyns
                .iter()
                .rfind(|entry| entry.d_tag == tag)
                .map(|entry| entry.d_val)
        };
        let strings = self.strings(value(dynamic::DT_STRTAB), value(dynamic::DT_STRSZ))?;
        let string = |offset| string_at(&strings, offset).map(<[u8]>::to_vec);
        for entry in &dynamic.dyns {
            let tag = match entry.d_tag {
                dynamic::DT_NEEDED => DependencyTag::Needed,
                DT_FILTER => DependencyTag::Filter,
                DT_AUXILIARY => DependencyTag::Auxiliary,
                _ => continue,
            };
            let Some(name) = string(entry.d_val) else {
                return self.damaged(Fault::Strings);
            };
            facts.dependencies.push(Dependency { tag, name });
        }
        for (tag, field) in [
            (dynamic::DT_SONAME, &mut facts.soname),
            (dynamic::DT_RPATH, &mut facts.rpath),
            (dynamic::DT_RUNPATH, &mut facts.runpath),
            (DT_AUDIT, &mut facts.audit),
            (DT_DEPAUDIT, &mut facts.depaudit),
        ] {
            if let Some(offset) = value(tag) {
                let Some(text) = string(offset) else {
                    return self.damaged(Fault::Strings);
                };
                *field = Some(text);
            }
        }
        facts.flags_1 = value(dynamic::DT_FLAGS_1).unwrap_or(0);
        if let Some(table) = SymbolTable::locate(dynamic, self.ctx) {
            let symbols = self.symbols(&table)?;
            (facts.imports, facts.exports) = symbols::watched(&symbols, &strings, self.ctx);
        }
        Ok(())
    }

    /// The dynamic string table; empty where there is none.
    fn strings(&self, address: Option<u64>, size: Option<u64>) -> Result<Vec<u8>, ElfError> {
        let Some(address) = address else { return Ok(Vec::new()) };
        let Some((offset, left)) = self.locate(address) else {
            return self.damaged(Fault::Strings);
        };
        let length = size.unwrap_or(left).min(left).min(MAX_STRINGS);
        self.bytes(offset, length, Fault::Strings)
    }

    /// The bytes of the symbol table, as many as are in its segment: what is missing only hides imports.
    fn symbols(&self, table: &SymbolTable) -> Result<Vec<u8>, ElfError> {
        let Some((offset, left)) = self.locate(table.address) else {
            return Ok(Vec::new());
        };
        let count = match table.hash.and_then(|address| self.locate(address)) {
            Some((offset, _)) => self.hash_chain(offset)?,
            None => None,
        };
        let length = table.length(count).min(left);
        self.source
            .read(offset, length)
            .map_err(|error| ElfError::Read(errno_of(&error)))
    }

    /// `nchain` of the DT_HASH table at `offset`: the number of symbols.
    fn hash_chain(&self, offset: u64) -> Result<Option<u32>, ElfError> {
        let words = self
            .source
            .read(offset, 8)
            .map_err(|error| ElfError::Read(errno_of(&error)))?;
        let Some(word) = words.get(4..8).and_then(|word| <[u8; 4]>::try_from(word).ok()) else {
            return Ok(None);
        };
        Ok(Some(if self.target.encoding == Encoding::Little {
            u32::from_le_bytes(word)
        } else {
            u32::from_be_bytes(word)
        }))
    }
}

/// Tags that goblin has no name for: `elf.h`.
const DT_DEPAUDIT: u64 = 0x6fff_fefb;
const DT_AUDIT: u64 = 0x6fff_fefc;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;

/// The NUL-terminated string at `offset` of a string table.
pub(super) fn string_at(strings: &[u8], offset: u64) -> Option<&[u8]> {
    let tail = strings.get(usize::try_from(offset).ok()?..)?;
    Some(&tail[..tail.iter().position(|&byte| byte == 0)?])
}
