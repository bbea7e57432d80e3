//! Why a file is not read as a bundle.

use std::fmt;
use std::io;

use crate::manifest::ManifestError;
use crate::section::SectionKind;

/// Why [`crate::Bundle::read`] refused a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// Not a bundle at all, or something else than a bundle with an executable in front.
    NotABundle {
        /// What was found instead.
        why: NotABundle,
    },
    /// The end of the file is missing.
    Truncated {
        /// Length in bytes that the file should have at the least.
        expected: u64,
        /// Length in bytes that it has.
        found: u64,
    },
    /// A version of the format that this reader does not know.
    Newer {
        /// The bundle's format version.
        version: u32,
    },
    /// A critical section that this reader does not know.
    UnknownSection {
        /// Its number.
        kind: u32,
    },
    /// Superblock flags that this reader does not know.
    UnknownFlags {
        /// All flags of the superblock.
        flags: u32,
    },
    /// The bytes contradict themselves or the format.
    Damaged {
        /// In what way.
        what: Damage,
    },
    /// The manifest is not one.
    Manifest(ManifestError),
    /// The signed manifest and the file around it do not agree.
    Disagreement {
        /// The manifest's field.
        field: &'static str,
        /// What the manifest says.
        manifest: u64,
        /// What the file says.
        file: u64,
    },
    /// The file could not be read.
    Io {
        /// Where, in bytes from the beginning.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// What was found where a bundle was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotABundle {
    /// The file does not begin as an ELF executable does.
    NotElf,
    /// An ELF header that no stub has.
    UnusualElf {
        /// What is unusual about it.
        what: &'static str,
    },
    /// An ELF executable with nothing behind it.
    BareExecutable,
    /// An ELF executable with something else than a superblock behind it.
    ForeignData,
}

/// In what way a bundle's bytes are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The line ends in the magic were changed: a transfer in text mode.
    Magic,
    /// The superblock's checksum does not fit.
    Checksum,
    /// Format version 0, which never was.
    Version,
    /// A byte of padding is not zero.
    Padding {
        /// The first such byte, from the beginning of the file.
        offset: u64,
    },
    /// A reserved field is not zero.
    Reserved {
        /// The structure it stands in.
        place: &'static str,
    },
    /// More sections than the superblock can hold.
    SectionCount,
    /// A section that every bundle has is not there.
    MissingSection {
        /// Which.
        kind: SectionKind,
    },
    /// A section that a bundle has once is there twice.
    RepeatedSection {
        /// Which.
        kind: SectionKind,
    },
    /// A section of a known kind with flags it cannot have.
    SectionFlags {
        /// Which section.
        kind: SectionKind,
    },
    /// A section reaches outside the file.
    SectionBounds {
        /// Which section.
        kind: SectionKind,
    },
    /// A section lies where its kind may not lie.
    SectionPlace {
        /// Which section.
        kind: SectionKind,
    },
    /// A section has a length that its kind cannot have.
    SectionLength {
        /// Which section.
        kind: SectionKind,
    },
    /// Two sections share bytes.
    SectionOverlap {
        /// The second of the two.
        kind: SectionKind,
    },
    /// More signatures than the signature block can hold.
    SignatureCount,
    /// A signature's key id is not that of its public key.
    SignatureKeyId {
        /// Which record, from 0.
        index: usize,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABundle { why } => write!(f, "not a polecat bundle: {why}"),
            Self::Truncated { expected, found } => {
                write!(
                    f,
                    "the bundle is truncated: it has {found} bytes and should have at least {expected}"
                )
            }
            Self::Newer { version } => write!(
                f,
                "the bundle has format version {version}; this polecat knows versions up to {}",
                crate::layout::FORMAT_VERSION
            ),
            Self::UnknownSection { kind } => {
                write!(
                    f,
                    "the bundle needs a section of kind {kind:#x}, which this polecat does not know"
                )
            }
            Self::UnknownFlags { flags } => {
                write!(
                    f,
                    "the bundle has superblock flags {flags:#x}, which this polecat does not know"
                )
            }
            Self::Damaged { what } => write!(f, "the bundle is damaged: {what}"),
            Self::Manifest(error) => write!(f, "the bundle's manifest is invalid: {error}"),
            Self::Disagreement { field, manifest, file } => {
                write!(
                    f,
                    "the bundle's manifest does not fit the file: {field} is {manifest} there and {file} in the file"
                )
            }
            Self::Io { offset, source } => write!(f, "cannot read the bundle at offset {offset}: {source}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Manifest(error) => Some(error),
            _ => None,
        }
    }
}

/// What helps where a bundle is newer than its reader.
const NEWER: &str = "use a newer polecat, or start the bundle itself: it brings a reader of its own";

impl ReadError {
    /// What to try; none when nothing helps but what the text says.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotABundle {
                why: NotABundle::BareExecutable,
            } => "this is an ordinary executable; `polecat ROOTFS COMMAND` makes a bundle of a command",
            Self::NotABundle { .. } => "check that the path is that of a bundle, a file that polecat has made",
            Self::Truncated { .. } => "copy or download the file again; the transfer stopped early",
            Self::Newer { .. } | Self::UnknownSection { .. } | Self::UnknownFlags { .. } => NEWER,
            Self::Damaged { .. } => "copy or download the file again, in binary mode",
            Self::Manifest(ManifestError::Requires { .. }) => NEWER,
            Self::Manifest(_) | Self::Disagreement { .. } => "get the bundle again from the one who made it",
            Self::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for NotABundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => f.write_str("it does not begin with an ELF executable"),
            Self::UnusualElf { what } => write!(f, "its ELF header has {what}, which no stub has"),
            Self::BareExecutable => f.write_str("an ELF executable with nothing behind it"),
            Self::ForeignData => f.write_str("an ELF executable with something else behind it"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("it was transferred as text, which changes its line ends"),
            Self::Checksum => {
                f.write_str("superblock, manifest or signatures do not have the checksum they were written with")
            }
            Self::Version => f.write_str("format version 0 does not exist"),
            Self::Padding { offset } => write!(f, "the padding at offset {offset} is not zero"),
            Self::Reserved { place } => write!(f, "a reserved field of the {place} is not zero"),
            Self::SectionCount => f.write_str("the section table is too long"),
            Self::MissingSection { kind } => write!(f, "there is no {kind}"),
            Self::RepeatedSection { kind } => write!(f, "there is more than one {kind}"),
            Self::SectionFlags { kind } => write!(f, "{kind}: the section has flags it cannot have"),
            Self::SectionBounds { kind } => write!(f, "{kind}: the section reaches outside the file"),
            Self::SectionPlace { kind } => write!(f, "{kind}: the section lies in the wrong place"),
            Self::SectionLength { kind } => write!(f, "{kind}: the section has the wrong length"),
            Self::SectionOverlap { kind } => write!(f, "{kind}: the section overlaps another one"),
            Self::SignatureCount => f.write_str("the signature block says it holds more signatures than fit"),
            Self::SignatureKeyId { index } => write!(f, "signature {index} has the key id of another key"),
        }
    }
}

impl From<Damage> for ReadError {
    fn from(what: Damage) -> Self {
        Self::Damaged { what }
    }
}

impl From<NotABundle> for ReadError {
    fn from(why: NotABundle) -> Self {
        Self::NotABundle { why }
    }
}

impl From<ManifestError> for ReadError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}
