//! The word behind `--format`.

use clap::ValueEnum;

use crate::options::Format;

/// Words for the formats.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum FormatArg {
    #[value(alias = "sh")]
    Run,
    #[value(alias = "sfs")]
    Squashfs,
    Tgz,
    Dir,
}

impl From<FormatArg> for Format {
    fn from(word: FormatArg) -> Self {
        match word {
            FormatArg::Run => Self::Run,
            FormatArg::Squashfs => Self::Squashfs,
            FormatArg::Tgz => Self::Tgz,
            FormatArg::Dir => Self::Directory,
        }
    }
}
