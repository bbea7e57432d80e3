//! Every line of unsafe code: what neither nix nor caps wraps.

pub mod auxv;
pub mod descriptor;
pub mod detached_mount;
pub mod disposition;
pub mod keyring;
pub mod loop_device;
pub mod memory;
pub mod mount_attribute;
pub mod network;
pub mod process;
pub mod seccomp;
pub mod signal_mask;
// 32-bit ARM has another interface.
#[cfg(feature = "small")]
mod mount_calls;
#[cfg(all(feature = "small", target_env = "musl"))]
mod thread_name;
#[cfg(all(feature = "small", panic = "abort", not(target_arch = "arm")))]
mod unwind;
