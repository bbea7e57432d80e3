//! The image of a bundle: every block checked before it is used, and the three ways to make a directory of it.
//!
//! | way | needs | a block is checked |
//! |---|---|---|
//! | [`kernel_loop`] | `CAP_SYS_ADMIN` on the host, squashfs with zstd in the kernel | before the mount, all of them |
//! | [`fuse`] | `/dev/fuse` | whenever it is read |
//! | [`unpack`] | memory or disk | when it is written out |

mod check_error;
pub mod fuse;
pub mod kernel_loop;
mod mount_error;
mod owner;
mod sweep;
pub mod unpack;
pub(crate) mod verified;

pub use check_error::CheckError;
pub use mount_error::MountError;
pub use owner::{OwnerMap, Shown};
pub use verified::VerifiedImage;

/// Bytes of a thread's stack: what the standard library takes, but for asking the caller's RUST_MIN_STACK.
const STACK: usize = 2 << 20;
