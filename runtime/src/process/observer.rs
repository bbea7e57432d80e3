//! Somebody who watches the app from init. A bundle has none.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

/// What an observer is asked for, and when.
pub(crate) trait Observer {
    /// In init, once the root stands and before there is an app.
    fn prepare(&mut self) -> Result<(), Errno>;

    /// In the app's process, right before it executes the app.
    fn attach(&self) -> Result<(), Errno>;

    /// What to wait for, if anything, besides signals and messages.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// In init, whenever there may be something; does not wait.
    fn serve(&mut self) -> Result<(), Errno>;

    /// Whether init stays until nobody is left, instead of ending with the app.
    fn stays(&self) -> bool;

    /// What to try where it failed.
    fn hint(&self) -> Option<String>;
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn prepare(&mut self) -> Result<(), Errno> {
        Ok(())
    }

    fn attach(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn serve(&mut self) -> Result<(), Errno> {
        Ok(())
    }

    fn stays(&self) -> bool {
        false
    }

    fn hint(&self) -> Option<String> {
        None
    }
}
