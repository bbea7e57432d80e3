//! What can be typed behind `polecat run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::isolation::RunOptions;

const RUN_AFTER_HELP: &str = "\
The command runs in namespaces of its own on the root file system, which stays as it is: what is written there is gone afterwards. A \
bundle takes the same options, each with the prefix --polecat-. Everything after COMMAND belongs to the command.

Examples:
  polecat run /srv/debian git log
  polecat run --contain --hostname box /srv/debian bash

Exit status: the command's; 125 it could not be run, 126 and 127 it was not executable, not found; else as `polecat --help` says.";

/// `polecat run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_AFTER_HELP)]
pub(in crate::cli) struct RunArgs {
    #[command(flatten)]
    pub(in crate::cli) options: RunOptions,
    /// Directory that holds a root file system; `/` is this machine's, for root alone
    #[arg(value_name = "ROOTFS")]
    pub(in crate::cli) rootfs: PathBuf,
    /// Program, looked up in the root file system's own PATH, and its arguments
    #[arg(value_names = ["COMMAND", "ARG"], required = true, num_args = 1.., trailing_var_arg = true)]
    pub(in crate::cli) command: Vec<OsString>,
}
