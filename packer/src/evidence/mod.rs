//! What files say of other files, beside what a loader reads: constants of programs, words of scripts, imports of modules.
//!
//! Each kind is a guess with a reason that the plan shows, and each can be switched off. Nothing here looks anything up: the functions
//! take bytes and give names; the closure decides what of it exists and is worth taking.

pub(crate) mod imports;
pub(crate) mod paths;
pub(crate) mod shell;
pub(crate) mod strings;

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// The ELF notes in which libraries name what they open: `.note.dlopen`.
    DlopenNotes,
    /// Names of libraries in the constants of what calls dlopen(3).
    LibraryNames,
    /// Absolute paths in the constants of programs and of the libraries that they name.
    Paths,
    /// Names of programs in the constants of programs that start others.
    Commands,
    /// Commands and paths in shell scripts.
    Shell,
    /// Modules that Python and Perl scripts import.
    Imports,
    /// What a program's own package holds beside it.
    Packages,
}

impl EvidenceKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::DlopenNotes,
        Self::LibraryNames,
        Self::Paths,
        Self::Commands,
        Self::Shell,
        Self::Imports,
        Self::Packages,
    ];

    /// The word for it on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DlopenNotes => "dlopen-notes",
            Self::LibraryNames => "library-names",
            Self::Paths => "paths",
            Self::Commands => "commands",
            Self::Shell => "shell",
            Self::Imports => "imports",
            Self::Packages => "packages",
        }
    }
}
