//! Where an ELF executable ends, and with that where the superblock is looked for.
//!
//! The end is the greatest of: the end of the ELF header, of the program header table, of each segment's bytes in the file,
//! and of the section header table. See elf(5).

#[cfg(test)]
mod tests;

use crate::cursor::{Cursor, Endian};
use crate::layout::ELF_HEAD_LENGTH;

/// Why the end is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElfEndError {
    /// The file does not begin as an ELF file does.
    NotElf,
    /// The file ends within its headers.
    Cut {
        /// Where the headers end, in bytes from the beginning.
        needed: u64,
    },
    /// A header that the format does not allow for a stub.
    Unusual {
        /// What is unusual about it.
        what: &'static str,
    },
}

/// The fields of the ELF header that say where things are, whatever its class.
struct Header {
    wide: bool,
    endian: Endian,
    program_headers: Table,
    section_headers: Table,
}

struct Table {
    offset: u64,
    entry_length: u16,
    entries: u16,
}

impl Table {
    fn end(&self) -> Option<u64> {
        self.offset
            .checked_add(u64::from(self.entry_length) * u64::from(self.entries))
    }
}

const WIDE_HEADER_LENGTH: u64 = 64;
const NARROW_HEADER_LENGTH: u64 = 52;
const WIDE_PROGRAM_HEADER_LENGTH: u16 = 56;
const NARROW_PROGRAM_HEADER_LENGTH: u16 = 32;

/// `e_phnum` that says the real number is elsewhere.
const PN_XNUM: u16 = 0xffff;

impl Header {
    fn length(&self) -> u64 {
        if self.wide {
            WIDE_HEADER_LENGTH
        } else {
            NARROW_HEADER_LENGTH
        }
    }

    fn decode(head: &[u8]) -> Result<Self, ElfEndError> {
        let mut ident = Cursor::new(head);
        if ident.array() != Some(*b"\x7fELF") {
            return Err(ElfEndError::NotElf);
        }
        let cut = ElfEndError::Cut {
            needed: WIDE_HEADER_LENGTH,
        };
        let [class, data] = ident.array().ok_or(cut)?;
        let wide = match class {
            1 => false,
            2 => true,
            _ => {
                return Err(ElfEndError::Unusual {
                    what: "an unknown class",
                });
            }
        };
        let endian = match data {
            1 => Endian::Little,
            2 => Endian::Big,
            _ => {
                return Err(ElfEndError::Unusual {
                    what: "an unknown byte order",
                });
            }
        };
        let length = if wide { WIDE_HEADER_LENGTH } else { NARROW_HEADER_LENGTH };
        Self::decode_tables(head, wide, endian).ok_or(ElfEndError::Cut { needed: length })
    }

    /// `e_phoff`, `e_shoff` and what belongs to them.
    fn decode_tables(head: &[u8], wide: bool, endian: Endian) -> Option<Self> {
        let mut cursor = Cursor::at(head, if wide { 32 } else { 28 }, endian)?;
        let offset = |cursor: &mut Cursor<'_>| {
            if wide {
                cursor.u64()
            } else {
                cursor.u32().map(u64::from)
            }
        };
        let program_headers_offset = offset(&mut cursor)?;
        let section_headers_offset = offset(&mut cursor)?;
        let (_flags, _header_length) = (cursor.u32()?, cursor.u16()?);
        let mut table = |offset| {
            Some(Table {
                offset,
                entry_length: cursor.u16()?,
                entries: cursor.u16()?,
            })
        };
        let program_headers = table(program_headers_offset)?;
        let section_headers = table(section_headers_offset)?;
        Some(Header {
            wide,
            endian,
            program_headers,
            section_headers,
        })
    }

    /// What this module does not calculate with and no linker makes of a stub.
    fn check(&self) -> Result<(), ElfEndError> {
        let unusual = |what| Err(ElfEndError::Unusual { what });
        let expected = if self.wide {
            WIDE_PROGRAM_HEADER_LENGTH
        } else {
            NARROW_PROGRAM_HEADER_LENGTH
        };
        match (&self.program_headers, &self.section_headers) {
            (Table { entries: 0, .. }, _) => unusual("no program headers"),
            (Table { entries: PN_XNUM, .. }, _) => unusual("too many program headers"),
            (Table { entry_length, .. }, _) if *entry_length != expected => {
                unusual("program headers of another length")
            }
            (
                _,
                Table {
                    offset: 1..,
                    entries: 0,
                    ..
                },
            ) => unusual("too many section headers"),
            _ => Ok(()),
        }
    }

    /// End of a program header's bytes in the file.
    fn segment_end(&self, program_header: &[u8]) -> Option<u64> {
        let (offset, length) = if self.wide {
            let mut cursor = Cursor::at(program_header, 8, self.endian)?;
            let offset = cursor.u64()?;
            let (_virtual_address, _physical_address) = (cursor.u64()?, cursor.u64()?);
            (offset, cursor.u64()?)
        } else {
            let mut cursor = Cursor::at(program_header, 4, self.endian)?;
            let offset = cursor.u32()?;
            let (_virtual_address, _physical_address) = (cursor.u32()?, cursor.u32()?);
            (u64::from(offset), u64::from(cursor.u32()?))
        };
        offset.checked_add(length)
    }
}

/// The end of the ELF executable that begins with `head`, in bytes. `head` is its first [`ELF_HEAD_LENGTH`] bytes, or all of it.
///
/// # Errors
/// [`ElfEndError`].
pub fn elf_end(head: &[u8]) -> Result<u64, ElfEndError> {
    let overflow = ElfEndError::Unusual {
        what: "offsets beyond 64 bits",
    };
    let header = Header::decode(head)?;
    header.check()?;
    let table = &header.program_headers;
    let table_end = table.end().ok_or(overflow)?;
    if table_end > ELF_HEAD_LENGTH as u64 {
        return Err(ElfEndError::Unusual {
            what: "program headers far from its beginning",
        });
    }
    let cut = ElfEndError::Cut { needed: table_end };
    let table_start = usize::try_from(table.offset).map_err(|_| overflow)?;
    let mut cursor = Cursor::at(head, table_start, header.endian).ok_or(cut)?;
    let mut end = header
        .length()
        .max(table_end)
        .max(header.section_headers.end().ok_or(overflow)?);
    for _ in 0..table.entries {
        let program_header = cursor.take(usize::from(table.entry_length)).ok_or(cut)?;
        end = end.max(header.segment_end(program_header).ok_or(overflow)?);
    }
    Ok(end)
}
