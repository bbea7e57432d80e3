//! Files in memory: tmpfs(5).

use std::path::Path;

use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::statvfs::statvfs;

use super::mounting;

const FLAGS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Mounts an empty one on `path`, for `size` bytes.
///
/// # Errors
/// mount(2).
pub fn mount(path: &Path, size: u64) -> Result<(), Errno> {
    let options = format!("mode=755,size={size}");
    mounting::fresh("tmpfs", path, FLAGS, &options)
}

/// Lets `size` bytes be written to the one at `path` beside those that are there.
///
/// # Errors
/// statvfs(3), mount(2).
pub fn leave_room(path: &Path, size: u64) -> Result<(), Errno> {
    let known = statvfs(path)?;
    let used = u128::from(known.blocks() - known.blocks_free()) * u128::from(known.fragment_size());
    let options = format!("size={}", used + u128::from(size));
    mounting::change(path, FLAGS, Some(&options))
}
