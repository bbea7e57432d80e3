//! `/etc/ld.so.cache`, both of its formats: glibc's `sysdeps/generic/dl-cache.h` and `elf/dl-cache.c`.
//!
//! The old format (`ld.so-1.7.0`) may have the new one (`glibc-ld.so.cache1.1`) behind its entries; glibc uses the new one where
//! there is one. Nothing in the file is trusted: what lies outside it is not there.

use std::collections::HashMap;

use crate::elf::{Class, Encoding, Target};
use goblin::elf::header;

const MAGIC_OLD: &[u8] = b"ld.so-1.7.0";
const MAGIC_NEW: &[u8] = b"glibc-ld.so.cache1.1";
/// Magic number of the extension directory.
const MAGIC_EXTENSION: u32 = 0xeaa4_2174;
/// Header of the old format: the magic padded to a multiple of four, and the number of entries.
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;
/// Alignment of the new format behind the old one: that of its 64-bit fields.
const ALIGNMENT: usize = 8;
/// Extension section with the names of the glibc-hwcaps subdirectories.
const EXTENSION_HWCAPS: u32 = 1;
/// The upper half of an entry's hwcap that makes its lower half an index into that section, without the ISA level's ten bits.
const HWCAP_EXTENSION: u64 = 1 << 30;
const ISA_LEVEL_MASK: u64 = 0x3ff;

/// `FLAG_ELF_LIBC6`: a library for glibc, of a machine without a flag of its own.
const FLAG_LIBC6: u32 = 3;
/// `FLAG_ELF`: an ELF library, of unknown kind.
const FLAG_ELF: u32 = 1;

/// A parsed cache.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cache {
    entries: HashMap<Vec<u8>, Vec<Entry>>,
}

/// One library of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// The path, as `ldconfig` wrote it.
    path: Vec<u8>,
    flags: u32,
    /// Which processors it is for.
    hwcap: Hwcap,
}

/// Which processors an entry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hwcap {
    /// All.
    Any,
    /// Those that have this glibc-hwcaps subdirectory.
    Subdirectory(Vec<u8>),
    /// The mask of glibc before 2.37.
    Legacy,
}

impl Cache {
    /// Parses a cache; none where it is no cache, or one for the other byte order: the loader does without it as well.
    pub(super) fn parse(bytes: &[u8], encoding: Encoding) -> Option<Self> {
        let reader = Reader { bytes, encoding };
        if bytes.starts_with(MAGIC_NEW) {
            return reader.new_format(0);
        }
        if !bytes.starts_with(MAGIC_OLD) {
            return None;
        }
        let count = usize::try_from(reader.word(OLD_HEADER - 4)?).ok()?;
        let strings = OLD_HEADER.checked_add(count.checked_mul(OLD_ENTRY)?)?;
        let new = strings.next_multiple_of(ALIGNMENT);
        match bytes.get(new..) {
            Some(tail) if tail.starts_with(MAGIC_NEW) => reader.new_format(new),
            _ => reader.old_format(count, strings),
        }
    }

    /// The path that the loader takes for `name` on a processor with the given glibc-hwcaps subdirectories (best first).
    pub(super) fn lookup(&self, name: &[u8], target: Target, subdirectories: &[Vec<u8>]) -> Option<&[u8]> {
        let usable = || self.usable(name, target);
        for subdirectory in subdirectories {
            let wanted = Hwcap::Subdirectory(subdirectory.clone());
            if let Some(entry) = usable().find(|entry| entry.hwcap == wanted) {
                return Some(&entry.path);
            }
        }
        // Entries of a flag that is only tolerated are overruled by later ones: the last wins, but the exact flag at once.
        let plain = || usable().filter(|entry| entry.hwcap == Hwcap::Any);
        let exact = plain().find(|entry| entry.flags == default_flags(target));
        exact.or_else(|| plain().last()).map(|entry| entry.path.as_slice())
    }

    /// Every path that some loader of this target may take for `name`, whatever the processor.
    pub(super) fn alternatives(&self, name: &[u8], target: Target) -> impl Iterator<Item = &[u8]> {
        self.usable(name, target).map(|entry| entry.path.as_slice())
    }

    /// Is there an entry for `name` that only some processors use?
    pub(super) fn depends_on_processor(&self, name: &[u8], target: Target) -> bool {
        self.usable(name, target).any(|entry| entry.hwcap != Hwcap::Any)
    }

    fn usable(&self, name: &[u8], target: Target) -> impl Iterator<Item = &Entry> {
        let default = default_flags(target);
        let entries = self.entries.get(name).map(Vec::as_slice).unwrap_or_default();
        entries
            .iter()
            .filter(move |entry| entry.flags == default || tolerated_flags(target) == Some(entry.flags))
    }
}

/// `_DL_CACHE_DEFAULT_ID`: the flags of this target's libraries, `sysdeps/**/dl-cache.h`.
fn default_flags(target: Target) -> u32 {
    let kind = match (target.machine, target.class) {
        (header::EM_X86_64, Class::Elf64) => 0x0300,
        (header::EM_X86_64, Class::Elf32) => 0x0800,
        (header::EM_S390, Class::Elf64) => 0x0400,
        (header::EM_PPC64, _) => 0x0500,
        (header::EM_MIPS, Class::Elf64) => 0x0700,
        (header::EM_ARM, _) => 0x0900,
        (header::EM_AARCH64, _) => 0x0a00,
        (header::EM_RISCV, Class::Elf64) => 0x1000,
        (header::EM_LOONGARCH, Class::Elf64) => 0x1200,
        (header::EM_SPARCV9, _) => 0x0100,
        _ => 0,
    };
    kind | FLAG_LIBC6
}

/// Other flags that this target's loader takes as well: `_dl_cache_check_flags`.
fn tolerated_flags(target: Target) -> Option<u32> {
    match (target.machine, target.class) {
        (header::EM_ARM, _) => Some(FLAG_LIBC6),
        (header::EM_AARCH64, _) => None,
        _ => Some(FLAG_ELF),
    }
}

/// The bytes of a cache file.
struct Reader<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl Reader<'_> {
    fn word(&self, offset: usize) -> Option<u32> {
        let word = self.bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
        Some(match self.encoding {
            Encoding::Little => u32::from_le_bytes(word),
            Encoding::Big => u32::from_be_bytes(word),
        })
    }

    fn wide(&self, offset: usize) -> Option<u64> {
        let (low, high) = match self.encoding {
            Encoding::Little => (offset, offset.checked_add(4)?),
            Encoding::Big => (offset.checked_add(4)?, offset),
        };
        Some(u64::from(self.word(high)?) << 32 | u64::from(self.word(low)?))
    }

    /// The string `index` bytes behind `table`.
    fn string(&self, table: usize, index: u32) -> Option<Vec<u8>> {
        let tail = self.bytes.get(table.checked_add(usize::try_from(index).ok()?)?..)?;
        Some(tail[..tail.iter().position(|&byte| byte == 0)?].to_vec())
    }

    fn old_format(&self, count: usize, strings: usize) -> Option<Cache> {
        let mut cache = Cache::default();
        for index in 0..count {
            let entry = OLD_HEADER + index * OLD_ENTRY;
            self.add(&mut cache, entry, strings, Hwcap::Any)?;
        }
        Some(cache)
    }

    fn new_format(&self, start: usize) -> Option<Cache> {
        let count = usize::try_from(self.word(start + 20)?).ok()?;
        let order = self.bytes.get(start + 28)? & 3;
        let expected = if self.encoding == Encoding::Little { 2 } else { 3 };
        if order != 0 && order != expected {
            return None;
        }
        let names = self.hwcap_names(start);
        let mut cache = Cache::default();
        for index in 0..count {
            let entry = start
                .checked_add(NEW_HEADER)?
                .checked_add(index.checked_mul(NEW_ENTRY)?)?;
            let hwcap = match self.wide(entry + 16)? {
                0 => Hwcap::Any,
                bits if (bits >> 32) & !ISA_LEVEL_MASK == HWCAP_EXTENSION => {
                    let name = usize::try_from(bits & u64::from(u32::MAX))
                        .ok()
                        .and_then(|index| names.get(index));
                    name.cloned().map_or(Hwcap::Legacy, Hwcap::Subdirectory)
                }
                _ => Hwcap::Legacy,
            };
            self.add(&mut cache, entry, start, hwcap)?;
        }
        Some(cache)
    }

    /// Adds the entry at `offset`; one whose strings are not in the file is left out. None where the entry itself is not.
    fn add(&self, cache: &mut Cache, offset: usize, strings: usize, hwcap: Hwcap) -> Option<()> {
        let (flags, key, value) = (self.word(offset)?, self.word(offset + 4)?, self.word(offset + 8)?);
        if let (Some(name), Some(path)) = (self.string(strings, key), self.string(strings, value)) {
            cache
                .entries
                .entry(name)
                .or_default()
                .push(Entry { path, flags, hwcap });
        }
        Some(())
    }

    /// The names in the extension section for glibc-hwcaps; the offsets there are from the start of the file.
    fn hwcap_names(&self, start: usize) -> Vec<Vec<u8>> {
        let section = || -> Option<(usize, usize)> {
            let directory = usize::try_from(self.word(start + 32)?)
                .ok()
                .filter(|&offset| offset != 0)?;
            if self.word(directory)? != MAGIC_EXTENSION {
                return None;
            }
            let count = usize::try_from(self.word(directory + 4)?).ok()?;
            (0..count)
                .map(|index| directory + 8 + index * 16)
                .map_while(|entry| Some((entry, self.word(entry)?)))
                .find_map(|(entry, tag)| {
                    let place = (
                        usize::try_from(self.word(entry + 8)?).ok()?,
                        usize::try_from(self.word(entry + 12)?).ok()?,
                    );
                    (tag == EXTENSION_HWCAPS).then_some(place)
                })
        };
        let Some((offset, size)) = section() else {
            return Vec::new();
        };
        let indices = (0..size / 4).map_while(|index| self.word(offset.checked_add(index * 4)?));
        indices.map(|index| self.string(0, index).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests;
