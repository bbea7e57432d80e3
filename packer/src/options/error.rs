//! Which value makes no sense.

use std::fmt;

use runtime::options::OptionFault;

use super::{Format, MAX_LEVEL};
use crate::rootfs::PatternError;

/// A value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionsError {
    /// No COMMAND, or an empty one.
    NoCommand,
    /// A word that goes into the manifest is not UTF-8.
    NotUtf8 {
        /// What it is.
        what: &'static str,
        /// The word, lossily.
        value: String,
    },
    /// The command has no name that a file could have.
    NoOutputName {
        /// The command.
        command: String,
    },
    /// A level that the compressor does not have.
    Level {
        /// As given.
        value: i32,
        /// What is compressed.
        format: Format,
    },
    /// An option that means nothing where this is written.
    NotOfFormat {
        /// The option.
        option: &'static str,
        /// What is written.
        format: Format,
    },
    /// A size that a block cannot have.
    BlockSize {
        /// As given.
        value: String,
    },
    /// Not a number of bytes.
    StoreStartup {
        /// As given.
        value: String,
    },
    /// A name that cannot be shown in a line.
    Name {
        /// As given.
        value: String,
    },
    /// Not `NAME=PATH`, or no name that a file could have.
    EntryPoint {
        /// As given.
        value: String,
    },
    /// Two entry points have one name.
    EntryPointTwice {
        /// The name.
        name: String,
    },
    /// Not `NAME=value`.
    Environment {
        /// As given.
        value: String,
    },
    /// Not an absolute path.
    Workdir {
        /// As given.
        value: String,
    },
    /// Not an option of isolation, or not a value that it can have.
    Isolation(OptionFault),
    /// Not a pattern of absolute paths.
    Pattern(PatternError),
    /// `SOURCE_DATE_EPOCH` is not a number of seconds.
    SourceDateEpoch {
        /// As given.
        value: String,
    },
}

impl OptionsError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoCommand => "polecat --help",
            Self::NotUtf8 { .. } => "packed words are UTF-8; other bytes can be given when the bundle is run",
            Self::NoOutputName { .. } => "give a name with --output",
            Self::Level {
                format: Format::Tgz, ..
            } => "1 is fast, 6 the default, 9 the smallest",
            Self::Level { .. } => "1 is fast, 15 the default, 22 the smallest",
            Self::NotOfFormat { .. } => "leave it away, or pack a bundle, which is --format run",
            Self::StoreStartup { .. } => "a number of bytes, K or M, such as --store-startup 8M",
            Self::BlockSize { .. } => "a power of two from 4K to 1M, such as --block-size 256K",
            Self::Name { .. } => "1 to 255 bytes without control characters",
            Self::EntryPoint { .. } => {
                "--as NAME=PATH, with a NAME that a file can have and that does not begin with -"
            }
            Self::EntryPointTwice { .. } => "give each program a name of its own",
            Self::Environment { .. } => "--env NAME=VALUE",
            Self::Workdir { .. } => "give the path as the program sees it, such as --workdir /srv",
            Self::Isolation(_) => "polecat pack --help",

            Self::Pattern(_) => "patterns are matched against absolute paths, such as '/usr/lib/python3*/**'",
            Self::SourceDateEpoch { .. } => "unset it, or set it to seconds since 1970, such as `date +%s` prints",
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("no command given"),
            Self::NotUtf8 { what, value } => write!(f, "{what}: {value}: not UTF-8"),
            Self::NoOutputName { command } => write!(f, "output: {command}: cannot make a file name of the command"),
            Self::Level {
                value,
                format: Format::Tgz,
            } => write!(f, "--level: {value}: gzip has the levels 1 to 9"),
            Self::Level { value, .. } => write!(f, "--level: {value}: zstd has the levels 1 to {MAX_LEVEL}"),
            Self::NotOfFormat { option, format } => {
                write!(f, "{option}: means nothing with --format {}", format.name())
            }
            Self::StoreStartup { value } => write!(f, "--store-startup: {value}: not a number of bytes"),
            Self::BlockSize { value } => write!(f, "--block-size: {value}: no block of a squashfs has this size"),
            Self::Name { value } => write!(f, "--name: {value:?}: cannot be a name"),
            Self::EntryPoint { value } => write!(f, "--as: {value:?}: not NAME=PATH"),
            Self::EntryPointTwice { name } => write!(f, "--as: {name}: names two programs"),
            Self::Environment { value } => write!(f, "--env: {value:?}: not NAME=VALUE"),
            Self::Workdir { value } => write!(f, "--workdir: {value:?}: not an absolute path without .."),
            Self::Isolation(fault) => fault.fmt(f),

            Self::Pattern(error) => error.fmt(f),
            Self::SourceDateEpoch { value } => write!(f, "SOURCE_DATE_EPOCH: {value}: not a number of seconds"),
        }
    }
}

impl std::error::Error for OptionsError {}
