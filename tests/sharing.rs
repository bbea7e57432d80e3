//! What a program sees of its caller's session and of the host, where what it writes is kept, and as whom it runs.
//! bubblewrap, which binds the same, says what a bind is.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use support::bundle::Shared;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Ended, Place, Scratch, exec};

#[path = "sharing/binds.rs"]
mod binds;
#[path = "sharing/layers.rs"]
mod layers;
#[path = "sharing/session.rs"]
mod session;
#[path = "sharing/users.rs"]
mod users;

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));

fn places(wanted: &[Place]) -> Vec<Place> {
    Place::there(wanted, &BUSYBOX_NEEDS)
}

/// Runs a line in the packed shell, with options in front of it.
fn run<S: AsRef<OsStr>>(bundle: &Bundle, place: Place, options: &[S], line: &str) -> Ended {
    let mut command = bundle.start(place);
    // Without an option in front of them the dashes are the program's.
    let dashes = (!options.is_empty()).then_some("--");
    command.args(options).args(dashes).args(["-c", line]);
    exec::run(&mut command)
}

fn bind(source: &Path, rest: &str) -> OsString {
    let mut option = OsString::from("--polecat-bind=");
    option.push(source);
    option.push(rest);
    option
}

/// A directory of the host that everybody may write to, with a file and a directory in it.
fn host(scratch: &Scratch, name: &str) -> PathBuf {
    let directory = scratch.open_directory(name);
    fs::write(directory.join("file"), "of the host\n").expect("a file");
    fs::create_dir(directory.join("sub")).expect("a directory");
    directory
}

/// A `$XDG_RUNTIME_DIR`, as a login makes it.
fn runtime_directory(scratch: &Scratch, place: Place) -> PathBuf {
    let directory = scratch.open_directory("runtime");
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).expect("a mode");
    chown(&directory, Some(place.id()), Some(place.id())).expect("an owner");
    directory
}
