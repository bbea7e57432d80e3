//! Two processes that wait for each other: one lets the other begin, and waits until it has executed a program or ended.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read};

/// The side that waits first for what the other does.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// Closed to let the other through.
    go: OwnedFd,
    /// Closed by the other's execve(2), or its end.
    gone: OwnedFd,
}

/// The side that is let through.
#[derive(Debug)]
pub(crate) struct Passer {
    go: OwnedFd,
    _gone: OwnedFd,
}

/// Both sides. Each must close the other's.
pub(crate) fn pair() -> Result<(Keeper, Passer), Errno> {
    let (passers, go) = pipe2(OFlag::O_CLOEXEC)?;
    let (gone, _gone) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((Keeper { go, gone }, Passer { go: passers, _gone }))
}

impl Keeper {
    /// Lets the other through, and waits until its side is closed.
    pub(crate) fn open(self) -> Result<(), Errno> {
        drop(self.go);
        until_closed(&self.gone)
    }
}

impl Passer {
    /// Waits until it is let through; the keeper's end is as good.
    pub(crate) fn pass(&self) -> Result<(), Errno> {
        until_closed(&self.go)
    }
}

fn until_closed(pipe: &OwnedFd) -> Result<(), Errno> {
    loop {
        match read(pipe, &mut [0]) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}
