//! What can be typed about keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The key to sign with.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyChoice {
    /// Secret key to sign with [default: ~/.config/polecat/signing.key, made if there is none]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) key: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) passphrase: PassphraseArgs,
}

/// Where the passphrase of an encrypted key is.
#[derive(Debug, Args)]
pub(in crate::cli) struct PassphraseArgs {
    /// File whose first line is the key's passphrase [default: POLECAT_PASSPHRASE_FILE, or it is
    /// asked for on the terminal]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) passphrase_file: Option<PathBuf>,
}

/// `polecat sign`.
#[derive(Debug, Args)]
#[command(after_help = "The bundle is checked first. A signature of the same key is replaced, others stay.")]
pub(in crate::cli) struct SignArgs {
    /// The bundle
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) key: KeyChoice,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// Print the signatures as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat key`.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: KeyVerb,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyVerb {
    /// Make a key; one that is there is never replaced
    Generate(GenerateArgs),
    /// Show the key ids and public keys of a key file or of a bundle's signers
    Show(ShowArgs),
}

/// `polecat key generate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Keys are PKCS#8 PEM: `openssl genpkey -algorithm ed25519` makes keys for polecat, and openssl reads these."
)]
pub(in crate::cli) struct GenerateArgs {
    /// File to write the secret key to, mode 0600; the public one goes beside it, with .pub behind
    /// [default: ~/.config/polecat/signing.key]
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// File whose first line is the passphrase to encrypt the key with
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_prompt")]
    pub(in crate::cli) passphrase_file: Option<PathBuf>,
    /// Ask on the terminal for a passphrase to encrypt the key with
    #[arg(long)]
    pub(in crate::cli) passphrase_prompt: bool,
    /// Print the key id and paths as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `polecat key show`.
#[derive(Debug, Args)]
#[command(
    after_help = "To trust a key whose id its owner has confirmed: polecat key show --pem FILE > ~/.config/polecat/trusted.d/NAME.pem"
)]
pub(in crate::cli) struct ShowArgs {
    /// Secret key, public key or bundle [default: your own key]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) passphrase: PassphraseArgs,
    /// Print the public keys alone, in PEM
    #[arg(long, conflicts_with = "json")]
    pub(in crate::cli) pem: bool,
    /// Print them as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
