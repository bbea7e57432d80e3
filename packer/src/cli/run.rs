//! `polecat run`: runs a command of a root file system as its bundle would.

use bundle::manifest::{Isolation, Process};
use runtime::Control;
use runtime::exit::{self, End};
use runtime::run_directory;

use super::args::RunArgs;
use super::error::CliError;
use crate::options::{Asked, PackOptions};
use crate::rootfs::Rootfs;
use crate::seal;

/// Runs, and ends as the command did.
pub(super) fn run(args: RunArgs) -> Result<(), CliError> {
    let RunArgs {
        options: words,
        rootfs,
        mut command,
    } = args;
    let arguments = command.split_off(command.len().min(1));
    let asked = Asked {
        rootfs,
        command,
        ..Asked::default()
    };
    let mut control = Control::from_variables(|name| std::env::var_os(name)).map_err(CliError::Control)?;
    control.options = words.0;
    let (rootfs, process) = program(&asked.resolve()?)?;
    match run_directory(rootfs.path(), process, &Isolation::default(), arguments, control) {
        End::Failed(error) => Err(CliError::Run(error)),
        end => exit::leave(&end),
    }
}

/// The root file system and the program in it, started as the bundle's manifest would say.
pub(super) fn program(options: &PackOptions) -> Result<(Rootfs, Process), CliError> {
    let rootfs = Rootfs::open(&options.rootfs)?;
    let (entry, search_path) = crate::closure::find_command(&rootfs, &options.request.command)?;
    let process = seal::process(&entry, &search_path, options)?;
    Ok((rootfs, process))
}
