//! The caller's descriptors are the app's. A process of ours that kept them would keep a pipe open that the app has
//! closed, and whoever reads its other end would wait.

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{dup2_stdin, dup2_stdout};

use crate::directory;
use crate::sys::descriptor;

/// Lets go of all descriptors that came with execve(2) but stderr, which is where errors are said.
///
/// Without `/proc` those above 2 stay: nobody can say which they are.
pub(crate) fn release() -> Result<(), Errno> {
    let null = File::options().read(true).write(true).open("/dev/null");
    if let Ok(null) = null {
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
    }
    directory::numbers(Path::new("/proc/self/fd"))
        .into_iter()
        .filter(|&number| number > 2)
        .try_for_each(descriptor::close_inherited)
}

/// Closes the standard streams that the caller had closed, in the app's process, where nothing of ours is opened any more that
/// could take their places.
pub(crate) fn close_as_caller() -> Result<(), Errno> {
    descriptor::closed_at_start().try_for_each(descriptor::close_inherited)
}
