//! Filters of system calls, and being told of those of another process: seccomp(2), seccomp_unotify(2).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::Pid;

/// A system call that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Names this very call of this very thread.
    pub id: u64,
    /// The thread, as the reader sees it.
    pub thread: Pid,
    /// Number of the call.
    pub number: libc::c_long,
    /// Its arguments. The upper halves of those that are shorter mean nothing.
    pub arguments: [u64; 6],
}

/// Installs `program` in this process, which must have set `no_new_privs`, and gives the descriptor where its calls are
/// announced. Children inherit the program; it cannot be taken off.
///
/// # Errors
/// seccomp(2): `EINVAL` where the kernel knows no listeners (before Linux 5.0), `ENOSYS` where it has no seccomp,
/// `EBUSY` where there is a listener already. `EOVERFLOW` where announcements are longer than they are known to be here.
pub fn listen(program: &[libc::sock_filter]) -> Result<OwnedFd, Errno> {
    check_sizes()?;
    let plain = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Without it a signal interrupts calls that are waiting, such as open(2), which no signal interrupts otherwise.
    match install(program, plain | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        // Before Linux 5.19.
        Err(Errno::EINVAL) => install(program, plain),
        result => result,
    }
}

fn install(program: &[libc::sock_filter], flags: libc::c_ulong) -> Result<OwnedFd, Errno> {
    let number = RawFd::try_from(set(program, flags)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel made this descriptor for the call; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Installs `program` in this process, which must have set `no_new_privs`. Children inherit it; it cannot be taken off.
///
/// # Errors
/// seccomp(2): `EINVAL` where the kernel has no filters or the program is none, `ENOSYS` where it has no seccomp, `ENOMEM` where there
/// are too many filters already.
pub fn filter(program: &[libc::sock_filter]) -> Result<(), Errno> {
    // Kernels before 5.16 else slow every program down that has a filter: Documentation/userspace-api/spec_ctrl.rst.
    match set(program, libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW) {
        // Before Linux 4.17.
        Err(Errno::EINVAL) => set(program, 0).map(drop),
        result => result.map(drop),
    }
}

fn set(program: &[libc::sock_filter], flags: libc::c_ulong) -> Result<libc::c_long, Errno> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `filter` points to `len` instructions that outlive the call; the kernel copies them and writes nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const filter,
        )
    };
    Errno::result(answer)
}

/// Whether filters can be installed.
///
/// # Errors
/// What seccomp(2) says to one that is nowhere in memory, unless it is `EFAULT`.
pub fn has_filters() -> Result<(), Errno> {
    let none = std::ptr::null::<libc::sock_fprog>();
    // SAFETY: the kernel finds that there is nothing to read at the null pointer, and changes nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            libc::c_ulong::from(0_u8),
            none,
        )
    };
    match Errno::result(answer) {
        Ok(_) | Err(Errno::EFAULT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The kernel writes as much as it knows: what is longer than the structures here would be written past their ends.
fn check_sizes() -> Result<(), Errno> {
    let mut sizes = libc::seccomp_notif_sizes {
        seccomp_notif: 0,
        seccomp_notif_resp: 0,
        seccomp_data: 0,
    };
    // SAFETY: the kernel writes one such structure, to a value that outlives the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_GET_NOTIF_SIZES),
            libc::c_ulong::from(0_u8),
            &raw mut sizes,
        )
    };
    Errno::result(answer)?;
    let fits = usize::from(sizes.seccomp_notif) <= size_of::<libc::seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) <= size_of::<libc::seccomp_notif_resp>();
    if fits { Ok(()) } else { Err(Errno::EOVERFLOW) }
}

/// Takes an announcement; waits for one, so poll(2) first. None when the thread that it is of has just ended.
///
/// # Errors
/// ioctl(2).
pub fn receive(listener: impl AsFd) -> Result<Option<Notice>, Errno> {
    // SAFETY: integers only, for which zeros are valid; the kernel refuses anything else.
    let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: the kernel writes one such structure, whose size `listen` has compared, to a value that outlives the call.
    let answer = unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), request, &raw mut notice) };
    match Errno::result(answer) {
        Ok(_) => {}
        Err(Errno::ENOENT | Errno::EINTR) => return Ok(None),
        Err(errno) => return Err(errno),
    }
    Ok(Some(Notice {
        id: notice.id,
        thread: Pid::from_raw(i32::try_from(notice.pid).map_err(|_| Errno::ESRCH)?),
        number: notice.data.nr.into(),
        arguments: notice.data.args,
    }))
}

/// Whether the call still waits. What was read of its process before is of that process if it does.
#[must_use]
pub fn is_waiting(listener: impl AsFd, notice: &Notice) -> bool {
    let request = libc::SECCOMP_IOCTL_NOTIF_ID_VALID;
    // SAFETY: the kernel reads one number, of a value that outlives the call.
    let answer = unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), request, &raw const notice.id) };
    answer == 0
}

/// Lets the call go on as if nobody had been told of it.
///
/// # Errors
/// ioctl(2): `EINVAL` before Linux 5.5. That the thread has ended meanwhile is none.
pub fn let_go_on(listener: impl AsFd, notice: &Notice) -> Result<(), Errno> {
    let mut response = libc::seccomp_notif_resp {
        id: notice.id,
        val: 0,
        error: 0,
        flags: u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).map_err(|_| Errno::EINVAL)?,
    };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: the kernel reads one such structure, of a value that outlives the call.
    let answer = unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), request, &raw mut response) };
    match Errno::result(answer) {
        // EINPROGRESS cannot be: every call is answered once.
        Err(Errno::ENOENT) => Ok(()),
        result => result.map(drop),
    }
}
