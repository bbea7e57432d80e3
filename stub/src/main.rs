//! The static executable in front of every bundle: finds itself, knows the reserved flags, and leaves the rest to
//! the runtime.

#![forbid(unsafe_code)]

mod control;
mod error;
mod inspect;
mod locate;
mod misses;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use control::Request;
use error::Error;
use misses::Misses;
use runtime::control::Control;
use runtime::exit::{self, End};
use runtime::image::{OwnerMap, unpack};
use runtime::verify::{Opened, Verified};

#[global_allocator]
static ALLOCATOR: runtime::Allocator = runtime::Allocator;

fn main() {
    match serve(control::request(env::args_os().skip(1))) {
        Ok(end) => exit::leave(&end),
        Err(error) => error.print_and_exit(),
    }
}

fn serve(request: Result<Request, Error>) -> Result<End, Error> {
    match request? {
        Request::Help => print(control::HELP),
        Request::Inspect => print(&inspect::text(&verified()?)),
        Request::Verify => verify(&verified()?),
        Request::Extract(target) => extract(&verified()?, target.as_ref()),
        Request::Misses(arguments) => run(arguments, true),
        Request::Run(arguments) => run(arguments, false),
    }
}

/// Runs the app; `misses`: prints what it misses.
fn run(arguments: Vec<OsString>, misses: bool) -> Result<End, Error> {
    let control = Control::from_variables(|name| env::var_os(name))?;
    let verified = verified()?;
    let end = match Misses::wanted(misses, &verified)? {
        Some(misses) => misses.run(verified, arguments, control)?,
        None => runtime::run(verified, arguments, control),
    };
    match end {
        End::Failed(error) => Err(error.into()),
        end => Ok(end),
    }
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

fn extract(verified: &Verified, target: &Path) -> Result<End, Error> {
    unpack::unpack(&verified.image(), target, owner())?;
    Ok(End::Exited(0))
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
