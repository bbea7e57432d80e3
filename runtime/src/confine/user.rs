//! Another user than the caller: credentials(7).

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::{ConfineError, capabilities};

/// Becomes `uid` and `gid` with `groups` beside, for good. The capabilities of this process stay, for those that a program of another
/// user than 0 was given.
pub(super) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<(), ConfineError> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let become_all = || -> Result<(), Errno> {
        prctl::set_keepcaps(true)?;
        setgroups(&groups)?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)
    };
    become_all().map_err(|errno| ConfineError::User { uid, gid, errno })?;
    // Permitted they still are.
    capabilities::make_effective()
}
