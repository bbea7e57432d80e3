//! The command line: one file a verb. Errors are printed here and nowhere else.

mod args;
mod build;
mod bundle_file;
mod diff;
mod doctor;
mod error;
mod export;
mod extract;
mod inspect;
mod key;
mod output;
mod pack;
mod passphrase;
mod plan;
mod progress;
mod run;
mod sbom;
mod seccomp;
mod sign;
mod trace;
mod verify;
mod verify_run;
mod why;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{CommandLine, KeyVerb, Verb};
use error::{CliError, status};

/// Runs polecat with these words, the first of which is its own name. The exit status is as `polecat --help` documents it.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command_line = match CommandLine::try_parse_from(args::with_verb(words)) {
        Ok(command_line) => command_line,
        Err(error) => return show_usage(&error),
    };
    match dispatch(command_line.verb) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the report has seen enough.
        Err(CliError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        // The report said so.
        Err(error @ CliError::Different) => ExitCode::from(error.status()),
        Err(error) => {
            output::complain(&error.to_string(), error.hint().as_deref());
            ExitCode::from(error.status())
        }
    }
}

fn dispatch(verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::Pack(args) => pack::run(args),
        Verb::Plan(args) => plan::run(args),
        Verb::Why(args) => why::run(&args),
        Verb::Diff(args) => diff::run(&args),
        Verb::Trace(args) => trace::run(args),
        Verb::Run(args) => run::run(args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Extract(args) => extract::run(&args),
        Verb::Sbom(args) => sbom::run(&args),
        Verb::Sign(args) => sign::run(&args),
        Verb::Key(args) => match args.verb {
            KeyVerb::Generate(args) => key::generate(&args),
            KeyVerb::Show(args) => key::show(&args),
        },
    }
}

/// Help and version on standard output, what makes no sense on standard error.
fn show_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print();
        return match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(status::FAILED),
            _ => ExitCode::SUCCESS,
        };
    }
    let text = error.render();
    let text = match io::stderr().is_terminal() {
        true => text.ansi().to_string(),
        false => text.to_string(),
    };
    let text = text
        .strip_prefix("error: ")
        .map(|rest| format!("polecat: {rest}"))
        .unwrap_or(text);
    // With standard error gone there is nobody to tell.
    drop(io::stderr().write_all(text.as_bytes()));
    ExitCode::from(status::USAGE)
}
