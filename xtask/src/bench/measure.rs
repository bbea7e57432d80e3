//! The process that does a measurement: it first becomes what the measured program is to be started from (a directory
//! as root, an ordinary user, a mount namespace), so that nothing but the program itself is measured.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, fchmodat, makedev, mknod};
use nix::sys::time::TimeValLike as _;
use nix::unistd::{Gid, Uid, chroot, setgid, setgroups, setuid};

use crate::error::Error;
use crate::programs;

/// What to become and what to start.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Start the command once for each line read, and answer with nanoseconds. Without: once, answering with
    /// nanoseconds, microseconds of processors and peak memory in KiB.
    #[arg(long)]
    serve: bool,
    /// Make this the root directory first.
    #[arg(long)]
    root: Option<PathBuf>,
    /// Become this user and group.
    #[arg(long)]
    user: Option<u32>,
    /// Have a /dev/fuse that every user may open, in a mount namespace of its own: made in this directory.
    #[arg(long)]
    fuse: Option<PathBuf>,
    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs this end of a measurement.
pub(crate) fn measure(options: &Options) -> Result<(), Error> {
    // There need not be one in the new root directory.
    let null = Path::new("/dev/null");
    let null = File::options()
        .read(true)
        .write(true)
        .open(null)
        .map_err(Error::file("open", null))?;
    let for_output = null.try_clone().map_err(Error::file("open", Path::new("/dev/null")))?;
    become_asked(options)?;
    let mut command = Command::new(&options.command[0]);
    command.args(&options.command[1..]).stdin(null).stdout(for_output);
    if !options.serve {
        let elapsed = once(&mut command)?;
        let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)
            .map_err(Error::call("read the resources used"))?;
        let processors = usage.user_time() + usage.system_time();
        println!(
            "{} {} {}",
            elapsed.as_nanos(),
            processors.num_microseconds(),
            usage.max_rss()
        );
        return Ok(());
    }
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        line.map_err(Error::file("read", Path::new("standard input")))?;
        let elapsed = once(&mut command)?;
        writeln!(output, "{}", elapsed.as_nanos()).map_err(Error::file("write", Path::new("standard output")))?;
    }
    Ok(())
}

fn once(command: &mut Command) -> Result<Duration, Error> {
    let start = Instant::now();
    let failed = programs::succeeds(command)?;
    let elapsed = start.elapsed();
    failed.map_or(Ok(elapsed), Err)
}

fn become_asked(options: &Options) -> Result<(), Error> {
    if let Some(directory) = &options.fuse {
        open_fuse(directory)?;
    }
    if let Some(root) = &options.root {
        chroot(root).map_err(Error::call("change the root directory"))?;
        std::env::set_current_dir("/").map_err(Error::file("enter", root))?;
    }
    if let Some(id) = options.user {
        setgroups(&[]).map_err(Error::call("drop groups"))?;
        setgid(Gid::from_raw(id)).map_err(Error::call("change the group"))?;
        setuid(Uid::from_raw(id)).map_err(Error::call("change the user"))?;
    }
    Ok(())
}

/// Puts a node of mode 0666 over /dev/fuse (character device 10, 229), seen by this process and its children only.
fn open_fuse(directory: &Path) -> Result<(), Error> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::call("make a mount namespace"))?;
    let none = None::<&Path>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(Error::call("make mounts private"))?;
    mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), none).map_err(Error::call("mount a tmpfs"))?;
    let node = directory.join("fuse");
    mknod(&node, SFlag::S_IFCHR, Mode::empty(), makedev(10, 229)).map_err(Error::call("make a device node"))?;
    let all = Mode::from_bits_truncate(0o666);
    fchmodat(
        nix::fcntl::AT_FDCWD,
        &node,
        all,
        nix::sys::stat::FchmodatFlags::FollowSymlink,
    )
    .map_err(Error::call("open the device node to all"))?;
    mount(Some(&node), "/dev/fuse", none, MsFlags::MS_BIND, none).map_err(Error::call("bind /dev/fuse"))
}
