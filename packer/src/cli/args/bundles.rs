//! What can be typed behind the verbs that read bundles.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// `polecat why`.
#[derive(Debug, Args)]
#[command(
    after_help = "A link is followed: then there are the reasons of the link and of what it leads to. `polecat plan` shows the reasons of all paths of \
a bundle that is still to be packed.

Exit status: 0 told, 5 the path is not in the bundle."
)]
pub(in crate::cli) struct WhyArgs {
    /// The bundle
    pub(in crate::cli) file: PathBuf,
    /// Path inside it, as the program sees it
    pub(in crate::cli) path: PathBuf,
    /// Print the chain as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Both bundles are checked as far as they are read; whom you trust does not count.

Exit status: 0 they are the same, 1 they differ, 2 it cannot be found out, 3 one of them is not what was signed."
)]
pub(in crate::cli) struct DiffArgs {
    /// A bundle
    pub(in crate::cli) a: PathBuf,
    /// Another one
    pub(in crate::cli) b: PathBuf,
    /// Print nothing but errors: the status tells
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// Print the differences as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each way is tried with the bundle's own image, and undone; its program is not started. Without a bundle a small one is tried.
`./NAME.run --polecat-doctor [--json]` says the same of itself.

Exit status: 0 at least one way works, 1 none does, 3 not what was signed."
)]
pub(in crate::cli) struct DoctorArgs {
    /// The bundle
    pub(in crate::cli) file: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat inspect`.
#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The bundle
    pub(in crate::cli) file: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat verify`.
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 all right, 3 not what was signed, 4 signed by nobody who is trusted.")]
pub(in crate::cli) struct VerifyArgs {
    /// The bundle
    pub(in crate::cli) file: PathBuf,
    /// Public key whose signature is asked for, instead of any trusted one's (repeatable: any of them will do)
    #[arg(long, value_name = "PUB", num_args = 1, action = ArgAction::Append)]
    pub(in crate::cli) key: Vec<PathBuf>,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// Print each check as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat extract`.
#[derive(Debug, Args)]
#[command(
    after_help = "As root, owners are kept; otherwise all files are yours. Nothing is unpacked that is not what was signed."
)]
pub(in crate::cli) struct ExtractArgs {
    /// The bundle
    pub(in crate::cli) file: PathBuf,
    /// Directory to unpack into: a new one, or an empty one
    pub(in crate::cli) dir: PathBuf,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// Print what was unpacked as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat sbom`.
#[derive(Debug, Args)]
#[command(
    after_help = "The packages are those that the root file system's package database knew when the bundle was packed. The same bundle gives the same document."
)]
pub(in crate::cli) struct SbomArgs {
    /// The bundle
    pub(in crate::cli) file: PathBuf,
    /// Format of the bill of materials: SPDX 2.3 or CycloneDX 1.6, as JSON
    #[arg(long, value_name = "FORMAT", default_value = "spdx")]
    pub(in crate::cli) format: SbomFormat,
    /// File to write it to [default: standard output]
    #[arg(short, long, value_name = "OUT")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// Formats of bills of materials.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum SbomFormat {
    Spdx,
    Cyclonedx,
}
