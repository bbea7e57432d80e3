//! `polecat pack --script`: installs into the root file system, out of its way, and tries out what was installed.

use std::path::Path;

use bundle::manifest::{Isolation, Process};
use runtime::Control;
use runtime::build::{self, Build, Built, Stages, Step};
use runtime::exit::{self, End};
use runtime::sys::process::Change;

use super::error::CliError;
use super::output;
use crate::options::PackOptions;
use crate::rootfs::{RootPath, Rootfs};
use crate::script::{BuildScript, Command, Stage};
use crate::trace::{self, Trace};

/// Runs the script, and gives the root file system with what was installed, and what the tests used.
pub(super) fn run(path: &Path, options: &PackOptions, quiet: bool) -> Result<(Built, Trace), CliError> {
    let script = BuildScript::read(path)?;
    let control = Control::from_variables(|name| std::env::var_os(name)).map_err(CliError::Control)?;
    let rootfs = Rootfs::open(&options.rootfs)?;
    let process = process(&rootfs, &script, options)?;
    let isolation = Isolation {
        contain: options.contain,
        ..Isolation::default()
    };
    let stages = stages(&script, !quiet);
    let built = match build::build(rootfs.path(), process, &isolation, control, stages).map_err(CliError::Run)? {
        Build::Done(built) => built,
        Build::Failed { step, change } => return Err(failure(path, &script, step, change)),
        Build::Interrupted(signal) => exit::leave(&End::Signalled(signal)),
    };
    let command = ["sh".into(), path.into()];
    let trace = trace::record::record(&command, built.events());
    for (path, text) in &trace.warnings {
        output::note(&format!("warning: {}: {text}", RootPath::new(path)));
    }
    Ok((built, trace))
}

/// Variables and directory of the commands; every one is a shell's.
fn process(rootfs: &Rootfs, script: &BuildScript, options: &PackOptions) -> Result<Process, CliError> {
    let search_path = crate::closure::search_path(rootfs)?;
    let mut env = vec![format!("PATH={search_path}")];
    env.extend(options.env.iter().cloned());
    env.extend(script.environment.iter().cloned());
    Ok(Process {
        path: "/bin/sh".to_owned(),
        args: vec!["sh".to_owned()],
        env,
        cwd: options.workdir.clone(),
    })
}

fn stages(script: &BuildScript, announced: bool) -> Stages {
    let step = |stage: Stage, command: &Command| Step {
        title: format!("{}: {}", stage.name(), command.summary()),
        command: command.text.clone(),
    };
    let of = |stage, commands: &[Command]| commands.iter().map(|command| step(stage, command)).collect();
    Stages {
        install: of(Stage::Install, &script.install),
        test: of(Stage::Test, &script.test),
        announced,
    }
}

fn failure(path: &Path, script: &BuildScript, step: usize, change: Change) -> CliError {
    let failed = script.commands().nth(step);
    CliError::Build {
        path: path.to_owned(),
        line: failed.map_or(0, |(_, command)| command.line),
        stage: failed.map_or(Stage::Install, |(stage, _)| stage),
        command: failed.map(|(_, command)| command.summary()).unwrap_or_default(),
        change,
    }
}
