//! Making, ending and waiting for processes.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use crate::directory;

/// Which side of a fork(2) this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The one that called; the other has this process id.
    Parent(Pid),
    /// The new process.
    Child,
}

/// How a process changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It ended by itself with this status.
    Exited(u8),
    /// This signal killed it.
    Signalled(i32),
    /// This signal stopped it.
    Stopped(i32),
    /// `SIGCONT` let it go on.
    Continued,
}

/// fork(2).
///
/// The process must have a single thread: the child has only the one that called, and whatever locks the others held
/// stay locked in it.
///
/// # Errors
/// `EAGAIN` when there are too many processes, `ENOMEM`.
pub fn fork() -> Result<Fork, Errno> {
    // SAFETY: with a single thread the child's memory is as consistent as the parent's.
    match Errno::result(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(Pid::from_raw(pid))),
    }
}

/// A [`fork`] whose child has no descriptor but `kept`, which is all that `act` gets, and ends behind it.
///
/// # Errors
/// As [`fork`].
pub fn fork_alone(kept: OwnedFd, act: fn(OwnedFd)) -> Result<Pid, Errno> {
    match fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            close_all_but(kept.as_raw_fd());
            act(kept);
            exit(0)
        }
    }
}

/// For a process in which no object that owns a descriptor is ever used or dropped again but that which owns `kept`.
fn close_all_but(kept: RawFd) {
    let ranges = [(0, kept - 1), (kept + 1, RawFd::MAX)];
    for (first, last) in ranges.into_iter().filter(|(first, last)| first <= last) {
        // SAFETY: close_range takes numbers; whoever owns them in this process does nothing any more, as is said above.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
            continue;
        }
        // Before Linux 5.9, or a filter of that time.
        return close_each_but(kept);
    }
}

/// [`close_all_but`] by close(2).
fn close_each_but(kept: RawFd) {
    let close = |number| {
        if number != kept {
            // SAFETY: as for close_range; what is not open gives EBADF.
            unsafe { libc::close(number) };
        }
    };
    let open = directory::numbers(Path::new("/proc/self/fd"));
    if !open.is_empty() {
        return open.into_iter().for_each(close);
    }
    // What was opened before the limit was lowered is missed, but nobody can say what that is.
    // SAFETY: sysconf has no preconditions.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    (0..RawFd::try_from(limit).unwrap_or(RawFd::MAX)).for_each(close);
}

/// clone(2) as a fork whose child begins in the new namespaces that `flags` names. The parent is told of its end by
/// `SIGCHLD`.
///
/// The process must have a single thread, as for [`fork`]. The child's C library does not know its new thread id:
/// raise(3) and abort(3) would signal another one; use [`kill`].
///
/// # Errors
/// clone(2): `EPERM` without the right, `EINVAL` when the kernel lacks a namespace, `ENOSPC` when there are too many,
/// `EAGAIN`, `ENOMEM`.
pub fn clone_into(flags: CloneFlags) -> Result<Fork, Errno> {
    let flags = libc::c_long::from(flags.bits() | libc::SIGCHLD);
    let none: libc::c_long = 0;
    // On s390 and cris the first two arguments change places.
    #[cfg(target_arch = "s390x")]
    let (first, second) = (none, flags);
    #[cfg(not(target_arch = "s390x"))]
    let (first, second) = (flags, none);
    // SAFETY: without CLONE_VM, and with the stack pointer 0, the child runs on a copy of this very stack, as after
    // fork(2); the other pointers are not read without the flags that ask for them.
    let pid = unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) };
    match Errno::result(pid)? {
        0 => Ok(Fork::Child),
        pid => i32::try_from(pid)
            .map(|pid| Fork::Parent(Pid::from_raw(pid)))
            .map_err(|_| Errno::EINVAL),
    }
}

/// Ends the process at once: nothing is flushed, no destructor runs. For children of a fork, whose buffers and
/// destructors are the parent's.
pub fn exit(status: u8) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Lets what `command` starts be killed when the thread that starts it ends, however that comes about.
pub fn end_with_this(command: &mut Command) {
    let parent = getpid();
    let bind = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // It may have ended before.
        match getppid() == parent {
            true => Ok(()),
            false => Err(Errno::ESRCH.into()),
        }
    };
    // SAFETY: two system calls, and an error that needs no memory: nothing that a fork of many threads may not do.
    let _command = unsafe { command.pre_exec(bind) };
}

/// Sends `signal`, which may be a realtime one, to `pid`.
///
/// # Errors
/// kill(2): `ESRCH` when it is gone, `EPERM`, `EINVAL`.
pub fn kill(pid: Pid, signal: i32) -> Result<(), Errno> {
    // SAFETY: kill has no preconditions.
    Errno::result(unsafe { libc::kill(pid.as_raw(), signal) }).map(drop)
}

/// A descriptor for `pid`, which means that process even when another has its id: pidfd_open(2).
///
/// # Errors
/// `ESRCH`, `EMFILE`; `ENOSYS` before Linux 5.3.
pub fn descriptor(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: pidfd_open takes two numbers and makes another, which is closed when another program is executed.
    let number = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let number = RawFd::try_from(number).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this number; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sends `signal` to the process of a [`descriptor`]: pidfd_send_signal(2).
///
/// # Errors
/// As [`kill`].
pub fn kill_by(process: &OwnedFd, signal: i32) -> Result<(), Errno> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without a siginfo_t the kernel fills one in as for kill.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, none, 0) };
    Errno::result(sent).map(drop)
}

/// Takes one change of a child, if there is one: ends, stops and continuations of `pid`, or of any child when it is
/// -1. nix's waitpid knows no realtime signals.
///
/// # Errors
/// waitpid(2): `ECHILD` when there is no such child.
pub fn try_wait(pid: Pid) -> Result<Option<(Pid, Change)>, Errno> {
    wait_with(pid, libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED)
}

/// Waits for the end of `pid`.
///
/// # Errors
/// waitpid(2): `ECHILD` when there is no such child.
pub fn wait(pid: Pid) -> Result<Change, Errno> {
    loop {
        match wait_with(pid, 0) {
            Ok(Some((_, change))) => return Ok(change),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn wait_with(pid: Pid, options: i32) -> Result<Option<(Pid, Change)>, Errno> {
    let mut status = 0;
    // SAFETY: `status` is valid for the call, which writes it.
    let changed = Errno::result(unsafe { libc::waitpid(pid.as_raw(), &raw mut status, options) })?;
    if changed == 0 {
        return Ok(None);
    }
    Ok(Some((Pid::from_raw(changed), decode(status)?)))
}

/// The macros of wait(2).
fn decode(status: i32) -> Result<Change, Errno> {
    if libc::WIFEXITED(status) {
        return u8::try_from(libc::WEXITSTATUS(status))
            .map(Change::Exited)
            .map_err(|_| Errno::EINVAL);
    }
    if libc::WIFSIGNALED(status) {
        return Ok(Change::Signalled(libc::WTERMSIG(status)));
    }
    if libc::WIFSTOPPED(status) {
        return Ok(Change::Stopped(libc::WSTOPSIG(status)));
    }
    Ok(Change::Continued)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses() {
        let cases = [
            (0x0000, Change::Exited(0)),
            (0x2a00, Change::Exited(42)),
            (0xff00, Change::Exited(255)),
            (0x0009, Change::Signalled(9)),
            (0x0086, Change::Signalled(6)),  // with a core dump
            (0x0025, Change::Signalled(37)), // a realtime signal
            (0x147f, Change::Stopped(20)),
            (0xffff, Change::Continued),
        ];
        for (status, change) in cases {
            assert_eq!(decode(status), Ok(change), "{status:#x}");
        }
    }
}
