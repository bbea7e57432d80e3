//! The static executable in front of every bundle: finds itself, knows the reserved flags, and leaves the rest to
//! the runtime.

#![forbid(unsafe_code)]

mod control;
mod entry;
mod error;
mod inspect;
mod locate;
mod misses;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use control::{Request, Run};
use error::Error;
use misses::Misses;
use runtime::control::Control;
use runtime::doctor;
use runtime::exit::{self, End};
use runtime::host::Facts;
use runtime::image::{OwnerMap, unpack};
use runtime::keep;
use runtime::sys::auxv;
use runtime::verify::{Opened, Verified};

/// The whole program, started with `arguments`, the first of which is the name it was called by.
pub fn start(arguments: Vec<OsString>) -> ! {
    match serve(arguments) {
        Ok(end) => exit::leave(&end),
        Err(error) => error.print_and_exit(),
    }
}

/// Says why there can be no start, and ends the process.
pub fn fail(error: runtime::error::Error) -> ! {
    Error::from(error).print_and_exit()
}

fn serve(arguments: Vec<OsString>) -> Result<End, Error> {
    let mut arguments = arguments.into_iter();
    let called = arguments.next().unwrap_or_default();
    match control::request(arguments)? {
        Request::Help => print(&help()),
        Request::Inspect => print(&inspect::text(&verified()?)),
        Request::Verify => verify(&verified()?),
        Request::Release => release(&verified()?),
        Request::Doctor { options, json } => examine(options, json),
        Request::Extract(target) => extract(&verified()?, target.as_ref()),
        Request::Run(asked) => run(asked, &called),
    }
}

fn run(asked: Run, called: &OsStr) -> Result<End, Error> {
    let Run {
        entry,
        misses,
        options,
        arguments,
    } = asked;
    let mut control = Control::from_variables(|name| env::var_os(name))?;
    control.options = options;
    let verified = verified()?;
    let process = match entry {
        Some(name) => entry::named(verified.manifest(), name)?,
        None => entry::called(verified.manifest(), called),
    };
    let end = match Misses::wanted(misses, &verified)? {
        Some(misses) => misses.run(verified, process, arguments, control)?,
        None => runtime::run(verified, process, arguments, control),
    };
    match end {
        End::Failed(error) => Err(error.into()),
        end => Ok(end),
    }
}

/// The help is there even where the bundle is damaged; what the bundle says of itself then is not.
fn help() -> String {
    let programs = verified().map(|verified| inspect::programs(verified.manifest()));
    format!(
        "{}{}{}",
        control::HELP,
        control::options(),
        programs.unwrap_or_default()
    )
}

fn verified() -> Result<Verified, Error> {
    Ok(Opened::new(locate::own_file()?)?.verify()?)
}

/// Every byte that the signature covers: the executable in front, and each block of the image.
fn verify(verified: &Verified) -> Result<End, Error> {
    verified.check_stub()?;
    verified.image().check_all(|_| ())?;
    print(&inspect::verdict(verified))
}

/// What would come of a start.
fn examine(options: Vec<OsString>, json: bool) -> Result<End, Error> {
    let control = Control {
        options,
        ..Control::from_variables(|name| env::var_os(name))?
    };
    let verified = verified()?;
    let file = fs::read_link(locate::SELF)
        .ok()
        .or_else(|| auxv::executable_name().map(Path::to_owned));
    let report = doctor::examine(&verified, &control, &file.unwrap_or_default())?;
    print(&if json { report.json() } else { report.to_string() }).map(|_| End::Exited(report.status()))
}

fn extract(verified: &Verified, target: &Path) -> Result<End, Error> {
    unpack::unpack(&verified.image(), target, owner())?;
    Ok(End::Exited(0))
}

/// Programs that run on the mount keep it; for the next start it is gone.
fn release(verified: &Verified) -> Result<End, Error> {
    let host = Facts::probe().map_err(runtime::error::Error::from)?;
    let released = keep::release(verified, &host).map_err(|errno| runtime::error::Error::Monitor {
        step: "talk to the holder of the kept mount",
        errno,
    })?;
    print(if released { "released\n" } else { "nothing is kept\n" })
}

/// Only root can give files away.
fn owner() -> OwnerMap {
    match runtime::host::caller() {
        (0, _) => OwnerMap::AsStored,
        (uid, gid) => OwnerMap::Caller { uid, gid },
    }
}

fn print(text: &str) -> Result<End, Error> {
    io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
        .map_err(Error::Output)?;
    Ok(End::Exited(0))
}
