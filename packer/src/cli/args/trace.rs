//! What can be typed behind `polecat trace`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

const TRACE_AFTER_HELP: &str = "\
The command runs in namespaces of its own on the root file system, which stays as it is: what is written there is gone afterwards. \
Home and current directory are shared, as when a bundle is run. Everything after COMMAND belongs to the command.

Examples:
  polecat trace /srv/debian git log        git.trace
  polecat --trace git.trace /srv/debian git
  polecat trace --merge a.trace b.trace --output git.trace

Exit status: the command's; 125 it could not be run, 126 and 127 it was not executable, not found; else as `polecat --help` says.";

/// `polecat trace`.
#[derive(Debug, Args)]
#[command(after_help = TRACE_AFTER_HELP)]
pub(in crate::cli) struct TraceArgs {
    /// The trace to write [default: COMMAND.trace in the current directory]
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Run nothing: put these traces together
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "output", conflicts_with = "rootfs")]
    pub(in crate::cli) merge: Vec<PathBuf>,
    /// Share a directory of this machine, at the same place or at PATH; nothing in it is traced (repeatable)
    #[arg(long, value_name = "DIR[:PATH]")]
    pub(in crate::cli) bind: Vec<PathBuf>,
    /// End when the command ends, and with it what it left in the background, instead of waiting for that
    #[arg(long)]
    pub(in crate::cli) exit_with_main: bool,
    /// Set a variable for the program, over the caller's (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) env: Vec<String>,
    /// Directory inside that the program is started in [default: the caller's]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) workdir: Option<String>,
    /// Share neither home, current directory nor environment of the caller with the program
    #[arg(long)]
    pub(in crate::cli) contain: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// Directory that holds a root file system; `/` is this machine's, for root alone
    #[arg(value_name = "ROOTFS", required_unless_present = "merge")]
    pub(in crate::cli) rootfs: Option<PathBuf>,
    /// Program, looked up in the root file system's own PATH, and its arguments
    #[arg(value_names = ["COMMAND", "ARG"], required_unless_present = "merge", num_args = 1.., trailing_var_arg = true)]
    pub(in crate::cli) command: Vec<OsString>,
}
