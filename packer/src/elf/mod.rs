//! What an ELF file says about itself, as the kernel and the loaders read it: header, program headers and PT_DYNAMIC. Section
//! headers are never looked at, they may be missing or wrong in files that run.
//!
//! Sources: the gABI (System V ABI, chapters 4 and 5), `elf(5)`, and for what is refused glibc's `elf/dl-load.c` and the kernel's
//! `fs/binfmt_elf.c`.

mod note;
mod read;
mod store;
mod symbols;

use std::fmt;

use goblin::elf::header;
use nix::errno::Errno;

pub(crate) use store::is_absence;
pub use store::{ElfStore, Facts};
pub use symbols::{WATCHED_EXPORTS, WATCHED_IMPORTS};

/// `DF_1_NODEFLIB` of DT_FLAGS_1: default directories are not searched for this object's dependencies.
pub const DF_1_NODEFLIB: u64 = 0x800;

/// ELFCLASS32 or ELFCLASS64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 32-bit.
    Elf32,
    /// 64-bit.
    Elf64,
}

/// ELFDATA2LSB or ELFDATA2MSB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// What two files must have in common to be in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// Word size.
    pub class: Class,
    /// Byte order.
    pub encoding: Encoding,
    /// `e_machine`, an EM_ constant.
    pub machine: u16,
}

impl Target {
    /// The machine as `uname -m` says it there; `em-NNN` for one without a name here.
    pub fn architecture(self) -> String {
        let name = match (self.machine, self.class, self.encoding) {
            (header::EM_X86_64, _, _) => "x86_64",
            (header::EM_386, _, _) => "i686",
            (header::EM_AARCH64, _, _) => "aarch64",
            (header::EM_ARM, _, _) => "armv7l",
            (header::EM_RISCV, Class::Elf64, _) => "riscv64",
            (header::EM_RISCV, Class::Elf32, _) => "riscv32",
            (header::EM_PPC64, _, Encoding::Little) => "ppc64le",
            (header::EM_PPC64, _, Encoding::Big) => "ppc64",
            (header::EM_PPC, _, _) => "ppc",
            (header::EM_S390, Class::Elf64, _) => "s390x",
            (header::EM_S390, Class::Elf32, _) => "s390",
            (header::EM_MIPS, Class::Elf64, _) => "mips64",
            (header::EM_MIPS, Class::Elf32, _) => "mips",
            (header::EM_LOONGARCH, Class::Elf64, _) => "loongarch64",
            (header::EM_SPARCV9, _, _) => "sparc64",
            (header::EM_68K, _, _) => "m68k",
            (machine, _, _) => return format!("em-{machine}"),
        };
        name.to_owned()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.class == Class::Elf64 { "64" } else { "32" };
        write!(f, "{}, {bits}-bit", self.architecture())
    }
}

/// `e_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// ET_EXEC.
    Executable,
    /// ET_DYN: a shared library or a position-independent executable.
    Shared,
    /// ET_REL, ET_CORE and everything else, which no loader takes.
    NotLoadable,
}

/// A dependency that PT_DYNAMIC names, in the order it names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which tag names it.
    pub tag: DependencyTag,
    /// The name as it stands there: a soname, or a path where it has a slash; tokens are not expanded.
    pub name: Vec<u8>,
}

/// The tags that name dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyTag {
    /// DT_NEEDED.
    Needed,
    /// DT_FILTER: symbols of this object come from that one.
    Filter,
    /// DT_AUXILIARY: as a filter, but it may be missing.
    Auxiliary,
}

/// What an ELF file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfFacts {
    /// Class, encoding and machine.
    pub target: Target,
    /// Kind of file.
    pub file_type: FileType,
    /// Has at least one PT_LOAD.
    pub has_segments: bool,
    /// Has a PT_DYNAMIC.
    pub has_dynamic: bool,
    /// PT_INTERP without its NUL.
    pub interpreter: Option<Vec<u8>>,
    /// DT_NEEDED, DT_FILTER and DT_AUXILIARY.
    pub dependencies: Vec<Dependency>,
    /// DT_SONAME.
    pub soname: Option<Vec<u8>>,
    /// DT_RPATH, as it stands there.
    pub rpath: Option<Vec<u8>>,
    /// DT_RUNPATH, as it stands there.
    pub runpath: Option<Vec<u8>>,
    /// DT_FLAGS_1.
    pub flags_1: u64,
    /// DT_AUDIT.
    pub audit: Option<Vec<u8>>,
    /// DT_DEPAUDIT.
    pub depaudit: Option<Vec<u8>>,
    /// Those of [`WATCHED_IMPORTS`] that it imports.
    pub imports: Vec<&'static str>,
    /// Those of [`WATCHED_EXPORTS`] that it defines.
    pub exports: Vec<&'static str>,
    /// Sonames of what it says that it opens with dlopen(3).
    pub opens: Vec<Vec<u8>>,
    /// What it says that it needs of the machine.
    pub needs: Needs,
}

/// What a file needs of the machine, as its notes say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Version of the oldest kernel that its C library starts on (`NT_GNU_ABI_TAG`); 0.0.0 where it says none.
    pub kernel: (u32, u32, u32),
    /// Level of the x86-64 psABI that the processor must have, from 1 (`GNU_PROPERTY_X86_ISA_1_NEEDED`); 0 where it says none.
    pub x86_level: u32,
}

impl ElfFacts {
    /// Does it import the symbol, which must be one of [`WATCHED_IMPORTS`]?
    pub fn imports(&self, symbol: &str) -> bool {
        debug_assert!(WATCHED_IMPORTS.contains(&symbol), "{symbol} is not watched");
        self.imports.contains(&symbol)
    }
}

/// Why a file's facts cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElfError {
    /// Shorter than an ELF header, whatever its first bytes are.
    TooShort,
    /// Does not begin with the magic bytes of ELF.
    NotElf,
    /// An ELF file that no loader takes.
    Damaged {
        /// Class, encoding and machine, where the header tells them.
        target: Option<Target>,
        /// What is wrong.
        fault: Fault,
    },
    /// It cannot be read.
    Read(Errno),
}

/// What can be wrong with an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EI_CLASS, EI_DATA, EI_VERSION, EI_OSABI, or what comes behind them.
    Identification,
    /// `e_version`.
    Version,
    /// `e_phentsize` is not the size of a program header.
    ProgramHeaderSize,
    /// The program headers are not all in the file.
    ProgramHeaders,
    /// PT_INTERP is not in the file, empty, longer than a path may be, or without a NUL.
    Interpreter,
    /// PT_DYNAMIC is not in the file.
    Dynamic,
    /// The string table is not in the file, or a name lies outside it.
    Strings,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identification => "its ELF identification is not valid",
            Self::Version => "its ELF version is unknown",
            Self::ProgramHeaderSize => "its program headers have a wrong size",
            Self::ProgramHeaders => "it is truncated: program headers are missing",
            Self::Interpreter => "its interpreter (PT_INTERP) is not a path",
            Self::Dynamic => "it is truncated: the dynamic section is missing",
            Self::Strings => "it is truncated: the dynamic string table is missing",
        })
    }
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("too short for an ELF file"),
            Self::NotElf => f.write_str("not an ELF file"),
            Self::Damaged { fault, .. } => write!(f, "a damaged ELF file: {fault}"),
            Self::Read(errno) => write!(f, "cannot read: {}", errno.desc()),
        }
    }
}

impl std::error::Error for ElfError {}

#[cfg(test)]
pub(crate) mod specimen;
#[cfg(test)]
mod tests;
