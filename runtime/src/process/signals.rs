//! Signals that arrive are read from a descriptor, never handled: every signal stays blocked in every process of ours.

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;

use crate::sys::disposition::{self, Disposition};
use crate::sys::signal_mask::{self, Mask};

/// Signals by which a user ends a program. Before there is an app, they are for us.
pub(crate) const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// What the caller had set when we were started; the app gets it back.
#[derive(Debug, Clone)]
pub(crate) struct CallersSignals {
    mask: Mask,
    child_ignored: bool,
}

/// Blocks every signal in this process and its children.
///
/// A signal that is blocked waits even where it is ignored, so it can be read and handed on; what the app does with it is the
/// app's business. `SIGCHLD` gets its default: if it was ignored, the kernel would reap our children for us.
pub(crate) fn take_over() -> Result<CallersSignals, Errno> {
    let mask = Mask::ALL.swap()?;
    let child_ignored = disposition::of_caller(libc::SIGCHLD)? == Disposition::Ignore;
    if child_ignored {
        disposition::set(libc::SIGCHLD, Disposition::Default)?;
    }
    Ok(CallersSignals { mask, child_ignored })
}

/// A descriptor that gives every signal sent to the process that reads it.
pub(crate) fn descriptor() -> Result<SignalFd, Errno> {
    signal_mask::descriptor()
}

/// Takes what waits at `descriptor`.
pub(crate) fn discard(descriptor: &SignalFd) -> Result<(), Errno> {
    while descriptor.read_signal()?.is_some() {}
    Ok(())
}

impl CallersSignals {
    /// Sets what the caller had set, in the app's process. Signals that came meanwhile arrive with it.
    pub(crate) fn give_back(&self) -> Result<(), Errno> {
        disposition::set(libc::SIGPIPE, disposition::of_caller(libc::SIGPIPE)?)?;
        if self.child_ignored {
            disposition::set(libc::SIGCHLD, Disposition::Ignore)?;
        }
        self.mask.swap().map(drop)
    }
}

/// Whether `signal` should end this process now, as it would have ended the app.
pub(crate) fn ends(signal: i32) -> Result<bool, Errno> {
    Ok(ENDING.contains(&signal) && disposition::of_caller(signal)? == Disposition::Default)
}

/// Stops this process by `signal`, as the app was stopped, until somebody continues it.
pub(crate) fn stop_by(signal: i32) -> Result<(), Errno> {
    let before = if signal == libc::SIGSTOP {
        Disposition::Default
    } else {
        disposition::get(signal)?
    };
    if before == Disposition::Ignore {
        disposition::set(signal, Disposition::Default)?;
    }
    crate::sys::process::kill(nix::unistd::getpid(), signal)?;
    let mut open = SigSet::empty();
    if let Ok(signal) = nix::sys::signal::Signal::try_from(signal) {
        open.add(signal);
    }
    // Here the process stands still.
    open.thread_unblock()?;
    open.thread_block()?;
    if before == Disposition::Ignore {
        disposition::set(signal, Disposition::Ignore)?;
    }
    Ok(())
}

/// The status that a shell gives for a death by `signal`.
pub(crate) fn status_of(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
