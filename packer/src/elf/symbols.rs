//! The dynamic symbol table, searched for the few names that decide what else has to be packed.

use goblin::container::Ctx;
use goblin::elf::Symtab;
use goblin::elf::dynamic::{self, Dynamic};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::Sym;

use super::read::string_at;

/// Imports that tell what a program will open by itself: the base set is gated by them.
pub const WATCHED_IMPORTS: &[&str] = &[
    // glibc loads libgcc_s.so.1 to unwind a thread that ends or is cancelled, and for backtraces.
    "pthread_cancel",
    "pthread_exit",
    "pthread_create",
    "backtrace",
    // terminfo and termcap.
    "setupterm",
    "tgetent",
    "initscr",
    "newterm",
    // Locales.
    "setlocale",
    "newlocale",
    // These start /bin/sh.
    "system",
    "popen",
    "wordexp",
    // The name service switch.
    "getpwnam",
    "getpwnam_r",
    "getpwuid",
    "getpwuid_r",
    "getpwent",
    "getgrnam",
    "getgrnam_r",
    "getgrgid",
    "getgrgid_r",
    "getgrouplist",
    "initgroups",
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_r",
    "gethostbyname2",
    "gethostbyaddr",
    "getnameinfo",
    "getservbyname",
    // Time zones.
    "localtime",
    "localtime_r",
    "tzset",
    "mktime",
    "strftime",
    // Character sets and messages.
    "iconv_open",
    "bindtextdomain",
    // These open libraries.
    "dlopen",
    // These start other programs.
    "execl",
    "execle",
    "execlp",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "posix_spawn",
    "posix_spawnp",
    "g_spawn_async",
    "g_spawn_sync",
];

/// Definitions that make musl take a file for a second libc: `load_library` in `ldso/dynlink.c`.
pub const WATCHED_EXPORTS: &[&str] = &["__libc_start_main", "stdin"];

/// Most symbols that are looked at.
const MAX_SYMBOLS: u64 = 1 << 20;

/// Where the dynamic symbol table is and how far it can reach. There is no tag for its length.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SymbolTable {
    /// Its address.
    pub(super) address: u64,
    /// Address of the DT_HASH table, which knows the number of symbols.
    pub(super) hash: Option<u64>,
    /// Size of one symbol.
    size: u64,
    /// Address of the table that comes next in memory.
    next: Option<u64>,
}

impl SymbolTable {
    /// Finds it among the dynamic entries.
    pub(super) fn locate(dynamic: &Dynamic, ctx: Ctx) -> Option<Self> {
        let value = |tag| {
            dynamic
                .dyns
                .iter()
                .rfind(|entry| entry.d_tag == tag)
                .map(|entry| entry.d_val)
        };
        let address = value(dynamic::DT_SYMTAB)?;
        let others = [
            dynamic::DT_STRTAB,
            dynamic::DT_HASH,
            dynamic::DT_GNU_HASH,
            dynamic::DT_VERSYM,
            dynamic::DT_VERNEED,
            dynamic::DT_VERDEF,
            dynamic::DT_RELA,
            dynamic::DT_REL,
            dynamic::DT_JMPREL,
            dynamic::DT_INIT,
        ];
        let next = others
            .into_iter()
            .filter_map(value)
            .filter(|&other| other > address)
            .min();
        Some(Self {
            address,
            hash: value(dynamic::DT_HASH),
            size: size_of_symbol(ctx),
            next,
        })
    }

    /// Bytes to read: `count` symbols where that is known, else up to the table that comes next.
    pub(super) fn length(&self, count: Option<u32>) -> u64 {
        let symbols = match (count, self.next) {
            (Some(count), _) => u64::from(count),
            (None, Some(next)) => (next - self.address) / self.size,
            (None, None) => 0,
        };
        symbols.min(MAX_SYMBOLS) * self.size
    }
}

fn size_of_symbol(ctx: Ctx) -> u64 {
    if ctx.is_big() { 24 } else { 16 }
}

/// The watched imports and exports of a symbol table, each in the order of its list.
pub(super) fn watched(symbols: &[u8], strings: &[u8], ctx: Ctx) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let size = usize::try_from(size_of_symbol(ctx)).unwrap_or(usize::MAX);
    let Ok(table) = Symtab::parse(symbols, 0, symbols.len() / size, ctx) else {
        return (imports, exports);
    };
    for symbol in table.iter() {
        let (list, found) = if is_import(&symbol) {
            (WATCHED_IMPORTS, &mut imports)
        } else {
            (WATCHED_EXPORTS, &mut exports)
        };
        let Some(name) = string_at(strings, symbol.st_name as u64) else {
            continue;
        };
        if let Some(&watched) = list.iter().find(|watched| watched.as_bytes() == name)
            && !found.contains(&watched)
        {
            found.push(watched);
        }
    }
    imports.sort_by_key(|name| WATCHED_IMPORTS.iter().position(|watched| watched == name));
    (imports, exports)
}

fn is_import(symbol: &Sym) -> bool {
    symbol.st_shndx == SHN_UNDEF as usize
}
