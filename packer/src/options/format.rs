//! What is written: a bundle, or the files alone in a format of others.

use std::ops::RangeInclusive;

use super::{Asked, DEFAULT_LEVEL, OptionsError};

/// gzip's own default.
const DEFAULT_GZIP_LEVEL: i32 = 6;

/// What is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A bundle, which runs.
    #[default]
    Run,
    /// A squashfs image.
    Squashfs,
    /// A tar archive, compressed with gzip.
    Tgz,
    /// A directory.
    Directory,
}

impl Format {
    /// As `--format` has it, and what the default name of the output ends with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Squashfs => "squashfs",
            Self::Tgz => "tgz",
            Self::Directory => "dir",
        }
    }

    /// The level that is meant where none is given, and the levels that there are; none where nothing is compressed.
    pub(super) fn levels(self) -> Option<(i32, RangeInclusive<i32>)> {
        match self {
            Self::Run | Self::Squashfs => Some((DEFAULT_LEVEL, 1..=super::MAX_LEVEL)),
            Self::Tgz => Some((DEFAULT_GZIP_LEVEL, 1..=9)),
            Self::Directory => None,
        }
    }

    /// Refuses what says something that this format has no place for.
    pub(super) fn check(self, asked: &Asked) -> Result<(), OptionsError> {
        let of_bundles = [
            ("--key or a passphrase", asked.names_key),
            ("--verify-run", asked.verifies),
            ("--as", !asked.entry_points.is_empty()),
            ("--name", asked.name.is_some()),
            ("--env", !asked.env.is_empty()),
            ("--workdir", asked.workdir.is_some()),
            ("--contain", asked.contain),
            ("an option of isolation", !asked.isolation.is_empty()),
            ("--stub", asked.stub.is_some()),
        ];
        let of_images = [
            ("--block-size", asked.block_size.is_some()),
            ("--store-startup", asked.store_startup.is_some()),
        ];
        let of_compressed = [("--level", asked.level.is_some())];
        let refused: &[&[(&'static str, bool)]] = match self {
            Self::Run => &[],
            Self::Squashfs => &[&of_bundles],
            Self::Tgz => &[&of_bundles, &of_images],
            Self::Directory => &[&of_bundles, &of_images, &of_compressed],
        };
        match refused.iter().copied().flatten().find(|(_, given)| *given) {
            Some((option, _)) => Err(OptionsError::NotOfFormat { option, format: self }),
            None => Ok(()),
        }
    }
}
