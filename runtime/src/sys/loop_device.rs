//! Loop devices: the ioctls of `/dev/loop-control` and `/dev/loopN`, loop(4) and `include/uapi/linux/loop.h`.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

/// `LO_FLAGS_READ_ONLY`: writes to the device are refused.
const READ_ONLY: u32 = 1;
/// `LO_FLAGS_AUTOCLEAR`: the last close, an unmount included, detaches the file.
const AUTOCLEAR: u32 = 4;

mod request {
    pub(super) const SET_FD: u32 = 0x4C00;
    pub(super) const CLR_FD: u32 = 0x4C01;
    pub(super) const SET_STATUS64: u32 = 0x4C04;
    pub(super) const CONFIGURE: u32 = 0x4C0A;
    pub(super) const CTL_ADD: u32 = 0x4C80;
    pub(super) const CTL_GET_FREE: u32 = 0x4C82;
}

/// `struct loop_info64`.
#[repr(C)]
#[derive(Debug)]
struct Info64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`, Linux 5.8.
#[repr(C)]
#[derive(Debug)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info64,
    reserved: [u64; 8],
}

// What the kernel copies in is fixed by its ABI; a field lost here would let it read beyond ours.
const _: () = assert!(size_of::<Info64>() == 232 && size_of::<Config>() == 304);

mod ioctl {
    use super::{Config, Info64, request};

    nix::ioctl_write_int_bad!(set_fd, request::SET_FD);
    nix::ioctl_none_bad!(clear_fd, request::CLR_FD);
    nix::ioctl_write_ptr_bad!(set_status, request::SET_STATUS64, Info64);
    nix::ioctl_write_ptr_bad!(configure, request::CONFIGURE, Config);
    nix::ioctl_write_int_bad!(control_add, request::CTL_ADD);
    nix::ioctl_none_bad!(control_get_free, request::CTL_GET_FREE);
}

/// The part of a file that a loop device shows. Bytes; multiples of 512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Where the device begins in the file.
    pub offset: u64,
    /// Size of the device.
    pub length: u64,
}

/// Number of a loop device that was free when the kernel looked: another process may take it first.
///
/// # Errors
/// What ioctl(2) says about `control`, which is `/dev/loop-control`.
pub fn get_free(control: impl AsFd) -> Result<u32, Errno> {
    // SAFETY: the descriptor is open for the length of the borrow and LOOP_CTL_GET_FREE takes no argument.
    let number = unsafe { ioctl::control_get_free(control.as_fd().as_raw_fd()) }?;
    u32::try_from(number).map_err(|_| Errno::EINVAL)
}

/// Makes loop device `number`; that it is there already is no error.
///
/// # Errors
/// What ioctl(2) says about `control`, which is `/dev/loop-control`.
pub fn add(control: impl AsFd, number: u32) -> Result<(), Errno> {
    let number = i32::try_from(number).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the descriptor is open for the length of the borrow and LOOP_CTL_ADD takes a plain number.
    match unsafe { ioctl::control_add(control.as_fd().as_raw_fd(), number) } {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Shows `window` of `file` as the block device `device`, read-only, and detached by the last close.
///
/// # Errors
/// `EBUSY` when the device has a file already; else what ioctl(2) says. The device is as it was before.
pub fn attach(device: impl AsFd, file: impl AsFd, window: Window) -> Result<(), Errno> {
    let fd = file.as_fd().as_raw_fd();
    let config = Config {
        fd: u32::try_from(fd).map_err(|_| Errno::EBADF)?,
        block_size: 0,
        info: info(window),
        reserved: [0; 8],
    };
    // SAFETY: both descriptors are open for the length of the borrows; `config` has the layout of struct
    // loop_config (asserted above) and outlives the call, which only reads it.
    match unsafe { ioctl::configure(device.as_fd().as_raw_fd(), &raw const config) } {
        Ok(_) => Ok(()),
        // Unknown before Linux 5.8. An EINVAL of the window's comes again from the older calls.
        Err(Errno::ENOTTY | Errno::EINVAL | Errno::ENOSYS) => attach_in_two_steps(device, fd, window),
        Err(errno) => Err(errno),
    }
}

/// [`attach`] before Linux 5.8: for a moment the device shows the whole file.
fn attach_in_two_steps(device: impl AsFd, file: i32, window: Window) -> Result<(), Errno> {
    let device = device.as_fd().as_raw_fd();
    let info = info(window);
    // SAFETY: both descriptors are open, `attach` borrows them; LOOP_SET_FD takes a plain number.
    unsafe { ioctl::set_fd(device, file) }?;
    // SAFETY: the descriptor is open; `info` has the layout of struct loop_info64 (asserted above) and
    // outlives the call, which only reads it.
    match unsafe { ioctl::set_status(device, &raw const info) } {
        Ok(_) => Ok(()),
        Err(errno) => {
            // SAFETY: the descriptor is open and LOOP_CLR_FD takes no argument.
            unsafe { ioctl::clear_fd(device) }?;
            Err(errno)
        }
    }
}

fn info(window: Window) -> Info64 {
    Info64 {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: window.offset,
        size_limit: window.length,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: READ_ONLY | AUTOCLEAR,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    }
}
