//! `polecat trace`: runs a command as its bundle would, and writes down what it uses.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bundle::manifest::Isolation;
use runtime::Control;
use runtime::exit::{self, End};
use runtime::host::Shared;
use runtime::trace::{Traced, Until, trace_directory};

use super::args::TraceArgs;
use super::error::CliError;
use super::output::{self, counted};
use super::run::program;
use crate::options::{Asked, PackOptions};
use crate::rootfs::RootPath;
use crate::seal::{OutputError, OutputFile};
use crate::trace::{self, Misses, Trace};

/// Traces, and ends as the command did; or puts traces together.
pub(super) fn run(args: TraceArgs) -> Result<(), CliError> {
    let TraceArgs {
        output,
        merge,
        bind,
        rootfs,
        command,
        env,
        workdir,
        contain,
        exit_with_main,
        quiet,
    } = args;
    if !merge.is_empty() {
        let output = output.unwrap_or_else(|| PathBuf::from("merged.trace"));
        return write(&output, &read_all(&merge)?);
    }
    let options = Asked {
        rootfs: rootfs.unwrap_or_default(),
        output: Some(output.unwrap_or_else(|| default_output(&command))),
        command: command.clone(),
        env,
        workdir,
        contain,
        ..Asked::default()
    };
    let options = options.resolve()?;
    // Before the command does anything.
    drop(OutputFile::create(&options.output)?);
    let until = if exit_with_main {
        Until::CommandEnds
    } else {
        Until::AllEnd
    };
    let binds = bind.iter().map(|bind| shared(bind)).collect::<Result<_, _>>()?;
    let Traced { end, events } = execute(&options, runtime::trace::Options { until, binds })?;
    if let End::Failed(error) = end {
        return Err(CliError::Run(error));
    }
    let trace = trace::record::record(&command, &events);
    write(&options.output, &trace)?;
    if !quiet {
        report(&options.output, &trace);
    }
    exit::leave(&end)
}

/// The traces in these files, as one.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Trace, CliError> {
    let mut all = Trace::default();
    for path in paths {
        all.merge(trace::file::read(path)?);
    }
    Ok(all)
}

/// What was missed by these files.
pub(super) fn read_misses(paths: &[PathBuf]) -> Result<Vec<Misses>, CliError> {
    paths.iter().map(|path| Ok(trace::misses::read(path)?)).collect()
}

fn execute(options: &PackOptions, how: runtime::trace::Options) -> Result<Traced, CliError> {
    let control = Control::from_variables(|name| std::env::var_os(name)).map_err(CliError::Control)?;
    let (rootfs, process) = program(options)?;
    let isolation = Isolation {
        contain: options.contain,
        ..Isolation::default()
    };
    trace_directory(rootfs.path(), process, &isolation, control, how).map_err(CliError::Run)
}

/// `DIR` or `DIR:PATH`. A directory whose name has a colon is given with its path.
fn shared(bind: &Path) -> Result<Shared, CliError> {
    let (directory, path) = split(bind);
    let source = directory.canonicalize().map_err(|source| CliError::Open {
        path: directory.clone(),
        source,
    })?;
    let path = std::path::absolute(path.unwrap_or(directory)).map_err(|source| CliError::Open {
        path: bind.to_owned(),
        source,
    })?;
    Ok(Shared { path, source })
}

fn split(bind: &Path) -> (PathBuf, Option<PathBuf>) {
    let bytes = bind.as_os_str().as_bytes();
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    match bytes.iter().rposition(|&byte| byte == b':') {
        Some(colon) if bytes[colon + 1..].starts_with(b"/") => (path(&bytes[..colon]), Some(path(&bytes[colon + 1..]))),
        _ => (bind.to_owned(), None),
    }
}

fn default_output(command: &[std::ffi::OsString]) -> PathBuf {
    let name = command.first().and_then(|command| Path::new(command).file_name());
    let mut name = name.unwrap_or_default().to_owned();
    name.push(".trace");
    PathBuf::from(name)
}

/// Nobody executes a trace.
fn write(path: &Path, trace: &Trace) -> Result<(), CliError> {
    let fault = |source| OutputError::Write {
        path: path.to_owned(),
        source,
    };
    let mut output = OutputFile::create(path)?;
    let mut bytes = Vec::new();
    trace::file::write(trace, &mut bytes).map_err(fault)?;
    let file = output.file();
    file.write_all(&bytes).map_err(fault)?;
    let mode = file.metadata().map_err(fault)?.permissions().mode() & 0o666;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
        .map_err(fault)?;
    Ok(output.publish()?)
}

fn report(path: &Path, trace: &Trace) {
    for (path, text) in &trace.warnings {
        output::note(&format!("warning: {}: {text}", RootPath::new(path)));
    }
    let paths = counted(trace.paths.len() as u64, "path");
    output::note(&format!("{}: {paths}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_where_they_are_seen() {
        for (bind, directory, path) in [
            ("/data", "/data", None),
            ("data", "data", None),
            ("/data:/srv", "/data", Some("/srv")),
            ("/a:b:/srv", "/a:b", Some("/srv")),
            ("/a:b", "/a:b", None),
        ] {
            assert_eq!(
                split(Path::new(bind)),
                (directory.into(), path.map(PathBuf::from)),
                "{bind}"
            );
        }
    }

    #[test]
    fn the_file_is_called_as_the_command() {
        for (command, expected) in [
            ("top", "top.trace"),
            ("/usr/bin/top", "top.trace"),
            ("./a.b", "a.b.trace"),
        ] {
            assert_eq!(default_output(&[command.into()]), Path::new(expected));
        }
    }
}
