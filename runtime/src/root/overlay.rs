//! The writable layer over a read-only image: overlayfs, `Documentation/filesystems/overlayfs.rst`.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::MsFlags;

use super::mounting;

/// Mounts `upper` over `lower` on `target`. None of the paths may hold a comma, a colon or a backslash.
///
/// Inside a user namespace overlayfs keeps its notes in `user.*` attributes (`userxattr`, Linux 5.11); kernels that
/// allowed such mounts before, by a distribution's patch, do not know the option. So both are tried, the likelier
/// first.
///
/// # Errors
/// mount(2): `EPERM` where user namespaces may not, `ENODEV` when the kernel lacks it, `EINVAL` when one of the file
/// systems cannot be used.
pub fn overlay(layers: Layers<'_>, target: &Path, in_user_namespace: bool) -> Result<(), Errno> {
    let attempts = if in_user_namespace {
        [",userxattr", ""]
    } else {
        ["", ",userxattr"]
    };
    match overlay_with(layers, target, attempts[0]) {
        Err(Errno::EPERM | Errno::EINVAL) => overlay_with(layers, target, attempts[1]),
        result => result,
    }
}

/// Directories of an overlay.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// Read only.
    pub lower: &'a Path,
    /// Read only too, over `lower`.
    pub between: Option<&'a Path>,
    /// Where writes go.
    pub upper: &'a Path,
    /// Scratch space, empty, in the file system of `upper`.
    pub work: &'a Path,
}

fn overlay_with(layers: Layers<'_>, target: &Path, option: &str) -> Result<(), Errno> {
    let Layers {
        lower,
        between,
        upper,
        work,
    } = layers;
    let between = between.map_or(String::new(), |between| format!("{}:", between.display()));
    let options = format!(
        "lowerdir={between}{},upperdir={},workdir={}{option}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mounting::fresh("overlay", target, flags, &options)
}
