//! Somebody who watches the app from init. A bundle has one only where it is asked what it lacks.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::app::{Start, become_app};

/// What an observer is asked for, and when.
pub(crate) trait Observer {
    /// In init, once the root stands and before there is an app.
    fn prepare(&mut self) -> Result<(), Errno>;

    /// In the app's process, right before it executes the app.
    fn attach(&self) -> Result<(), Errno>;

    /// In the app's process: does what there is to do there, which is to become the app.
    fn act(&self, start: &Start<'_, Self>) -> !
    where
        Self: Sized,
    {
        become_app(start)
    }

    /// What to wait for, if anything, besides signals and messages.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// In init, whenever there may be something; does not wait.
    fn serve(&mut self) -> Result<(), Errno>;

    /// Whether init stays until nobody is left, instead of ending with the app.
    fn stays(&self) -> bool;

    /// What to try where it failed.
    fn hint(&self) -> Option<String>;
}

/// One, or nobody.
impl<O: Observer> Observer for Option<O> {
    fn prepare(&mut self) -> Result<(), Errno> {
        self.as_mut().map_or(Ok(()), O::prepare)
    }

    fn attach(&self) -> Result<(), Errno> {
        self.as_ref().map_or(Ok(()), O::attach)
    }

    fn act(&self, start: &Start<'_, Self>) -> ! {
        match self {
            Some(observer) => observer.act(&start.before(observer)),
            None => become_app(start),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.as_ref().and_then(O::descriptor)
    }

    fn serve(&mut self) -> Result<(), Errno> {
        self.as_mut().map_or(Ok(()), O::serve)
    }

    fn stays(&self) -> bool {
        self.as_ref().is_some_and(O::stays)
    }

    fn hint(&self) -> Option<String> {
        self.as_ref().and_then(O::hint)
    }
}
